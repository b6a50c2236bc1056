/**
 * What runs on one thread: the deadline of each attempt, its signal, and the grace in which its handler may obey. One
 * timer serves them all: it is set for the first that is due, and set anew when it has fired.
 */

import type { Failure } from "../../words/errors.ts";
import type { Outcome } from "../../words/retry.ts";
import { signalled, type Unfinished } from "../attempts/attempt-outcome.ts";
import type { CancelReason, Run, SignalReason, ToHandlerThread } from "./thread-messages.ts";

export interface RunRequest {
  run: Run;
  /** JSON text. */
  payload: string;
  timeoutMs: number;
  /** No other task beside it on its thread. */
  isAlone: boolean;
  listener: RunListener;
}

export interface RunResult {
  outcome: Outcome;
  durationMs: number;
}

/** Of many runs, which it knows by their numbers. */
export interface RunListener {
  /** Called once for each run, when its handler has stopped. */
  onEnded(number: number, result: RunResult): void;
  /** Called each time the handler says how far it is, from 0 to 1. */
  onProgress(number: number, share: number): void;
}

/** An attempt on a thread. Times are of the monotonic clock. */
export interface ThreadRun {
  readonly request: RunRequest;
  readonly beganMs: number;
  /** Its deadline; once it was signalled, the end of its grace. */
  dueAtMs: number;
  /** How it ends because of its signal, if it was signalled. */
  signalledFor: Unfinished | undefined;
  /** It was signalled, and its grace is over. */
  isOverdue: boolean;
}

export interface ThreadRunsEvents {
  post(message: ToHandlerThread): void;
  /** A run has not ended within the grace after its signal. */
  onOverdue(run: ThreadRun): void;
}

/** How long a handler has to end after its signal. */
export const graceMs = 2000;
/** Timers count in 32 bits, 24 days; one above that would fire at once. */
const maxTimerMs = 2 ** 31 - 1;

export class ThreadRuns {
  readonly running = new Map<number, ThreadRun>();
  /** Those of them that were signalled. */
  readonly signalled = new Set<ThreadRun>();
  readonly #events: ThreadRunsEvents;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #firesAtMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(events: ThreadRunsEvents) {
    this.#events = events;
  }

  /** Sends it to the thread. */
  start(request: RunRequest): void {
    const beganMs = performance.now();
    const dueAtMs = beganMs + request.timeoutMs;
    const { run, payload } = request;
    this.running.set(run.number, { request, beganMs, dueAtMs, signalledFor: undefined, isOverdue: false });
    this.#events.post({ kind: "run", run, payload });
    this.#watch(dueAtMs);
  }

  cancel(number: number, reason: CancelReason): void {
    const run = this.running.get(number);
    // Called off by its user, it is not tried again, even if its deadline came first.
    if (run?.signalledFor && reason === "canceled") run.signalledFor = signalled(reason);
    else if (run) this.#signal(run, reason, signalled(reason));
  }

  /** An error of it was caught by no code: it is signalled, and ends as `crashed` with this error. */
  crash(number: number, error: Failure): void {
    const run = this.running.get(number);
    if (run) this.#signal(run, "crashed", { kind: "crashed", error });
  }

  /** Takes the run off its thread and gives its outcome; false when it is not there. */
  end(number: number, outcomeOf: (signalledFor: Unfinished | undefined) => Outcome): boolean {
    const run = this.running.get(number);
    if (!run) return false;
    this.running.delete(number);
    this.signalled.delete(run);
    const durationMs = performance.now() - run.beganMs;
    run.request.listener.onEnded(number, { outcome: outcomeOf(run.signalledFor), durationMs });
    return true;
  }

  report(number: number, share: number): void {
    this.running.get(number)?.request.listener.onProgress(number, share);
  }

  /** The thread has ended: nothing is due and nothing is signalled any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #signal(run: ThreadRun, reason: SignalReason, outcome: Unfinished): void {
    if (run.signalledFor || this.#isClosed) return;
    run.signalledFor = outcome;
    run.dueAtMs = performance.now() + graceMs;
    this.signalled.add(run);
    this.#events.post({ kind: "cancel", number: run.request.run.number, reason });
    this.#watch(run.dueAtMs);
  }

  #watch(dueAtMs: number): void {
    if (dueAtMs >= this.#firesAtMs || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#firesAtMs = dueAtMs;
    this.#timer = setTimeout(this.#look, Math.min(Math.max(0, dueAtMs - performance.now()), maxTimerMs));
  }

  readonly #look = (): void => {
    this.#firesAtMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    for (const run of [...this.running.values()]) {
      if (run.dueAtMs > nowMs) this.#watch(run.dueAtMs);
      else if (!run.signalledFor) this.#signal(run, "timed_out", signalled("timed_out"));
      else if (!run.isOverdue) {
        run.isOverdue = true;
        run.dueAtMs = Number.POSITIVE_INFINITY;
        this.#events.onOverdue(run);
      }
    }
  };
}
