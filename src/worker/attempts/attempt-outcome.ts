/** What an attempt on a thread counts as, by how it or its thread ended. Pure. */

import type { Failure } from "../../words/errors.ts";
import type { Outcome } from "../../words/retry.ts";
import type { CancelReason, RunEnd } from "../threads/thread-messages.ts";

/** How an attempt ended that succeeded in nothing. */
export type Unfinished = Exclude<Outcome, { kind: "succeeded" }>;

/** A handler that ends after its signal ends as what it was signalled for, whatever it returned or threw. */
export function outcomeOfEnd(end: RunEnd, signalledFor: Unfinished | undefined): Outcome {
  if (signalledFor) return signalledFor;
  if (end.kind === "returned") return { kind: "succeeded", result: end.result };
  const { error, fatal, retryAfterMs } = end;
  return { kind: "failed", error, fatal, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** Of an attempt whose thread the pool has ended: what was not signalled was in the way, and no more. */
export function outcomeOfEviction(signalledFor: Unfinished | undefined, reason: string): Unfinished {
  return signalledFor ?? interrupted(reason);
}

/**
 * Of an attempt whose thread ended by itself. What was signalled had its end coming. Of the others, one that was alone
 * on the thread did it; of several, each may have.
 */
export function outcomeOfCrash(signalledFor: Unfinished | undefined, isOnly: boolean, reason: string): Unfinished {
  if (signalledFor) return signalledFor;
  if (!isOnly) return { ...interrupted(reason), isSuspect: true };
  return { kind: "crashed", error: { type: "crashed", message: `the handler ended its thread: ${reason}` } };
}

export function signalled(reason: CancelReason): Unfinished {
  switch (reason) {
    case "timed_out":
      return { kind: "timed_out", error: { type: "timed_out", message: "the attempt did not end by its deadline" } };
    case "lease_lost":
      return { kind: "lease_lost", error: { type: "lease_lost", message: "another worker may run the task now" } };
    case "canceled":
      return { kind: "canceled", error: { type: "canceled", message: "the task was canceled while it ran" } };
    case "aborted":
      return interrupted("the worker stops");
  }
}

/** Cut short, and no suspect of anything. */
export function interrupted(reason: string): Extract<Outcome, { kind: "interrupted" }> {
  const error: Failure = { type: "interrupted", message: `cut short through no fault of its own: ${reason}` };
  return { kind: "interrupted", isSuspect: false, error };
}
