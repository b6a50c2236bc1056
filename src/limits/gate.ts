/** At most so many calls at once; the others wait their turn, in order. */

export interface Gate {
  /** Runs `work` when there is room for it. Who waits leaves the line when `signal` aborts: it rejects with its reason. */
  pass<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** How many run now. */
  active(): number;
  readonly limit: number;
}

export function createGate(limit: number): Gate {
  // In the order in which they came; a set, so that one in the middle leaves at no cost.
  const waiting = new Set<() => void>();
  let active = 0;

  const turn = (signal: AbortSignal | undefined): Promise<void> => {
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
    pass: async (work, signal) => {
      signal?.throwIfAborted();
      // Who leaves hands the place on, so that nobody who comes just then takes it.
      if (active >= limit) await turn(signal);
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
