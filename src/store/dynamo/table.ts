/**
 * One DynamoDB table as its operations see it: the calls, and what every operation needs to know. The key `pk` is a
 * task's id; with a prefix it is what else is kept: `key#` idempotency keys, `result#` long results, `redrive#` redrives, `redriven#` what each of their steps moved,
 * `unreadable#` messages that name no task, `schedule#` schedules, and one item `types`.
 */

import type { DynamoCalls } from "./calls.ts";

export interface DynamoTable {
  calls: DynamoCalls;
  /** When DynamoDB may remove what ended then, in seconds since the epoch; undefined: never. */
  ttlOf(endedAtMs: number): number | undefined;
}

/** `retentionMs`: how long what has ended is kept; 0: for ever. */
export function createDynamoTable(calls: DynamoCalls, retentionMs: number): DynamoTable {
  return {
    calls,
    ttlOf: (endedAtMs) => (retentionMs === 0 ? undefined : Math.ceil((endedAtMs + retentionMs) / 1000)),
  };
}

/** `work` on each of them, so many at once as the connections carry; the results in their order. */
export async function forEach<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += atOnce) {
    results.push(...(await Promise.all(all.slice(from, from + atOnce).map(work))));
  }
  return results;
}

/** Fewer than there are connections: upkeep leaves room for tasks. */
const atOnce = 32;
