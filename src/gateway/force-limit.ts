/** How many requests of outside callers may force their trace: a token bucket. What is more is sampled as any other. */

import type { Clock } from "../clock.ts";

/** Enough for a person, a script and a probe; too little to fill anybody's trace store. */
const perSecond = 10;

/** True for at most `perSecond` calls a second, and as many at once after a rest. */
export function createForceLimit(clock: Clock): () => boolean {
  let tokens = perSecond;
  let filledAtMs = clock.nowMs();
  return () => {
    const nowMs = clock.nowMs();
    tokens = Math.min(perSecond, tokens + (Math.max(0, nowMs - filledAtMs) / 1000) * perSecond);
    filledAtMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
