/** A process that stands still while it is looked at: what is on its disk is what one instant left there. */

import { readdir, readFile } from "node:fs/promises";
import { eventually } from "./eventually.ts";

/** Why processes cannot be watched here; undefined when they can. */
export const whyNotStoppable = process.platform === "linux" ? undefined : "threads are watched through Linux's /proc";

/** Stops every thread of it, looks, and lets it go on, also when looking fails. */
export async function whileStopped<T>(pid: number, look: () => Promise<T>): Promise<T> {
  process.kill(pid, "SIGSTOP");
  try {
    // The signal is on its way when `kill` returns; a thread inside a system call ends that first.
    await eventually(() => isStopped(pid), { intervalMs: 1 });
    return await look();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

async function isStopped(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`);
  const states = await Promise.all(threads.map((thread) => stateOf(`/proc/${pid}/task/${thread}/stat`)));
  return states.every((state) => state === "T");
}

/** proc_pid_stat(5): the state follows the name, which stands in brackets and may hold anything. */
async function stateOf(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8");
  return text.slice(text.lastIndexOf(")") + 2)[0];
}
