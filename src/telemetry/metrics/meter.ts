/**
 * Measures. The SDK's own instruments cost about a microsecond each time, to sort and serialize the labels, of which a
 * task would pay twenty; they keep no exemplars, and repeat the last value of what can no longer be observed. So the
 * series are kept here, and the SDK's readers get them as from any other producer of metrics: the same by `/metrics` and
 * by OTLP.
 */

import type { SpanContext } from "@opentelemetry/api";
import { type AggregationTemporality, InstrumentType, type MetricProducer } from "@opentelemetry/sdk-metrics";
import type { Instrument, InstrumentKind } from "./instruments.ts";
import { finder, type Kept, type Label } from "./labelled-series.ts";
import { createDifference, toHistogramMetric, toResult, toSumMetric } from "./metric-points.ts";
import { HistogramSeries, SumSeries } from "./series.ts";

export interface Counter {
  add(value: number, ...labels: Label[]): void;
}

export interface Histogram {
  /** `span` is where it was measured, for the exemplar. */
  record(value: number, span: SpanContext | undefined, ...labels: Label[]): void;
}

export type Observe = (value: number, ...labels: Label[]) => void;

export interface Meter {
  /** The same instrument, asked for twice, counts into the same series. */
  counter(instrument: Instrument<"counter">): Counter;
  histogram(instrument: Instrument<"histogram">): Histogram;
  /**
   * Calls `look` whenever metrics are collected. What it does not observe then, because it rejects or takes longer than
   * a second, has no points.
   */
  observe(instrument: Instrument<ObservedKind>, look: (observe: Observe) => void | Promise<void>): void;
  /** For one reader, in the temporality that it wants. */
  producer(temporalityOf: (type: InstrumentType) => AggregationTemporality): MetricProducer;
}

type ObservedKind = Extract<InstrumentKind, "observed_counter" | "up_down" | "gauge">;

/** A scrape has ten seconds by default, and everybody waits for the slowest. */
const lookLimitMs = 1000;

interface Observed {
  instrument: Instrument<ObservedKind>;
  look: (observe: Observe) => void | Promise<void>;
}

export function createMeter(): Meter {
  const sums = new Map<Instrument, Kept<SumSeries>>();
  const histograms = new Map<Instrument, Kept<HistogramSeries>>();
  const observed: Observed[] = [];
  /** Observed totals only grow: one that cannot be looked at now is as it was. */
  const totals = new Map<Instrument, Kept<SumSeries>>();

  return {
    counter: (instrument) => {
      const find = finder(sums, instrument, (attributes) => new SumSeries(attributes, Date.now()));
      return {
        add: (value, ...labels) => {
          find(labels).total += value;
        },
      };
    },
    histogram: (instrument) => {
      const bounds = instrument.buckets ?? [];
      const find = finder(histograms, instrument, (attributes) => new HistogramSeries(attributes, Date.now(), bounds));
      return { record: (value, span, ...labels) => find(labels).record(value, span) };
    },
    observe: (instrument, look) => {
      observed.push({ instrument, look });
    },
    producer: (temporalityOf) => {
      const sinceLast = createDifference();
      const startMs = Date.now();
      return {
        collect: async () => {
          const looks = await lookAll(observed, totals, startMs);
          const nowMs = Date.now();
          const counted = [...sums.values()].map((kept) =>
            toSumMetric(kept, { nowMs, sinceLast, temporality: temporalityOf(InstrumentType.COUNTER) }),
          );
          const measured = [...histograms.values()].map((kept) =>
            toHistogramMetric(kept, { nowMs, sinceLast, temporality: temporalityOf(InstrumentType.HISTOGRAM) }),
          );
          const seen = looks.map((kept) =>
            toSumMetric(kept, { nowMs, sinceLast, temporality: temporalityOf(observedTypes[kept.instrument.kind]) }),
          );
          return toResult([...counted, ...measured, ...seen].filter(({ dataPoints }) => dataPoints.length > 0));
        },
      };
    },
  };
}

/** What the SDK calls them. */
const observedTypes: Record<InstrumentKind, InstrumentType> = {
  counter: InstrumentType.COUNTER,
  histogram: InstrumentType.HISTOGRAM,
  observed_counter: InstrumentType.OBSERVABLE_COUNTER,
  up_down: InstrumentType.OBSERVABLE_UP_DOWN_COUNTER,
  gauge: InstrumentType.OBSERVABLE_GAUGE,
};

/** Each instrument once, with what all that observe it have seen by now. */
async function lookAll(
  observed: readonly Observed[],
  totals: Map<Instrument, Kept<SumSeries>>,
  startMs: number,
): Promise<Kept<SumSeries>[]> {
  const now = new Map<Instrument, Kept<SumSeries>>();
  // All begin before the first waits: what one asks of the store or the broker is not what another one sees.
  const looking = observed.map(async ({ instrument, look }) => {
    const found: [value: number, labels: Label[]][] = [];
    const observe: Observe = (value, ...labels) => found.push([value, labels]);
    await within(lookLimitMs, look(observe));
    return { instrument, found };
  });
  for (const result of await Promise.allSettled(looking)) {
    if (result.status === "rejected") continue;
    const { instrument, found } = result.value;
    const all = instrument.kind === "observed_counter" ? totals : now;
    const find = finder(all, instrument, (attributes) => new SumSeries(attributes, startMs));
    for (const [value, labels] of found) find(labels).total = value;
  }
  return [...totals.values(), ...now.values()];
}

async function within(limitMs: number, work: void | Promise<void>): Promise<void> {
  if (!work) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("not seen in time")), limitMs);
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
