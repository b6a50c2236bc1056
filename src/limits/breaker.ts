/**
 * A circuit breaker around the calls to one other side. After five failures in a row that mean "it is away", no
 * call waits for it any more: calls are refused at once, until a pause is over and one call, the trial, finds it there again.
 * Keeps to itself which library does it. Promises that the errors of a call that was made come out as they are.
 */

import {
  BrokenCircuitError,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleAll,
  type IHalfOpenAfterBackoffContext,
} from "cockatiel";
import { TaskError } from "../words/errors.ts";
import { type Clock, systemClock } from "./clock.ts";

export type BreakerState = "closed" | "half_open" | "open";

interface BreakerOptions {
  /** As metrics and log lines have it: `task-service`. */
  name: string;
  /** The side that is away when it is open, for the error: `the task service`. */
  side: string;
  /** Calls are refused from now on; with the failure that decided it. Not called again when a trial fails. */
  onOpened?(error: unknown): void;
  /** A trial succeeded. */
  onClosed?(): void;
  clock?: Clock;
}

interface GuardOptions {
  /** Which errors mean that the other side is away; else those with the code `unavailable` or `deadline_exceeded`. */
  isAway?(error: unknown): boolean;
  /**
   * For a call that is held on purpose: a short one to the same side, made first while the breaker is not closed, so
   * that it is the trial. All others are refused for as long as a trial takes.
   */
  probe?(): Promise<unknown>;
}

export interface Breaker {
  readonly name: string;
  state(): BreakerState;
  /** Rejects with `unavailable`, and without `work`, while the other side is away. */
  call<T>(work: () => Promise<T>, options?: GuardOptions): Promise<T>;
  /** The other side has answered a call that was not made through here: it is there, whatever the breaker thought. */
  answered(): void;
}

/** Failures in a row that open it. */
const failuresToOpen = 5;
/**
 * The pause before the first trial; twice as long after each trial that fails, up to the longest. That is short, because
 * a trial is one call, and every pause after the other side is back costs each task of that time its prompt start.
 */
const firstPauseMs = 1000;
const longestPauseMs = 2000;

/** The library would count the pause on the wall clock, which can be set: it is counted here, and over for the library. */
const pauseIsOver = Number.NEGATIVE_INFINITY;

const states: Record<CircuitState, BreakerState> = {
  [CircuitState.Closed]: "closed",
  [CircuitState.HalfOpen]: "half_open",
  [CircuitState.Open]: "open",
  [CircuitState.Isolated]: "open",
};

export function createBreaker({ name, side, onOpened, onClosed, clock = systemClock }: BreakerOptions): Breaker {
  const failures = new ConsecutiveBreaker(failuresToOpen);
  let trialAtMs = 0;
  let isAnnounced = false;
  /** Grows with each opening and closing: a call begun before says nothing of what is now. */
  let era = 0;

  const halfOpenAfter = new DelegateBackoff(({ attempt }: IHalfOpenAfterBackoffContext) => {
    trialAtMs = clock.monotonicMs() + Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
    return pauseIsOver;
  });
  const policy = circuitBreaker(handleAll, { breaker: failures, halfOpenAfter });
  policy.onBreak((reason) => {
    era += 1;
    if (isAnnounced || !("error" in reason)) return;
    isAnnounced = true;
    onOpened?.(reason.error);
  });
  policy.onReset(() => {
    era += 1;
    isAnnounced = false;
    onClosed?.();
  });

  const call = async <T>(work: () => Promise<T>, options: GuardOptions = {}): Promise<T> => {
    const { isAway = hasNoAnswer, probe } = options;
    if (probe && policy.state !== CircuitState.Closed) await call(probe, { isAway });
    // The library would let everybody wait for the trial.
    if (policy.state === CircuitState.HalfOpen) throw refused();
    if (policy.state === CircuitState.Open && clock.monotonicMs() < trialAtMs) throw refused();
    const begun = era;
    const answer = await policy.execute(() => answerOf(work, (error) => begun === era && isAway(error))).catch(toOurs);
    if ("refusal" in answer) throw answer.refusal;
    return answer.value;
  };

  const toOurs = (error: unknown): never => {
    throw error instanceof BrokenCircuitError ? refused() : error;
  };

  const refused = (): TaskError => {
    const isOpen = policy.state === CircuitState.Open;
    // How long a trial that is under way will take is not known.
    const retryAfterMs = isOpen ? Math.max(1, Math.ceil(trialAtMs - clock.monotonicMs())) : firstPauseMs;
    return toRefusal(side, retryAfterMs, policy.lastFailure);
  };

  return {
    name,
    state: () => states[policy.state],
    call,
    answered: () => {
      if (policy.state === CircuitState.Closed) return;
      failures.success();
      // The library's way to close it by hand.
      policy.isolate().dispose();
    },
  };
}

function toRefusal(side: string, retryAfterMs: number, lastFailure: object | undefined): TaskError {
  return new TaskError("unavailable", `${side} does not answer, calls to it are refused for now`, {
    retryAfterMs,
    ...(lastFailure && "error" in lastFailure && { cause: lastFailure.error }),
  });
}

/** What a call came to: an error, too, is an answer when it shows that the other side is there. */
type Answer<T> = { value: T } | { refusal: unknown };

/** Throws only what counts against the other side; the library sees a success in everything else. */
async function answerOf<T>(work: () => Promise<T>, isAway: (error: unknown) => boolean): Promise<Answer<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (isAway(error)) throw error;
    return { refusal: error };
  }
}

function hasNoAnswer(error: unknown): boolean {
  return error instanceof TaskError && (error.code === "unavailable" || error.code === "deadline_exceeded");
}
