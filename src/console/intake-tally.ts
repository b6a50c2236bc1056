/** What became of what the console received: counts by signal and reason. */

import type { Batch } from "./batch.ts";

export interface IntakeCount {
  signal: Batch["signal"];
  /** Why it was dropped, of low cardinality; undefined: it was kept. */
  reason: string | undefined;
  count: number;
}

export interface Tally {
  count(signal: Batch["signal"], reason: string | undefined, count: number): void;
  sums(): { kept: number; dropped: number };
  counts(): IntakeCount[];
}

export function createTally(): Tally {
  const counts: IntakeCount[] = [];
  const count: Tally["count"] = (signal, reason, count) => {
    if (count === 0) return;
    const known = counts.find((each) => each.signal === signal && each.reason === reason);
    if (known) known.count += count;
    else counts.push({ signal, reason, count });
  };
  const sumOf = (isKept: boolean): number =>
    counts.reduce((sum, { reason, count }) => sum + ((reason === undefined) === isKept ? count : 0), 0);
  return {
    count,
    sums: () => ({ kept: sumOf(true), dropped: sumOf(false) }),
    counts: () => counts.map((each) => ({ ...each })),
  };
}
