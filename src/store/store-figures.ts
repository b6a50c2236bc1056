/** What the store holds, asked at most every few seconds, however many want to know: each task that waits is looked at. */

import type { Clock } from "../limits/clock.ts";
import type { Store, StoreFigures } from "./ports/store.ts";

/** Shorter than the pause between two scrapes, so that each has its own. */
const keptMs = 4000;
/** What took long to find out stands so many times as long, and so takes a twentieth of the time at most. */
const keptTimes = 20;
const longestKeptMs = 60_000;

/** Rejects as the store does. */
export function createStoreFigures(store: Pick<Store, "figures">, clock: Clock): () => Promise<StoreFigures> {
  let asked: Promise<StoreFigures> | undefined;
  let untilMs = 0;
  return () => {
    const atMs = clock.monotonicMs();
    if (asked && atMs < untilMs) return asked;
    // Until it is answered, others wait for the same answer.
    untilMs = Number.POSITIVE_INFINITY;
    const asking = store.figures(clock.nowMs());
    asked = asking;
    asking.then(
      () => {
        const tookMs = clock.monotonicMs() - atMs;
        untilMs = atMs + Math.max(keptMs, Math.min(longestKeptMs, keptTimes * tookMs));
      },
      () => {
        // What failed is not kept: the store may be back.
        asked = undefined;
      },
    );
    return asking;
  };
}
