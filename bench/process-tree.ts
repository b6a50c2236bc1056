/** What a contestant's processes cost, their children included: CPU seconds and resident memory, from Linux's /proc. */

import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = 100;
const pageBytes = 4096;

export interface Cost {
  cpuSeconds: number;
  /** Resident now, all together. */
  rssBytes: number;
}

/** Of these processes and all that they have started. CPU of children that have ended counts once they were waited for. */
export function costOf(pids: readonly number[]): Cost {
  const cost = { cpuSeconds: 0, rssBytes: 0 };
  for (const fields of withChildren(pids)) {
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
    cost.cpuSeconds += (user + system + childUser + childSystem) / ticksPerSecond;
    cost.rssBytes += Number(fields[21]) * pageBytes;
  }
  return cost;
}

/** The fields of proc(5), /proc/pid/stat, from the third (state) on. */
function withChildren(pids: readonly number[]): string[][] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const fields = statOf(Number(name));
      return fields ? [{ pid: Number(name), parent: Number(fields[1]), fields }] : [];
    });
  const wanted = new Set(pids);
  // A child's number may be lower than its parent's once numbers have gone round: until nothing more is found.
  for (let size = -1; size !== wanted.size; ) {
    size = wanted.size;
    for (const { pid, parent } of all) if (wanted.has(parent)) wanted.add(pid);
  }
  return all.filter(({ pid }) => wanted.has(pid)).map(({ fields }) => fields);
}

function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name, may have anything in it.
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
