/**
 * What a metric has counted since its point before, whether its sender counts from the start (cumulative) or from point
 * to point (delta). Remembers the last point of each series, of a bounded number of them.
 */

import type { Temporality } from "../otlp/metric.ts";

/** One point of a series: a count, or the counts of a histogram's buckets. */
export interface CountedPoint {
  sinceMs: number;
  atMs: number;
  counts: readonly number[];
}

export interface Change {
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

export interface MetricChanges {
  /** `series`: any text that is its own. Undefined when the point tells nothing new, or nothing that can be told. */
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
