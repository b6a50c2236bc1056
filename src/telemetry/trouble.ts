/**
 * A trouble that many calls meet at once, such as a broker that is away: told when it begins, now and then while it
 * lasts, and when it is over, with how often it was met. Every single time is on its span, and in the log at the level
 * `debug`.
 */

import type { Fields, Logger } from "./logs/log.ts";

/** Between two lines about a trouble that lasts. */
const usualAgainMs = 30_000;
/** Between two that begin. */
const comesBackMs = 30_000;

interface TroubleOptions {
  log: Logger;
  /** Of the monotonic clock. */
  nowMs(): number;
  /** The line's message, each time it is told. */
  msg: string;
  /** The message when it is over. */
  over: string;
  /** How often it is told while it lasts. */
  againMs?: number;
}

export interface Trouble {
  /** `about`: the logger of what met it, which has its ids and trace. */
  met(fields: Fields, about?: Logger): void;
  /** The same call has gone well. */
  passed(): void;
}

export function createTrouble({ log, nowMs, msg, over, againMs = usualAgainMs }: TroubleOptions): Trouble {
  let count = 0;
  let metFirstAtMs = 0;
  let isTold = false;
  let toldAtMs = Number.NEGATIVE_INFINITY;

  return {
    met: (fields, about = log) => {
      const atMs = nowMs();
      count += 1;
      if (count === 1) metFirstAtMs = atMs;
      if (atMs - toldAtMs < (isTold ? againMs : comesBackMs)) return about.debug(msg, fields);
      isTold = true;
      toldAtMs = atMs;
      about.warn(msg, { ...fields, count });
    },
    passed: () => {
      // What was never told is not over either: its count goes on to the next line.
      if (!isTold) return;
      isTold = false;
      log.info(over, { count, elapsed_ms: Math.round(nowMs() - metFirstAtMs) });
      count = 0;
    },
  };
}
