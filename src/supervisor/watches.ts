/** What the supervisor watches in its process: open files, and the write-ahead log of the store. Each is logged when it becomes a problem and when it is solved. */

import { closeSync, openSync } from "node:fs";
import { lowOpenFileLimit, openFileCount, openFileLimit, watchFiles } from "../host/open-files.ts";
import type { Clock } from "../limits/clock.ts";
import { repeat } from "../limits/repeat.ts";
import { largeLogBytes, logBytes, lookAtLogEveryMs, usualLogBytes } from "../store/sqlite/schema.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { instruments } from "../telemetry/metrics/instruments.ts";
import type { Meter } from "../telemetry/metrics/meter.ts";

/** Connections that come and go at the limit are one occasion, which ends after so long a calm. */
const calmMs = 10_000;
/** Of the limit, and at most. */
const heldShare = 1 / 16;
const mostHeld = 64;
/** Every listener has looked and closed by then. */
const untilClosedMs = 250;

export function watchOpenFiles(log: Logger): Disposable {
  const limit = openFileLimit();
  const figures = (): Record<string, number> => ({ open_files: openFileCount(), limit });
  if (limit < lowOpenFileLimit) {
    log.warn("the limit of open files is low, each connection and each thread needs some", {
      limit,
      recommended: lowOpenFileLimit,
    });
  }
  const held = Number.isFinite(limit) ? holdFiles(Math.min(mostHeld, Math.floor(limit * heldShare))) : undefined;
  let isTold = false;
  let calm: ReturnType<typeof setTimeout> | undefined;
  const watch = watchFiles("outer", {
    onScarce: () => {
      clearTimeout(calm);
      held?.letGoSoon();
      if (isTold) return;
      isTold = true;
      log.error("few file descriptors are left, new connections are refused until others have closed", figures());
    },
    onRoom: () => {
      held?.take();
      calm = setTimeout(() => {
        isTold = false;
        log.info("there are enough file descriptors again, connections are taken", figures());
      }, calmMs);
      calm.unref();
    },
  });
  return {
    [Symbol.dispose]: () => {
      clearTimeout(calm);
      watch[Symbol.dispose]();
      held?.letGo();
    },
  };
}

/** Holds `count` file descriptors while they are not needed. */
function holdFiles(count: number) {
  const held: number[] = [];
  let letting: ReturnType<typeof setTimeout> | undefined;
  const letGo = (): void => {
    clearTimeout(letting);
    for (const descriptor of held.splice(0)) closeSync(descriptor);
  };
  const take = (): void => {
    clearTimeout(letting);
    try {
      while (held.length < count) held.push(openSync("/dev/null", "r"));
    } catch {
      // None is left for now; those that are held already stay.
    }
  };
  take();
  return {
    take,
    letGo,
    letGoSoon: () => {
      letting = setTimeout(letGo, untilClosedMs);
    },
  };
}

interface LogWatchDeps {
  /** Where the database is. */
  folder: string;
  meter: Meter;
  log: Logger;
  clock: Clock;
}

/** Looks until `signal` aborts. */
export function watchWriteAheadLog({ folder, meter, log, clock }: LogWatchDeps, signal: AbortSignal): Promise<void> {
  meter.observe(instruments.storeLogSize, (observe) => observe(logBytes(folder)));
  let isLarge = false;
  const look = (): number => {
    const bytes = logBytes(folder);
    if (!isLarge && bytes > largeLogBytes) {
      isLarge = true;
      log.warn("the write-ahead log grows while a program reads the database in one long transaction", { bytes });
    } else if (isLarge && bytes <= usualLogBytes) {
      isLarge = false;
      log.info("the write-ahead log has its usual size again", { bytes });
    }
    return lookAtLogEveryMs;
  };
  return repeat(look, { signal, clock });
}
