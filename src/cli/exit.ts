/**
 * How a command ends: its exit code, the error that it prints, the signals that stop it, and the end of its output.
 * Guarantees that everything written arrives before the process ends, unless its reader has gone.
 */

import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { ConfigError } from "../config.ts";
import { systemClock } from "../limits/clock.ts";
import { TaskError, toFailure } from "../words/errors.ts";

/** 70 is EX_SOFTWARE of sysexits.h: a process manager starts another process. */
export const exitCodes = { done: 0, failed: 1, usage: 2, internal: 70 } as const;

/** The command line's one catch: prints the error to stderr and gives the exit code, which tells usage from failure. */
export function explain(error: unknown): number {
  // Commander has already printed its own.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof ConfigError || (error instanceof TaskError && error.code === "invalid_argument")) {
    printError(error.message);
    return exitCodes.usage;
  }
  // An internal error of another program is reported there: here the command has failed, no more.
  if (error instanceof TaskError && (error.isRemote || error.code !== "internal")) {
    printError(error.message);
    return exitCodes.failed;
  }
  const failure = toFailure(error);
  printError(`internal error: ${failure.stack ?? failure.message}`);
  return exitCodes.internal;
}

/** Each line names the program. A stack stays in one piece. */
function printError(message: string): void {
  const lines = message.startsWith("internal error: ") ? [message] : message.split("\n");
  for (const line of lines) process.stderr.write(`throughline: ${line}\n`);
}

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

/** Resolves when stdout fails: its reader has gone, or the disk is full. No failure of either stream ends the process. */
export function outputFailure(): Promise<Error> {
  process.stderr.on("error", () => {});
  return new Promise((resolve) => process.stdout.on("error", resolve));
}

/** Of a process that serves: a stalled reader of its log must not keep it alive. A person may read for hours. */
export const logLimitMs = 2000;

/** Resolves once all is written, or after `limitMs`. On Bun `process.exit` drops what a pipe has not taken yet. */
export async function endOutput(limitMs?: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = limitMs === undefined ? undefined : setTimeout(over.resolve, limitMs);
  const ends = [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.end(() => resolve())),
  );
  await Promise.race([Promise.all(ends), over.promise]);
  clearTimeout(timer);
}

/** Resolves with true to end the loop. */
type Step = (signal: AbortSignal) => Promise<boolean | undefined>;

/** Calls `step` at once, and `everyMs` after it has ended; resolves after a signal or Ctrl-C, rejects when `step` does. */
export async function repeatUntilStopped(everyMs: number, step: Step): Promise<void> {
  const stopping = new AbortController();
  // A reader that has gone ends it too.
  void Promise.race([stopSignal(() => {}), outputFailure()]).then(() => stopping.abort());
  while (!stopping.signal.aborted) {
    try {
      if (await step(stopping.signal)) return;
    } catch (error) {
      if (stopping.signal.aborted) return;
      throw error;
    }
    await systemClock.sleep(everyMs, stopping.signal);
  }
}
