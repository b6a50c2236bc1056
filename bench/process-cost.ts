/** What processes and their threads cost, from Linux's /proc. */

import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = 100;
const pageBytes = 4096;

export interface Cost {
  cpuSeconds: number;
  /** Resident now, all together. */
  rssBytes: number;
}

/**
 * Of these processes and all that they have started. CPU of children that have ended counts once they were waited for;
 * memory that processes share, as those of PostgreSQL do, counts once.
 */
export function costOf(pids: readonly number[]): Cost {
  const cost = { cpuSeconds: 0, rssBytes: 0 };
  let sharedBytes = 0;
  for (const { pid, fields } of withChildren(pids)) {
    const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
    cost.cpuSeconds += (user + system + childUser + childSystem) / ticksPerSecond;
    const shared = sharedBytesOf(pid);
    cost.rssBytes += Number(fields[21]) * pageBytes - shared;
    sharedBytes = Math.max(sharedBytes, shared);
  }
  cost.rssBytes += sharedBytes;
  return cost;
}

interface Process {
  pid: number;
  parent: number;
  /** Of proc(5), /proc/pid/stat, from the third (state) on. */
  fields: string[];
}

function withChildren(pids: readonly number[]): Process[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): Process[] => {
      const text = read(`/proc/${name}/stat`);
      const fields = text === undefined ? undefined : statOf(text).fields;
      return fields ? [{ pid: Number(name), parent: Number(fields[1]), fields }] : [];
    });
  const wanted = new Set(pids);
  // A child's number may be lower than its parent's once numbers have gone round: until nothing more is found.
  for (let size = -1; size !== wanted.size; ) {
    size = wanted.size;
    for (const { pid, parent } of all) if (wanted.has(parent)) wanted.add(pid);
  }
  return all.filter(({ pid }) => wanted.has(pid));
}

function sharedBytesOf(pid: number): number {
  const kib = /^RssShmem:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
  return Number(kib ?? 0) * 1024;
}

/** The CPU seconds of each thread of a process by its name; threads of one name are one. What ended before is not told. */
export function threadSeconds(pid: number): Map<string, number> {
  const seconds = new Map<string, number>();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const text = read(`/proc/${pid}/task/${tid}/stat`);
    if (text === undefined) continue;
    const thread = parseThreadStat(text);
    seconds.set(thread.name, (seconds.get(thread.name) ?? 0) + thread.seconds);
  }
  return seconds;
}

/** A line of /proc/pid/task/tid/stat. */
export function parseThreadStat(text: string): { name: string; seconds: number } {
  const { name, fields } = statOf(text);
  return { name, seconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond };
}

/** The name is in brackets, and may hold brackets and spaces itself. */
function statOf(text: string): { name: string; fields: string[] } {
  const end = text.lastIndexOf(")");
  return { name: text.slice(text.indexOf("(") + 1, end), fields: text.slice(end + 2).split(" ") };
}

/** undefined: the process, or the thread, has ended. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** By how much each has grown. */
export function grown(before: Map<string, number>, after: Map<string, number>): Map<string, number> {
  return new Map([...after].map(([name, seconds]) => [name, seconds - (before.get(name) ?? 0)]));
}
