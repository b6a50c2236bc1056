/** The last hour in slots of five seconds: a ring, each slot made when something of its time is told. */

export const slotMs = 5000;
const slotCount = 720;
export const historyMs = slotMs * slotCount;

/** Part of a slot, from 0 to 1, that a span of time covers: of what came in that time the slot has the same part. */
export interface Share<Slot> {
  slot: Slot;
  part: number;
}

export interface TimeSlots<Slot> {
  /** The slot of that time, made when it is not there; undefined of what is older than the ring. */
  at(ms: number): Slot | undefined;
  /** The same, only when it is there. */
  find(ms: number): Slot | undefined;
  /** The slots of this span of time, each with the part of the span that falls into it; together 1, or less when its
   * beginning is too old. */
  over(fromMs: number, toMs: number): Share<Slot>[];
}

export function createTimeSlots<Slot>(make: () => Slot, nowMs: () => number): TimeSlots<Slot> {
  const ring: ({ number: number; slot: Slot } | undefined)[] = new Array(slotCount).fill(undefined);

  const find = (ms: number): Slot | undefined => {
    const number = Math.floor(ms / slotMs);
    const kept = ring[number % slotCount];
    return kept?.number === number ? kept.slot : undefined;
  };

  const at = (ms: number): Slot | undefined => {
    const found = find(ms);
    if (found) return found;
    const number = Math.floor(ms / slotMs);
    const newest = Math.floor(nowMs() / slotMs);
    if (number > newest || number <= newest - slotCount) return undefined;
    const slot = make();
    ring[number % slotCount] = { number, slot };
    return slot;
  };

  const over = (fromMs: number, toMs: number): Share<Slot>[] => {
    const from = Math.max(fromMs, toMs - historyMs);
    const shares: Share<Slot>[] = [];
    if (from >= toMs) {
      const slot = at(toMs);
      return slot ? [{ slot, part: 1 }] : [];
    }
    for (let startMs = Math.floor(from / slotMs) * slotMs; startMs < toMs; startMs += slotMs) {
      const slot = at(startMs);
      const overlapMs = Math.min(toMs, startMs + slotMs) - Math.max(from, startMs);
      if (slot) shares.push({ slot, part: overlapMs / (toMs - fromMs) });
    }
    return shares;
  };

  return { at, find, over };
}
