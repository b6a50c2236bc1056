/** What waits to be written: bounded by number and by size, so that neither many nor large items fill the memory. */

import type { Received } from "./intake-tally.ts";

export interface QueueLimits {
  items: number;
  /** As they came over the wire, inflated. */
  bytes: number;
}

export interface IntakeQueue {
  /** Adds what there is room for; gives the rest. `bytes`: of all items together. */
  push(items: readonly Received[], bytes: number): Received[];
  /** The oldest, as many as both limits allow, but one at least if there is any. */
  take(limits: QueueLimits): Received[];
  length(): number;
  isFull(): boolean;
}

export function createIntakeQueue(limits: QueueLimits): IntakeQueue {
  const waiting: { item: Received; bytes: number }[] = [];
  let waitingBytes = 0;
  const isFull = (): boolean => waiting.length >= limits.items || waitingBytes >= limits.bytes;

  return {
    push: (items, bytes) => {
      const bytesEach = bytes / Math.max(1, items.length);
      for (const [at, item] of items.entries()) {
        if (isFull()) return items.slice(at);
        waiting.push({ item, bytes: bytesEach });
        waitingBytes += bytesEach;
      }
      return [];
    },
    take: ({ items, bytes }) => {
      let count = 0;
      let size = 0;
      for (const next of waiting) {
        if (count >= items || (count > 0 && size + next.bytes > bytes)) break;
        count += 1;
        size += next.bytes;
      }
      const taken = waiting.splice(0, count).map(({ item }) => item);
      // Sums of fractions drift.
      waitingBytes = waiting.length === 0 ? 0 : Math.max(0, waitingBytes - size);
      return taken;
    },
    length: () => waiting.length,
    isFull,
  };
}
