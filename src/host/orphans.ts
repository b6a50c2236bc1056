/**
 * Process 1 of a container becomes the parent of every process whose own parent has ended, such as what the child of a
 * handler leaves in the background, and has to take their exit codes: until then each of them, ended, keeps a number and
 * a place in the table of processes. No runtime does that. Here the ended children of process 1 are looked for, and those that
 * the runtime has not started itself are taken away.
 */

import { readdirSync, readFileSync } from "node:fs";
import { openLibc } from "./libc.ts";

const lookEveryMs = 500;
/** waitpid(2): does not wait. */
const noHang = 1;

/** For the rest of the process' life; only as process 1, and on Linux. */
export async function reapOrphans(): Promise<void> {
  if (process.pid !== 1 || process.platform !== "linux") return;
  const libc = await openLibc();
  if (!libc) return;
  let before: readonly number[] = [];
  const look = (): void => {
    const ended = endedChildren();
    // The runtime takes its own within moments: one that is still there is left alone while a descriptor is open for it.
    const left = ended.filter((pid) => before.includes(pid));
    if (left.length > 0) {
      const own = watchedByRuntime();
      for (const pid of left) if (!own.has(pid)) libc.waitpid(pid, null, noHang);
    }
    before = ended;
  };
  setInterval(look, lookEveryMs).unref();
}

/** proc_pid_stat(5): number, name in brackets, state `Z`, parent. */
function endedChildren(): number[] {
  return numbersIn("/proc").filter((pid) => / Z 1 /.test(textOf(`/proc/${pid}/stat`).replace(/^.*\)/s, "")));
}

/** Whose end the runtime waits for by a descriptor (pidfd_open(2)): proc_pid_fdinfo(5) has the number. */
function watchedByRuntime(): ReadonlySet<number> {
  const pids = numbersIn("/proc/self/fdinfo").map((fd) => /^Pid:\s*(\d+)$/m.exec(textOf(`/proc/self/fdinfo/${fd}`)));
  return new Set(pids.map((found) => Number(found?.[1])));
}

function numbersIn(folder: string): number[] {
  return readdirSync(folder).map(Number).filter(Number.isInteger);
}

/** Empty when it is gone by now. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
