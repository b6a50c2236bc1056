/** Tells how large the write-ahead log of the store is: as a metric, and in the log when a reader makes it large. */

import type { Clock } from "../limits/clock.ts";
import { largeLogBytes, logBytes, lookAtLogEveryMs, usualLogBytes } from "../store/sqlite/schema.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { instruments } from "../telemetry/metrics/instruments.ts";
import type { Meter } from "../telemetry/metrics/meter.ts";

export interface LogWatchDeps {
  /** Where the database is. */
  folder: string;
  meter: Meter;
  log: Logger;
  clock: Clock;
}

/** Looks until `signal` aborts. */
export async function watchWriteAheadLog({ folder, meter, log, clock }: LogWatchDeps, signal: AbortSignal) {
  meter.observe(instruments.storeLogSize, (observe) => observe(logBytes(folder)));
  let isLarge = false;
  while (!signal.aborted) {
    const bytes = logBytes(folder);
    if (!isLarge && bytes > largeLogBytes) {
      isLarge = true;
      log.warn("the write-ahead log grows while a program reads the database in one long transaction", { bytes });
    } else if (isLarge && bytes <= usualLogBytes) {
      isLarge = false;
      log.info("the write-ahead log has its usual size again", { bytes });
    }
    await clock.sleep(lookAtLogEveryMs, signal);
  }
}
