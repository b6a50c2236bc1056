/** What the store holds, asked at most every few seconds, however many want to know: each task that waits is looked at. */

import type { Clock } from "../clock.ts";
import type { Store, StoreFigures } from "./store.ts";

/** Shorter than the pause between two scrapes, so that each has its own. */
const keptMs = 4000;

/** Rejects as the store does. */
export function createStoreFigures(store: Pick<Store, "figures">, clock: Clock): () => Promise<StoreFigures> {
  let asked: Promise<StoreFigures> | undefined;
  let askedAtMs = 0;
  return () => {
    const atMs = clock.monotonicMs();
    if (asked && atMs - askedAtMs < keptMs) return asked;
    askedAtMs = atMs;
    const asking = store.figures(clock.nowMs());
    asked = asking;
    // What failed is not kept: the store may be back.
    asking.catch(() => {
      if (asked === asking) asked = undefined;
    });
    return asking;
  };
}
