/**
 * The time of the store on DynamoDB, which many machines share: leases, retries and ticks that one of them writes are
 * judged by the others. So the clock of the service counts, which each of its answers tells (RFC 9110, `Date`): a machine
 * whose own clock is wrong, or is set while it works, ends no lease of another and loses none of its own. Between two
 * answers the monotonic clock counts on.
 */

import { type Clock, noticedStepMs } from "../../limits/clock.ts";

export interface DynamoClock extends Clock {
  /** To be given the `Date` of an answer, and when its request left, on the monotonic clock. */
  hear(date: string | null, sentMs: number): void;
}

/** An answer tells whole seconds, and may be on its way for this long; one that took longer tells nothing. */
const longestWayMs = 1000;
/** As far as the service's clock may seem to be away from ours without being so. */
const toleratedMs = 3000;
const hearEveryMs = 1000;

export function createDynamoClock(clock: Clock): DynamoClock {
  let originMs = clock.nowMs() - clock.monotonicMs();
  let heardMs = Number.NEGATIVE_INFINITY;

  return {
    nowMs: () => {
      const passedMs = clock.monotonicMs();
      const wallOriginMs = clock.nowMs() - passedMs;
      // As far as they agree the machine's clock is the finer one.
      if (Math.abs(wallOriginMs - originMs) < noticedStepMs) originMs = wallOriginMs;
      return Math.round(originMs + passedMs);
    },
    monotonicMs: () => clock.monotonicMs(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
    hear: (date, sentMs) => {
      const passedMs = clock.monotonicMs();
      if (passedMs - heardMs < hearEveryMs || passedMs - sentMs > longestWayMs) return;
      heardMs = passedMs;
      const aheadMs = Date.parse(date ?? "") + 500 - (originMs + passedMs);
      // What cannot be read is not a number, which is not more than anything.
      if (Math.abs(aheadMs) > toleratedMs) originMs += aheadMs;
    },
  };
}
