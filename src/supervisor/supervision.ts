/** What every supervised part has of the process around it, and how long it may take. */

import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { within } from "../health.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

export interface Supervision {
  /** With the real addresses of all that has started. */
  config(): Config;
  telemetry: Telemetry;
  clock: Clock;
  /** Aborted when the process begins to stop. */
  stopping: AbortSignal;
  /** Whether a part that ends is started again: not in the first start, whose caller is told, and not in a stop. */
  mayRestart(): boolean;
}

export const firstRestartDelayMs = 100;
/** What an aborted part may still take: outcomes given back, telemetry sent. */
export const abortLimitMs = 8000;

/** True when `work` is done within `limitMs`; what it throws counts as done. */
export async function isDoneWithin(limitMs: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const done = Promise.resolve(work).then(
    () => true,
    () => true,
  );
  return within(limitMs, done, false);
}
