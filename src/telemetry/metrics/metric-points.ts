/** Series as the SDK's readers want them: points with their times, all that was counted or what has come since. */

import { ValueType } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  type DataPoint,
  DataPointType,
  type Histogram as HistogramValue,
  type MetricData,
} from "@opentelemetry/sdk-metrics";
import { productVersion } from "../../version.ts";
import { scopeName } from "../names.ts";
import { toHrTime } from "../spans/precise-time.ts";
import type { Instrument } from "./instruments.ts";
import type { Kept } from "./labelled-series.ts";
import type { Exemplar, HistogramSeries, SumSeries } from "./series.ts";

/** Histogram points as the readers get them: with the exemplar of each bucket, if it has one. */
export interface HistogramPoint extends DataPoint<HistogramValue> {
  exemplars: readonly (Exemplar | undefined)[];
}

/** One collection of one reader. */
export interface Collecting {
  nowMs: number;
  temporality: AggregationTemporality;
  sinceLast: Difference;
}

function descriptorOf({ name, unit, description }: Instrument) {
  return { name, unit, description, valueType: ValueType.DOUBLE };
}

export function toSumMetric(
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

export function toHistogramMetric(
  kept: Kept<HistogramSeries>,
  { nowMs, temporality, sinceLast }: Collecting,
): MetricData {
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

/** What has come since one reader asked last, for one that wants that (temporality delta). */
export interface Difference {
  sum(series: SumSeries, nowMs: number): SumTotal;
  histogram(series: HistogramSeries, nowMs: number): HistogramTotals;
}

export function createDifference(): Difference {
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

export function toResult(metrics: MetricData[]): CollectionResult {
  const scope = { name: scopeName, version: productVersion };
  // The reader puts its own resource in place of this one.
  return { resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope, metrics }] }, errors: [] };
}
