/**
 * Measures. The SDK's own instruments cost about a microsecond each time, to sort and serialize the labels, of which a
 * task would pay twenty; they keep no exemplars, and repeat the last value of what can no longer be observed. So the
 * series are kept here, and the SDK's readers get them as from any other producer of metrics: the same by `/metrics` and
 * by OTLP.
 */

import { type SpanContext, ValueType } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  InstrumentType,
  type MetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";
import { within } from "../../limits/time-limit.ts";
import type { HistogramPoint } from "../../otlp/metric.ts";
import { productVersion } from "../../version.ts";
import { scopeName } from "../names.ts";
import { toHrTime } from "../spans/span-start.ts";
import type { Instrument, InstrumentKind } from "./instruments.ts";
import { finder, HistogramSeries, type Kept, type Label, SumSeries } from "./series.ts";

export interface Counter {
  add(value: number, ...labels: Label[]): void;
  /** What counts with these labels: for what does so again and again. */
  series(labels: readonly Label[]): Pick<SumSeries, "add">;
}

interface Histogram {
  /** `span` is where it was measured, for the exemplar. */
  record(value: number, span: SpanContext | undefined, ...labels: Label[]): void;
  /** What measures with these labels: for what does so again and again. */
  series(labels: readonly Label[]): Pick<HistogramSeries, "record">;
}

type Observe = (value: number, ...labels: Label[]) => void;

export interface Meter {
  /** Two counters of the same instrument count into the same series. */
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
      return { add: (value, ...labels) => find(labels).add(value), series: find };
    },
    histogram: (instrument) => {
      const bounds = instrument.buckets ?? [];
      const find = finder(histograms, instrument, (attributes) => new HistogramSeries(attributes, Date.now(), bounds));
      return { record: (value, span, ...labels) => find(labels).record(value, span), series: find };
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
  // All begin before the first waits, so that one observer's call to the store or the broker does not delay the others.
  const looking = observed.map(async ({ instrument, look }) => {
    const found: [value: number, labels: Label[]][] = [];
    const observe: Observe = (value, ...labels) => found.push([value, labels]);
    const work = look(observe);
    // Most looks are done at once.
    const isSeen =
      !(work instanceof Promise) ||
      (await within(
        lookLimitMs,
        work.then(() => true),
        false,
      ));
    if (!isSeen) throw new Error("not seen in time");
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

/** One collection of one reader. */
interface Collecting {
  nowMs: number;
  temporality: AggregationTemporality;
  sinceLast: Difference;
}

function descriptorOf({ name, unit, description }: Instrument) {
  return { name, unit, description, valueType: ValueType.DOUBLE };
}

function toSumMetric(
  { instrument, series }: Kept<SumSeries>,
  { nowMs, temporality, sinceLast }: Collecting,
): MetricData {
  const isMonotonic = instrument.kind === "counter" || instrument.kind === "observed_counter";
  const isDelta = isMonotonic && temporality === AggregationTemporality.DELTA;
  const points = series.map((each) => {
    const { sinceMs, total } = isDelta ? sinceLast.sum(each, nowMs) : each;
    return { attributes: each.attributes, startTime: toHrTime(sinceMs), endTime: toHrTime(nowMs), value: total };
  });
  const base = { descriptor: descriptorOf(instrument), aggregationTemporality: temporality, dataPoints: points };
  return instrument.kind === "gauge"
    ? { ...base, dataPointType: DataPointType.GAUGE }
    : { ...base, dataPointType: DataPointType.SUM, isMonotonic };
}

function toHistogramMetric(kept: Kept<HistogramSeries>, { nowMs, temporality, sinceLast }: Collecting): MetricData {
  const { instrument, series } = kept;
  const isDelta = temporality === AggregationTemporality.DELTA;
  const points = series.map((each): HistogramPoint => {
    const { counts, count, sum, sinceMs } = isDelta ? sinceLast.histogram(each, nowMs) : each;
    return {
      attributes: each.attributes,
      startTime: toHrTime(sinceMs),
      endTime: toHrTime(nowMs),
      value: {
        buckets: { boundaries: [...each.bounds], counts: [...counts] },
        count,
        sum,
        // Of all time: they say nothing about a difference.
        ...(!isDelta && { min: each.min, max: each.max }),
      },
      exemplars: each.exemplars.map((exemplar) => exemplar && { ...exemplar }),
    };
  });
  return {
    descriptor: descriptorOf(instrument),
    aggregationTemporality: temporality,
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: points,
  };
}

type SumTotal = Pick<SumSeries, "sinceMs" | "total">;
type HistogramTotals = Pick<HistogramSeries, "counts" | "count" | "sum" | "sinceMs">;

/** What has come since the last collection of one reader, for temporality delta. */
interface Difference {
  sum(series: SumSeries, nowMs: number): SumTotal;
  histogram(series: HistogramSeries, nowMs: number): HistogramTotals;
}

function createDifference(): Difference {
  const lastSums = new Map<SumSeries, SumTotal>();
  const lastHistograms = new Map<HistogramSeries, HistogramTotals>();
  return {
    sum: (series, nowMs) => {
      const { total, sinceMs } = series;
      const last = lastSums.get(series) ?? { total: 0, sinceMs };
      lastSums.set(series, { total, sinceMs: nowMs });
      return { sinceMs: last.sinceMs, total: total - last.total };
    },
    histogram: (series, nowMs) => {
      const { counts, count, sum, sinceMs } = series;
      const last = lastHistograms.get(series) ?? { counts: [], count: 0, sum: 0, sinceMs };
      lastHistograms.set(series, { counts: [...counts], count, sum, sinceMs: nowMs });
      return {
        counts: counts.map((each, index) => each - (last.counts[index] ?? 0)),
        count: count - last.count,
        sum: sum - last.sum,
        sinceMs: last.sinceMs,
      };
    },
  };
}

function toResult(metrics: MetricData[]): CollectionResult {
  const scope = { name: scopeName, version: productVersion };
  // The reader puts its own resource in place of this one.
  return { resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope, metrics }] }, errors: [] };
}
