/** Memory of this process, and what it may have. Both runtimes have these words of Node's, and differ in the answers. */

import { totalmem } from "node:os";

/** What of the process is in the machine's memory, all its threads together; as it was last known where it is not told. */
export function residentBytes(): number {
  try {
    lastResidentBytes = process.memoryUsage.rss();
  } catch {
    // It reads a file, and there is no file descriptor left.
  }
  return lastResidentBytes;
}
let lastResidentBytes = 0;

/** The machine's memory, or what the cgroup allows when that is less. */
export function allowedBytes(): number {
  // Without a limit Bun tells the machine's memory, and Deno a number beyond all machines, or none.
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}
