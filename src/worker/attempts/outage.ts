/**
 * What the worker does while the store takes nothing, as with a full disk: calls for what is in hand are repeated, and
 * while any is, the receive loop takes no more. So an outcome is not lost and its handler does not run again, and a
 * message does not use up its receives. What waits is bounded by what was in hand when it began.
 *
 * Outcomes go before claims: the lease of an attempt that has ended may be over by then, and a claim of the same task,
 * had it the first turn, would run it again.
 */

import type { Clock } from "../../limits/clock.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import { TaskError, toTaskError } from "../../words/errors.ts";

const firstPauseMs = 250;
const longestPauseMs = 5000;
/** How long an outcome is still repeated once the worker stops. */
const settleLimitMs = 5000;

export interface Outage {
  /** Whether a call is being repeated. */
  isOn(): boolean;
  /** Commits an outcome; rejects with the store's error some seconds into a drain. */
  commit<T>(call: () => Promise<T>): Promise<T>;
  /** Claims; rejects in a drain. Calls `keep` before each pause, so that the message stays hidden. */
  claim<T>(call: () => Promise<T>, keep: () => Promise<void>): Promise<T>;
  /** The worker stops: nothing is repeated for long any more. */
  drain(): void;
}

export interface OutageDeps {
  clock: Clock;
  log: Logger;
  /** What `keep` hides a message for; every pause is shorter. */
  leaseMs: number;
}

export function createOutage({ clock, log, leaseMs }: OutageDeps): Outage {
  const draining = new AbortController();
  const repeated = { outcomes: 0, claims: 0 };
  let beganAtMs = 0;
  const isOn = (): boolean => repeated.outcomes + repeated.claims > 0;

  /** Gives what the first try gave; after one that failed, counts what repeats it. */
  const repeatedly = async <T>(
    kind: keyof typeof repeated,
    tried: Tried<T>,
    repeating: () => Promise<T>,
  ): Promise<T> => {
    if ("value" in tried) return tried.value;
    if (!isOn()) {
      beganAtMs = clock.monotonicMs();
      log.warn("the store takes nothing, no message is received until it does", { error: tried.error });
    }
    repeated[kind] += 1;
    try {
      return await repeating();
    } finally {
      repeated[kind] -= 1;
      if (!isOn())
        log.info("nothing waits for the store any more", { elapsed_ms: Math.round(clock.monotonicMs() - beganAtMs) });
    }
  };

  /** Twice as long each time. In a drain the signal is over, and cannot cut a pause short any more. */
  const pause = (tries: number): Promise<void> => {
    if (draining.signal.aborted) return clock.sleep(firstPauseMs);
    const pauseMs = Math.min(firstPauseMs * 2 ** (tries - 1), longestPauseMs, leaseMs / 3);
    return clock.sleep(pauseMs, draining.signal);
  };

  const tryOnce = async <T>(call: () => Promise<T>): Promise<Tried<T>> => {
    try {
      return { value: await call() };
    } catch (thrown) {
      const error = toTaskError(thrown);
      if (error.code !== "unavailable") throw error;
      return { error };
    }
  };

  const repeatOutcome = async <T>(call: () => Promise<T>): Promise<T> => {
    let giveUpAtMs = Number.POSITIVE_INFINITY;
    for (let tries = 1; ; tries++) {
      if (draining.signal.aborted) giveUpAtMs = Math.min(giveUpAtMs, clock.monotonicMs() + settleLimitMs);
      await pause(tries);
      const tried = await tryOnce(call);
      if ("value" in tried) return tried.value;
      if (clock.monotonicMs() >= giveUpAtMs) throw tried.error;
    }
  };

  const repeatClaim = async <T>(call: () => Promise<T>, keep: () => Promise<void>): Promise<T> => {
    for (let tries = 1; !draining.signal.aborted; tries++) {
      await keep();
      await pause(tries);
      if (draining.signal.aborted || repeated.outcomes > 0) continue;
      const tried = await tryOnce(call);
      if ("value" in tried) return tried.value;
    }
    throw notNow();
  };

  return {
    isOn,
    commit: async (call) => repeatedly("outcomes", await tryOnce(call), () => repeatOutcome(call)),
    claim: async (call, keep) => {
      const tried = repeated.outcomes > 0 ? { error: notNow() } : await tryOnce(call);
      return repeatedly("claims", tried, () => repeatClaim(call, keep));
    },
    drain: () => draining.abort(),
  };
}

/** What the call gave, or the `unavailable` that it was refused with. */
type Tried<T> = { value: T } | { error: TaskError };

function notNow(): TaskError {
  return new TaskError("unavailable", "the store takes no claim now");
}
