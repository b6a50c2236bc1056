/** What is kept of one instrument for one set of labels: plain numbers, so that a measurement costs next to nothing. */

import type { Attributes, SpanContext } from "@opentelemetry/api";
import { TraceFlags } from "@opentelemetry/api";

/** A measurement that leads to its trace. */
export interface Exemplar {
  traceId: string;
  spanId: string;
  value: number;
  /** Milliseconds since the epoch. */
  atMs: number;
}

export interface Series {
  readonly attributes: Attributes;
  readonly sinceMs: number;
}

/** Counted, or observed as a total. */
export class SumSeries implements Series {
  readonly attributes: Attributes;
  readonly sinceMs: number;
  total = 0;

  constructor(attributes: Attributes, sinceMs: number) {
    this.attributes = attributes;
    this.sinceMs = sinceMs;
  }
}

export class HistogramSeries implements Series {
  readonly attributes: Attributes;
  readonly sinceMs: number;
  readonly bounds: readonly number[];
  /** One more than there are bounds: the last is for what lies above them all. */
  readonly counts: number[];
  /** The newest of each bucket. */
  readonly exemplars: (Exemplar | undefined)[];
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;

  constructor(attributes: Attributes, sinceMs: number, bounds: readonly number[]) {
    this.attributes = attributes;
    this.sinceMs = sinceMs;
    this.bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
    this.exemplars = new Array(bounds.length + 1).fill(undefined);
  }

  /** `span` is where it was measured: when it is sampled, it becomes its bucket's exemplar. */
  record(value: number, span: SpanContext | undefined): void {
    // Clocks go back; a duration that is no number would make every later sum none.
    if (!(value >= 0)) return;
    const bucket = bucketOf(this.bounds, value);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.count += 1;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    if (span && (span.traceFlags & TraceFlags.SAMPLED) !== 0) this.#keep(bucket, value, span);
  }

  #keep(bucket: number, value: number, { traceId, spanId }: SpanContext): void {
    const kept = this.exemplars[bucket];
    const atMs = Date.now();
    if (!kept) {
      this.exemplars[bucket] = { traceId, spanId, value, atMs };
      return;
    }
    kept.traceId = traceId;
    kept.spanId = spanId;
    kept.value = value;
    kept.atMs = atMs;
  }
}

/** Upper bounds are inclusive (OpenTelemetry metrics data model, "Histogram"). There are few: no search pays off. */
function bucketOf(bounds: readonly number[], value: number): number {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
  return bucket;
}
