/** Retry or bury: the one pure function that decides what follows from an attempt's outcome, and the back-off. */

import type { Failure } from "./errors.ts";
import type { DeadReason } from "./task.ts";

/** What happened in an attempt. */
export type Outcome =
  | { kind: "succeeded" /** JSON text */; result: string }
  | { kind: "failed"; error: Failure; fatal: boolean; retryAfterMs?: number }
  | { kind: "timed_out"; error: Failure }
  | { kind: "crashed"; error: Failure }
  /** Cut short through no fault of its own: a drain, or another task's crash on the same thread. */
  | { kind: "interrupted"; error: Failure /** It may itself be what crashed the thread. */; isSuspect: boolean }
  | { kind: "lease_lost"; error: Failure }
  /** Its user called the task off while it ran. */
  | { kind: "canceled"; error: Failure };

/** What the worker does about it. */
export type Verdict =
  | { kind: "succeed"; result: string }
  | { kind: "retry"; delayMs: number; error: Failure }
  | { kind: "bury"; reason: DeadReason; error: Failure }
  /** Goes back at once, and the attempt does not count. */
  | { kind: "return"; error: Failure; runsAlone: boolean }
  /** The task has ended and is not needed any more. */
  | { kind: "cancel"; error: Failure }
  /** Another worker owns the task now: nothing is written, nothing is settled. */
  | { kind: "drop" };

export interface RetryPolicy {
  maxAttempts: number;
  baseMs: number;
  capMs: number;
}

/** `random` gives a number in [0, 1): the jitter. */
export function decide(outcome: Outcome, attempt: number, policy: RetryPolicy, random: () => number): Verdict {
  switch (outcome.kind) {
    case "succeeded":
      return { kind: "succeed", result: outcome.result };
    case "interrupted":
      return { kind: "return", error: outcome.error, runsAlone: outcome.isSuspect };
    case "lease_lost":
      return { kind: "drop" };
    case "canceled":
      return { kind: "cancel", error: outcome.error };
    case "failed":
    case "timed_out":
    case "crashed": {
      const { error } = outcome;
      if (outcome.kind === "failed" && outcome.fatal) return { kind: "bury", reason: "fatal", error };
      if (attempt >= policy.maxAttempts) return { kind: "bury", reason: "attempts_exhausted", error };
      const asked = outcome.kind === "failed" ? outcome.retryAfterMs : undefined;
      return { kind: "retry", delayMs: asked ?? backoffMs(attempt, policy, random), error };
    }
  }
}

/**
 * Exponential back-off with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog): evenly
 * between 0 and base × 2^(attempt − 1), never above the cap.
 */
export function backoffMs(attempt: number, policy: RetryPolicy, random: () => number): number {
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
  return Math.floor(random() * ceiling);
}
