/** Time that a test owns: it stands still until the test moves it on. */

import type { Clock } from "../../src/limits/clock.ts";

export interface FakeClock extends Clock {
  /** How many sleeps are not over yet. */
  sleepers(): number;
  /** Moves time on by `ms`; each sleep that ends by then ends at its own moment, before later ones. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock forward by `ms`, or back; no time passes. */
  set(ms: number): void;
}

interface Sleeper {
  untilMs: number;
  wake(): void;
}

export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let passedMs = 0;
  let originMs = startMs;
  const sleepers = new Set<Sleeper>();

  const earliest = (untilMs: number): Sleeper | undefined =>
    [...sleepers].filter((sleeper) => sleeper.untilMs <= untilMs).sort((a, b) => a.untilMs - b.untilMs)[0];

  return {
    nowMs: () => originMs + passedMs,
    monotonicMs: () => passedMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const wake = (): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper = { untilMs: passedMs + ms, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", wake);
      }),
    sleepers: () => sleepers.size,
    advance: async (ms) => {
      const endMs = passedMs + ms;
      for (let next = earliest(endMs); next; next = earliest(endMs)) {
        passedMs = next.untilMs;
        next.wake();
        await turnOfTheLoop();
      }
      passedMs = endMs;
    },
    set: (ms) => {
      originMs += ms;
    },
  };
}

/** What was woken runs as far as it gets without time or I/O; it may have gone to sleep again. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
