/**
 * The series of one instrument, by their labels. Bounded: an instrument keeps so many, and what is more counts in one of
 * its own.
 */

import type { Attributes } from "@opentelemetry/api";
import { cutText } from "../../words/text.ts";
import type { Instrument } from "./instruments.ts";
import type { Series } from "./series.ts";

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

export interface BoundedLabelOptions {
  /** How many values that somebody else makes up have series of their own. */
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
