/**
 * The last hour in slots of five seconds, a ring whose slots are made when something of their time arrives; and what a
 * series has counted since its point before, which is spread over them. Bounded in time and in series.
 */

import type { Temporality } from "../otlp/metric.ts";

export const slotMs = 5000;
const slotCount = 720;
export const historyMs = slotMs * slotCount;

/** Part of a slot, from 0 to 1, that a span of time covers: of what came in that time the slot has the same part. */
interface Share<Slot> {
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

/** One point of a series: a count, or the counts of a histogram's buckets. */
export interface CountedPoint {
  sinceMs: number;
  atMs: number;
  counts: readonly number[];
}

interface Change {
  /** The time in which it came, by the sender's clock. */
  durationMs: number;
  counts: readonly number[];
}

interface LastPoint extends CountedPoint {
  seenMs: number;
}

/** Those of some fifty roles with fifty task types each. */
const maxSeries = 20_000;
/** Its sender has ended: senders repeat every series in every export. */
const goneAfterMs = 600_000;

/**
 * What a metric has counted since its point before, whether its sender counts from the start (cumulative) or from point
 * to point (delta). Remembers the last point of each series.
 */
interface MetricChanges {
  /** `series`: any text that is its own. Undefined when the point has nothing new, or nothing that can be compared. */
  since(series: string, point: CountedPoint, temporality: Temporality): Change | undefined;
}

/** `begunMs`: what a series counted before then is not news. */
export function createMetricChanges(begunMs: number, nowMs: () => number): MetricChanges {
  const lastOf = new Map<string, LastPoint>();

  const hasRoom = (): boolean => {
    if (lastOf.size < maxSeries) return true;
    for (const [series, { seenMs }] of lastOf) if (nowMs() - seenMs > goneAfterMs) lastOf.delete(series);
    return lastOf.size < maxSeries;
  };

  return {
    since: (series, point, temporality) => {
      const whole = { durationMs: Math.max(0, point.atMs - point.sinceMs), counts: point.counts };
      if (temporality === "delta") return whole;
      const last = lastOf.get(series);
      if (!last && !hasRoom()) return undefined;
      // Sent twice, or overtaken on its way.
      if (last && point.atMs <= last.atMs) return undefined;
      lastOf.set(series, { ...point, seenMs: nowMs() });
      if (!last) return point.sinceMs >= begunMs ? whole : undefined;
      const counts = point.counts.map((count, index) => count - (last.counts[index] ?? 0));
      const hasStartedAnew = counts.some((count) => count < 0);
      return hasStartedAnew ? whole : { durationMs: point.atMs - last.atMs, counts };
    },
  };
}
