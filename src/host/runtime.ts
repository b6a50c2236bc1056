/** Which runtime this is, what it can do that the other cannot, and the memory of this process: both answer differently. */

import { totalmem } from "node:os";

interface Runtime {
  name: "bun" | "deno";
  version: string;
  /** This program is one file with the runtime in it. */
  isCompiled: boolean;
}

export const runtime: Runtime =
  "Deno" in globalThis
    ? { name: "deno", version: process.versions.deno ?? "", isCompiled: false }
    : {
        name: "bun",
        version: process.versions.bun ?? "",
        isCompiled: /[/\\](\$bunfs|~BUN)[/\\]/.test(import.meta.url),
      };

/** The file that a shell would run for this name; Deno does not tell. */
export function programOnPath(name: string): string | undefined {
  return runtime.name === "bun" ? (Bun.which(name) ?? undefined) : undefined;
}

/** What of the process is in the machine's memory, all its threads together; as it was last known where the runtime does not say. */
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
