/**
 * Loops that work, report a failure and sleep, until a signal ends them. A step that fails does not end its loop: it is
 * repeated after a pause, and the failure goes to `trouble`, which decides how often it is logged.
 */

import { type TaskError, toTaskError } from "../words/errors.ts";
import type { Clock } from "./clock.ts";

/** Hears of each attempt at something: how it failed, or that it went well. */
interface TroubleListener {
  met(failure: { error: TaskError }): void;
  passed(): void;
}

interface RepeatOptions {
  signal: AbortSignal;
  clock: Pick<Clock, "sleep">;
  /** Without it the loop rejects with the first failure. */
  onFailure?: { trouble: TroubleListener; pauseMs: number };
}

/** Calls `step` until the signal aborts. The step returns how many milliseconds to sleep before the next; 0 is none. */
export async function repeat(
  step: () => number | Promise<number>,
  { signal, clock, onFailure }: RepeatOptions,
): Promise<void> {
  while (!signal.aborted) {
    const pauseMs = onFailure ? ((await tried(onFailure.trouble, step)) ?? onFailure.pauseMs) : await step();
    if (pauseMs > 0 && !signal.aborted) await clock.sleep(pauseMs, signal);
  }
}

/** The value of `work`; undefined, and `trouble` knows why, when it fails. */
export async function tried<T>(trouble: TroubleListener, work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    const value = await work();
    trouble.passed();
    return value;
  } catch (error) {
    trouble.met({ error: toTaskError(error) });
    return undefined;
  }
}
