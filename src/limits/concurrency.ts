/** Two bounds on work at once: an admission refuses what is too much at once, a semaphore lets it wait for a place. */

import { TaskError } from "../words/errors.ts";

/** Runs `work` if there is room for it; rejects with `resource_exhausted` if not. */
export type Admit = <T>(work: () => Promise<T>) => Promise<T>;

/** A call that is refused now may well find room this much later. */
const retryAfterMs = 1000;

/** At most `limit` at once; `what` they are, in the plural, for the error. */
export function createAdmission(limit: number, what: string): Admit {
  let inProgress = 0;
  return async (work) => {
    if (inProgress >= limit) {
      throw new TaskError("resource_exhausted", `there are ${limit} ${what} already`, { retryAfterMs });
    }
    inProgress += 1;
    try {
      return await work();
    } finally {
      inProgress -= 1;
    }
  };
}

export interface Semaphore {
  /** Runs `work` when a place is free. A caller that waits leaves the queue when `signal` aborts: it rejects with its reason. */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** How many run now. */
  active(): number;
  readonly limit: number;
}

/** At most `limit` at once; the others wait, in the order of their calls. */
export function createSemaphore(limit: number): Semaphore {
  // In the order of their calls; a set, so that one in the middle leaves at no cost.
  const waiting = new Set<() => void>();
  let active = 0;

  const placeFree = (signal: AbortSignal | undefined): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = (): void => {
      waiting.delete(resolve);
      reject(signal?.reason);
    };
    waiting.add(resolve);
    signal?.addEventListener("abort", giveUp);
    return promise.finally(() => signal?.removeEventListener("abort", giveUp));
  };

  return {
    limit,
    active: () => active,
    run: async (work, signal) => {
      signal?.throwIfAborted();
      // A place is handed on to the next that waits, so that no newer caller takes it.
      if (active >= limit) await placeFree(signal);
      else active += 1;
      try {
        return await work();
      } finally {
        const [next] = waiting;
        if (next) {
          waiting.delete(next);
          next();
        } else active -= 1;
      }
    },
  };
}
