/**
 * An attempt on a thread: its deadline, its signal, and the grace in which a handler may obey. Owns the attempt's timer
 * and its ear for the signal from start to outcome.
 */

import { preciseNowMs } from "../../telemetry/spans/span-start.ts";
import type { Failure } from "../../words/errors.ts";
import type { Outcome } from "../../words/retry.ts";
import { signalled, type Unfinished } from "../attempts/attempt-outcome.ts";
import type { CancelReason, Run, SignalReason, ToHandlerThread } from "./thread-messages.ts";

export interface RunRequest {
  run: Omit<Run, "number">;
  timeoutMs: number;
  /** No other task beside it on its thread. */
  isAlone: boolean;
  /** Aborts the attempt; its reason, a `CancelReason`, says why. */
  signal: AbortSignal;
  /** Told each time the handler says how far it is, from 0 to 1. */
  onProgress?: (share: number) => void;
}

export interface RunResult {
  outcome: Outcome;
  durationMs: number;
}

/** How long a handler has to end after its signal. */
export const graceMs = 2000;
/** Timers count in 32 bits, 24 days; one above that would fire at once. */
const maxTimerMs = 2 ** 31 - 1;

export interface Attempt {
  readonly run: Run;
  readonly startMs: number;
  /** How it ends because of its signal, if it was signalled. */
  signalledFor(): Unfinished | undefined;
  /** It was signalled, and its grace is over. */
  isOverdue(): boolean;
  /** How far its handler says that it is. */
  say(share: number): void;
  /** An error of it was caught by no code: it is signalled, and ends as `crashed` with this error. */
  crash(error: Failure): void;
  /** Its thread has ended: no timer, no signal any more. The outcome follows. */
  close(): void;
  /** The one outcome. */
  settle(outcome: Outcome): void;
}

export interface AttemptEvents {
  post(message: ToHandlerThread): void;
  onSignalled(attempt: Attempt): void;
  onOverdue(): void;
  onSettled(result: RunResult): void;
}

/** Sends it to the thread. */
export function startAttempt(number: number, request: RunRequest, events: AttemptEvents): Attempt {
  const { signal: canceling, timeoutMs } = request;
  const run: Run = { ...request.run, number };
  const startMs = preciseNowMs();
  const beganMs = performance.now();
  let signalledFor: Unfinished | undefined;
  let isOverdue = false;

  const cancel = (reason: CancelReason): void => {
    // Called off by its user, it is not tried again, even if its deadline came first.
    if (signalledFor && reason === "canceled") signalledFor = signalled(reason);
    else signal(reason, signalled(reason));
  };

  const signal = (reason: SignalReason, outcome: Unfinished): void => {
    if (signalledFor) return;
    signalledFor = outcome;
    clearTimeout(timer);
    events.post({ kind: "cancel", number, reason });
    events.onSignalled(attempt);
    timer = setTimeout(() => {
      isOverdue = true;
      events.onOverdue();
    }, graceMs);
  };
  const onAbort = (): void => cancel(canceling.reason);
  let timer = setTimeout(() => cancel("timed_out"), Math.min(timeoutMs, maxTimerMs));
  const close = (): void => {
    clearTimeout(timer);
    canceling.removeEventListener("abort", onAbort);
  };

  const attempt: Attempt = {
    run,
    startMs,
    signalledFor: () => signalledFor,
    isOverdue: () => isOverdue,
    say: (share) => request.onProgress?.(share),
    crash: (error) => signal("crashed", { kind: "crashed", error }),
    close,
    settle: (outcome) => {
      close();
      events.onSettled({ outcome, durationMs: performance.now() - beganMs });
    },
  };
  events.post({ kind: "run", run });
  canceling.addEventListener("abort", onAbort);
  return attempt;
}
