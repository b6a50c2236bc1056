/**
 * A trouble that many calls meet at once, such as a broker that is away: logged when it begins, at intervals while
 * it lasts, and when it ends, with how often it was met. Each occurrence is on its span, and in the log at the level
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
  /** The message of each line about it. */
  msg: string;
  /** The message when it is over. */
  over: string;
  /** The interval of lines while it lasts. */
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
  let isLogged = false;
  let loggedAtMs = Number.NEGATIVE_INFINITY;

  return {
    met: (fields, about = log) => {
      const atMs = nowMs();
      count += 1;
      if (count === 1) metFirstAtMs = atMs;
      if (atMs - loggedAtMs < (isLogged ? againMs : comesBackMs)) return about.debug(msg, fields);
      isLogged = true;
      loggedAtMs = atMs;
      about.warn(msg, { ...fields, count });
    },
    passed: () => {
      // Without a line about its beginning there is none about its end: the count goes on to the next line.
      if (!isLogged) return;
      isLogged = false;
      log.info(over, { count, elapsed_ms: Math.round(nowMs() - metFirstAtMs) });
      count = 0;
    },
  };
}
