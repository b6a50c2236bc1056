/** The signals with which a process is told to end. */

import { readFileSync } from "node:fs";

/**
 * Resolves at the first SIGTERM or SIGINT, or at SIGHUP, which a terminal sends when it closes; calls `again` at any
 * SIGTERM or SIGINT after that. A terminal may send SIGHUP several times, so it never counts as the second.
 */
export function stopSignal(again: () => void): Promise<void> {
  return new Promise((resolve) => {
    let isFirst = true;
    const stop = (): void => {
      isFirst = false;
      resolve();
    };
    const onSignal = (): void => (isFirst ? stop() : again());
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
    if (!isHangupIgnored()) process.on("SIGHUP", stop);
  });
}

/** Whether the process was started by `nohup`, which has SIGHUP ignored: a listener would undo that. */
function isHangupIgnored(): boolean {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
    // SIGHUP is signal 1, the lowest bit.
    return (BigInt(`0x${ignored}`) & 1n) === 1n;
  } catch {
    // Only Linux has that file. `nohup` leaves no output at a terminal.
    return !process.stdout.isTTY && !process.stderr.isTTY;
  }
}
