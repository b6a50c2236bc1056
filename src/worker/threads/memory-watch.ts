/**
 * Keeps the process below its memory limit, which no runtime enforces on a thread. Above it no task is taken, and the
 * threads are replaced one after the other: what a handler keeps goes with its thread. When even that does not help,
 * one task at a time is run rather than none for ever.
 *
 * Measured with handlers that keep 200 MB in a global array, on Bun 1.4.5: the thread's end gives it back to the system
 * by itself, buffers and arrays of numbers within 0.3 s, small objects within 2 s, and no `Bun.gc` is needed. Deno 2.9
 * gives back buffers and arrays at once, and of small objects it keeps up to 250 MB to use them again.
 */

import type { Clock } from "../../limits/clock.ts";
import { repeat } from "../../limits/repeat.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import type { ThreadPool } from "./pool.ts";

export interface MemoryWatchDeps {
  pool: Pick<ThreadPool, "intake" | "threadIds" | "recycle">;
  clock: Clock;
  log: Logger;
  limitBytes: number;
  residentBytes: () => number;
}

export interface MemoryWatch {
  /** The limit was exceeded, and the memory is not well below it yet. */
  isAbove(): boolean;
  /** Looks until the signal aborts. */
  loop(signal: AbortSignal): Promise<void>;
}

const everyMs = 1000;
/** As long as the memory of an ended thread takes to come back, so that it is seen before the next thread's turn. */
const everyAboveMs = 2000;
/** Work is taken again below this share of the limit. */
const wellBelow = 0.9;
/** After all threads were replaced they are again when the memory has grown by this share of the limit. */
const growth = 0.1;

/** From the moment that the limit is exceeded until the memory is well below it. */
interface Pressure {
  /** Threads still to be replaced. */
  left: readonly number[];
  isSingle: boolean;
  /** When all were replaced: replace all again above this. */
  againAboveBytes: number;
}

export function createMemoryWatch({ pool, clock, log, limitBytes, residentBytes }: MemoryWatchDeps): MemoryWatch {
  let pressure: Pressure | undefined;

  const look = (): void => {
    const bytes = residentBytes();
    if (!pressure) {
      if (bytes > limitBytes) pressure = press(bytes);
    } else if (bytes < wellBelow * limitBytes) relax(bytes);
    else if (pressure.left.length > 0) pressure.left = pool.recycle(pressure.left);
    else if (!pressure.isSingle) goOnSingly(pressure, bytes);
    else if (bytes > pressure.againAboveBytes) replaceAllAgain(pressure, bytes);
  };

  const press = (bytes: number): Pressure => {
    pool.intake.setMode("closed");
    log.warn("memory is above its limit, no task is taken and threads are replaced", figures(bytes));
    return { left: pool.recycle(pool.threadIds()), isSingle: false, againAboveBytes: 0 };
  };

  const relax = (bytes: number): void => {
    pressure = undefined;
    pool.intake.setMode("open");
    log.info("memory is below its limit again, tasks are taken", figures(bytes));
  };

  const goOnSingly = (state: Pressure, bytes: number): void => {
    state.isSingle = true;
    state.againAboveBytes = nextRoundBytes(bytes);
    pool.intake.setMode("single");
    log.error("memory stays high though every thread was replaced, tasks run one at a time", figures(bytes));
  };

  const replaceAllAgain = (state: Pressure, bytes: number): void => {
    state.left = pool.recycle(pool.threadIds());
    state.againAboveBytes = nextRoundBytes(bytes);
  };

  const nextRoundBytes = (bytes: number): number => Math.max(bytes, limitBytes) + growth * limitBytes;

  const figures = (bytes: number) => ({ rss_bytes: bytes, limit_bytes: limitBytes });

  return {
    isAbove: () => pressure !== undefined,
    loop: (signal) => {
      const step = (): number => {
        look();
        return pressure ? everyAboveMs : everyMs;
      };
      return repeat(step, { signal, clock });
    },
  };
}
