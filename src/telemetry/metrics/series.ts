/**
 * The series of one instrument, found by their labels: plain numbers, so that a measurement costs next to nothing.
 * Bounded: an instrument keeps so many, and what is more counts in one overflow series.
 */

import { type Attributes, type SpanContext, TraceFlags } from "@opentelemetry/api";
import type { Exemplar } from "../../otlp/metric.ts";
import { cutText } from "../../words/text.ts";
import type { Instrument } from "./instruments.ts";

interface Series {
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

  add(value: number): void {
    this.total += value;
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

/** A label's value, in the order of the instrument's labels; undefined leaves the label out. */
export type Label = string | number | undefined;

/** As many as the SDK keeps (OpenTelemetry metrics SDK, "Cardinality limits"). */
const maxSeries = 2000;
/** The attribute that the same section gives to what is above the limit. */
const overflow: Attributes = { "otel.metric.overflow": true };

/** Of a label's value. */
const maxLabelChars = 100;

function cutLabel(label: Label): Label {
  return typeof label === "string" && label.length > maxLabelChars ? cutText(label, maxLabelChars) : label;
}

interface BoundedLabelOptions {
  /** How many values from outside have series of their own. */
  max: number;
  /** Stands for all others. */
  rest: string;
  /** These always have their own. */
  fixed?: readonly string[];
}

/** Keeps the values that users make up from taking the series of all others. */
export function createBoundedLabel({ max, rest, fixed = [] }: BoundedLabelOptions): (label: Label) => Label {
  const always = new Set<Label>([...fixed, rest, undefined]);
  const known = new Set<Label>();
  return (given) => {
    if (always.has(given) || known.has(given)) return given;
    const label = typeof given === "string" ? cutText(given, maxLabelChars) : given;
    if (!known.has(label) && known.size >= max) return rest;
    known.add(label);
    return label;
  };
}

/** An instrument's series, in the order in which they were first measured, and the tree in which they are found. */
export interface Kept<S extends Series> {
  instrument: Instrument;
  series: S[];
  root: Node<S>;
  overflow: S | undefined;
}

interface Node<S extends Series> {
  series?: S;
  next: Map<Label, Node<S>>;
}

/**
 * Finds an instrument's series by its labels, and makes it the first time. One step for each label: a key put together
 * from them would have to be hashed anew for each measurement.
 */
export function finder<S extends Series>(
  all: Map<Instrument, Kept<S>>,
  instrument: Instrument,
  make: (attributes: Attributes) => S,
): (labels: readonly Label[]) => S {
  const kept: Kept<S> = all.get(instrument) ?? {
    instrument,
    series: [],
    root: { next: new Map() },
    overflow: undefined,
  };
  all.set(instrument, kept);
  const keep = (series: S): S => {
    kept.series.push(series);
    return series;
  };
  return (labels) => {
    let node: Node<S> = kept.root;
    for (const given of labels) {
      const label = cutLabel(given);
      let next = node.next.get(label);
      if (!next) {
        // What is above the limit must not grow the tree either.
        if (kept.series.length >= maxSeries - 1) {
          kept.overflow ??= keep(make(overflow));
          return kept.overflow;
        }
        next = { next: new Map() };
        node.next.set(label, next);
      }
      node = next;
    }
    node.series ??= keep(make(toAttributes(instrument, labels)));
    return node.series;
  };
}

function toAttributes({ labels: names }: Instrument, labels: readonly Label[]): Attributes {
  const attributes: Attributes = {};
  for (const [index, name] of names.entries()) {
    const label = cutLabel(labels[index]);
    if (label !== undefined) attributes[name] = label;
  }
  return attributes;
}
