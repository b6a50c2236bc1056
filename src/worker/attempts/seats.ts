/**
 * How many more tasks may be taken. A seat is reserved before a message is received and given up when its task starts,
 * or is not run after all: so no more is claimed than can start at once.
 */

/** `single`: one task at a time. */
type Intake = "open" | "single" | "closed";

export interface Seats {
  /** How many more tasks may be taken now. */
  free(): number;
  /** Resolves when `free()` is above 0, or at once when the signal aborts. */
  whenFree(signal: AbortSignal): Promise<void>;
  reserve(count: number): void;
  release(count: number): void;
  /** A reserved seat is taken by a task that runs or waits from now on. */
  use(): void;
  setIntake(intake: Intake): void;
  /** To be called when there may be more room. */
  wake(): void;
}

export interface Room {
  /** How many more tasks would start at once. */
  vacant(): number;
  /** How many run or wait. */
  taken(): number;
}

export function createSeats(room: Room): Seats {
  const sleepers = new Set<() => void>();
  let reserved = 0;
  let intake: Intake = "open";

  const free = (): number => {
    const vacant = Math.max(0, room.vacant() - reserved);
    switch (intake) {
      case "open":
        return vacant;
      case "single":
        return room.taken() + reserved > 0 ? 0 : Math.min(1, vacant);
      case "closed":
        return 0;
    }
  };

  const wake = (): void => {
    if (sleepers.size > 0 && free() > 0) for (const sleeper of sleepers) sleeper();
  };

  const leave = (count: number): void => {
    reserved = Math.max(0, reserved - count);
  };

  return {
    free,
    whenFree: (signal) =>
      new Promise((resolve) => {
        if (free() > 0 || signal.aborted) return resolve();
        const rise = (): void => {
          sleepers.delete(rise);
          signal.removeEventListener("abort", rise);
          resolve();
        };
        sleepers.add(rise);
        signal.addEventListener("abort", rise);
      }),
    reserve: (count) => {
      reserved += count;
    },
    release: (count) => {
      leave(count);
      wake();
    },
    use: () => leave(1),
    setIntake: (next) => {
      intake = next;
      wake();
    },
    wake,
  };
}
