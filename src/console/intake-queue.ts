/** What waits to be written: bounded by number and by size, so that neither many nor large requests fill the memory. */

import type { Batch } from "./batch.ts";

export interface QueueLimits {
  /** Spans and log records. */
  items: number;
  bytes: number;
}

export interface IntakeQueue {
  /** False: there is no room, and it was not added. The last one may go beyond the limits. */
  push(batch: Batch): boolean;
  /** The oldest, as many as both limits allow, but one at least if there is any. */
  next(limits: QueueLimits): Batch[];
  /** So many of the oldest. */
  remove(count: number): void;
  /** Spans and log records. */
  items(): number;
  isFull(): boolean;
}

export function createIntakeQueue(limits: QueueLimits): IntakeQueue {
  const waiting: Batch[] = [];
  let items = 0;
  let bytes = 0;
  const isFull = (): boolean => items >= limits.items || bytes >= limits.bytes;

  return {
    push: (batch) => {
      if (isFull()) return false;
      waiting.push(batch);
      items += batch.items;
      bytes += batch.request.length;
      return true;
    },
    next: (most) => {
      const chosen: Batch[] = [];
      const sum: QueueLimits = { items: 0, bytes: 0 };
      for (const batch of waiting) {
        sum.items += batch.items;
        sum.bytes += batch.request.length;
        if (chosen.length > 0 && (sum.items > most.items || sum.bytes > most.bytes)) break;
        chosen.push(batch);
      }
      return chosen;
    },
    remove: (count) => {
      for (const batch of waiting.splice(0, count)) {
        items -= batch.items;
        bytes -= batch.request.length;
      }
    },
    items: () => items,
    isFull,
  };
}
