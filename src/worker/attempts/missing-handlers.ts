/**
 * The task types that this worker has received and has no handler for: their tasks go back without a claim, and wait for
 * a worker that has one, such as the next version's in a rolling deploy. Told once for each type and now and then, and in
 * the health for as long as such tasks come.
 */

import type { Check } from "../../http/health.ts";
import type { Clock } from "../../limits/clock.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import { createTrouble, type Trouble } from "../../telemetry/trouble.ts";

export interface MissingHandlers {
  /** A task of this type was put off; `about`: the logger with its ids. */
  met(type: string, about: Logger): void;
  /** The check of the health; undefined when there is nothing to tell. */
  check(): Check | undefined;
}

export interface MissingHandlersDeps {
  clock: Clock;
  log: Logger;
  /** A type may have got its handler since. */
  hasHandler(type: string): boolean;
}

/** Longer than the pause after which a task that was put off is sent again. */
const recentMs = 150_000;
/** Types that are logged at once; their names are chosen by the senders of tasks. */
const maxTypes = 50;

interface Missing {
  trouble: Trouble;
  metAtMs: number;
}

export function createMissingHandlers({ clock, log, hasHandler }: MissingHandlersDeps): MissingHandlers {
  const missing = new Map<string, Missing>();

  const forgetOld = (): void => {
    for (const [type, { trouble, metAtMs }] of missing) {
      if (clock.monotonicMs() - metAtMs < recentMs && !hasHandler(type)) continue;
      missing.delete(type);
      trouble.passed();
    }
  };

  const begin = (type: string): Missing | undefined => {
    if (missing.size >= maxTypes) return undefined;
    const trouble = createTrouble({
      log: log.with({ task_type: type }),
      nowMs: () => clock.monotonicMs(),
      msg: "no handler for this type here, its tasks wait for a worker that has one",
      over: "no task of this type waits for a handler any more",
    });
    const met = { trouble, metAtMs: 0 };
    missing.set(type, met);
    return met;
  };

  return {
    met: (type, about) => {
      const known = missing.get(type);
      if (!known) forgetOld();
      const met = known ?? begin(type);
      if (!met) return;
      met.metAtMs = clock.monotonicMs();
      met.trouble.met({}, about);
    },
    check: () => {
      forgetOld();
      if (missing.size === 0) return undefined;
      return { status: "degraded", missing: [...missing.keys()].sort().join(", ") };
    },
  };
}
