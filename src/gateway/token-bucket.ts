/** So many a second, and as many at once after a rest: of what callers could have too much of. */

import type { Clock } from "../limits/clock.ts";

/** True for at most `perSecond` calls a second. */
export function createTokenBucket(clock: Clock, perSecond: number): () => boolean {
  let tokens = perSecond;
  let filledAtMs = clock.monotonicMs();
  return () => {
    const nowMs = clock.monotonicMs();
    tokens = Math.min(perSecond, tokens + ((nowMs - filledAtMs) / 1000) * perSecond);
    filledAtMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
