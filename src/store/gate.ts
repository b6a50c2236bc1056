/** At most so many calls at once; the others wait their turn, in order. */

export interface Gate {
  /** Runs `work` when there is room for it. */
  pass<T>(work: () => Promise<T>): Promise<T>;
  /** How many run now. */
  active(): number;
  readonly limit: number;
}

export function createGate(limit: number): Gate {
  const waiting: (() => void)[] = [];
  let active = 0;
  return {
    limit,
    active: () => active,
    pass: async (work) => {
      // Who leaves hands the place on, so that nobody who comes just then takes it.
      if (active >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
      else active += 1;
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next) next();
        else active -= 1;
      }
    },
  };
}
