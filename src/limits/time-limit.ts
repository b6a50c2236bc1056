/**
 * Limits of time, on the monotonic clock. `within` is for one piece of work; `createTimeLimit` is one limit for many things
 * at once, such as the calls that wait for an answer. They are over in the order in which they began, so that one timer is
 * enough, where each with a timer of its own would cost more than what it guards.
 */

import { type Clock, systemClock } from "./clock.ts";

export interface TimeLimit {
  /** Calls `onOver` once the limit is over, unless the returned function was called before. */
  start(onOver: () => void): () => void;
}

interface Started {
  overAtMs: number;
  onOver(): void;
}

export function createTimeLimit(limitMs: number, clock: Clock): TimeLimit {
  // In the order in which they began; a set, so that one in the middle leaves at no cost.
  const started = new Set<Started>();
  let watching: AbortController | undefined;

  /** Sleeps until the first limit is over, calls its `onOver`, and goes on until none is left. */
  const watch = async (itself: AbortController): Promise<void> => {
    let reachedMs = clock.monotonicMs();
    for (const first of started) {
      // A timer may fire a fraction of a millisecond early: what was slept for has passed.
      const leftMs = first.overAtMs - Math.max(reachedMs, clock.monotonicMs());
      if (leftMs > 0) await clock.sleep(leftMs, itself.signal);
      if (itself.signal.aborted) return;
      reachedMs = Math.max(reachedMs, first.overAtMs);
      if (started.delete(first)) first.onOver();
    }
    watching = undefined;
  };

  const stopWatching = (): void => {
    // With a reason of its own: to make the usual one, an error, costs more than all the rest.
    watching?.abort("nothing is left to wait for");
    watching = undefined;
  };

  return {
    start: (onOver) => {
      const own = { overAtMs: clock.monotonicMs() + limitMs, onOver };
      started.add(own);
      if (!watching) {
        watching = new AbortController();
        void watch(watching);
      }
      return () => {
        started.delete(own);
        // A process that waits for nothing may end.
        if (started.size === 0) stopWatching();
      };
    },
  };
}

/** The value of `work`, or `late` after `limitMs`; rejects when `work` does. A rejection that comes after the limit is ignored. */
export async function within<T, L>(
  limitMs: number,
  work: Promise<T>,
  late: L,
  clock: Pick<Clock, "sleep"> = systemClock,
): Promise<T | L> {
  const over = new AbortController();
  try {
    return await Promise.race([work, clock.sleep(limitMs, over.signal).then(() => late)]);
  } finally {
    over.abort();
  }
}
