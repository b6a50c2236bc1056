/** The CPU seconds of each thread of a process by its name, from Linux's /proc. */

import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = 100;

/** Threads of one name are one; what ended before is not told. */
export function threadSeconds(pid: number): Map<string, number> {
  const seconds = new Map<string, number>();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    const thread = readThread(`/proc/${pid}/task/${tid}/stat`);
    if (thread) seconds.set(thread.name, (seconds.get(thread.name) ?? 0) + thread.seconds);
  }
  return seconds;
}

function readThread(path: string): { name: string; seconds: number } | undefined {
  try {
    return parseThreadStat(readFileSync(path, "utf8"));
  } catch {
    // It has ended.
    return undefined;
  }
}

/** A line of proc(5), /proc/pid/task/tid/stat: the name is in brackets, and may hold brackets and spaces itself. */
export function parseThreadStat(text: string): { name: string; seconds: number } {
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  const name = text.slice(text.indexOf("(") + 1, end);
  return { name, seconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond };
}

/** By how much each has grown. */
export function grown(before: Map<string, number>, after: Map<string, number>): Map<string, number> {
  return new Map([...after].map(([name, seconds]) => [name, seconds - (before.get(name) ?? 0)]));
}
