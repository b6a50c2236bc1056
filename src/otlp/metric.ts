/** A metric with its points as it came over OTLP. Exemplars are left out. */

import { ExportMetricsServiceRequestSchema } from "../gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import {
  AggregationTemporality,
  type ExponentialHistogramDataPoint,
  type HistogramDataPoint,
  type Metric,
  type NumberDataPoint,
  type SummaryDataPoint,
} from "../gen/opentelemetry/proto/metrics/v1/metrics_pb.ts";
import { type OtlpBody, parseOtlp } from "./request.ts";
import { type Attributes, type Origin, toAttributes, toMs, toOrigin } from "./values.ts";

export interface MetricPoint<Value> {
  /** From when on it counts, and up to when: milliseconds since the epoch, with a fraction. 0: the sender did not say. */
  sinceMs: number;
  atMs: number;
  attributes: Attributes;
  value: Value;
}

/** Exponential histograms and summaries come without buckets: `bounds` and `bucketCounts` are empty. */
export interface Distribution {
  count: number;
  sum: number;
  /** Upper bounds, inclusive, ascending; one fewer than `bucketCounts`. */
  bounds: number[];
  bucketCounts: number[];
}

/** Whether a point counts since the start or since the point before. */
export type Temporality = "cumulative" | "delta" | "unspecified";

interface MetricHead extends Origin {
  name: string;
  description: string;
  /** UCUM. */
  unit: string;
}

type MetricBody =
  | { type: "gauge"; points: MetricPoint<number>[] }
  | { type: "sum"; monotonic: boolean; temporality: Temporality; points: MetricPoint<number>[] }
  | {
      type: "histogram" | "exponentialHistogram" | "summary";
      temporality: Temporality;
      points: MetricPoint<Distribution>[];
    };

export type ReceivedMetric = MetricHead & MetricBody;

/** The metrics of one export request, in its order; without those that hold no data. */
export function decodeMetrics(body: OtlpBody): ReceivedMetric[] {
  return parseOtlp(ExportMetricsServiceRequestSchema, body).resourceMetrics.flatMap(({ resource, scopeMetrics }) => {
    const origin = toOrigin(resource);
    return scopeMetrics.flatMap(({ metrics }) => metrics.flatMap((metric) => toReceivedMetrics(metric, origin)));
  });
}

function toReceivedMetrics(metric: Metric, origin: Origin): ReceivedMetric[] {
  const body = toBody(metric.data);
  const { name, description, unit } = metric;
  return body ? [{ ...origin, name, description, unit, ...body }] : [];
}

function toBody(data: Metric["data"]): MetricBody | undefined {
  switch (data.case) {
    case "gauge":
      return { type: "gauge", points: data.value.dataPoints.flatMap(toNumberPoints) };
    case "sum": {
      const { isMonotonic, aggregationTemporality, dataPoints } = data.value;
      const temporality = toTemporality(aggregationTemporality);
      return { type: "sum", monotonic: isMonotonic, temporality, points: dataPoints.flatMap(toNumberPoints) };
    }
    case "histogram":
    case "exponentialHistogram": {
      const points = data.value.dataPoints.map(toDistributionPoint);
      return { type: data.case, temporality: toTemporality(data.value.aggregationTemporality), points };
    }
    case "summary":
      return { type: "summary", temporality: "cumulative", points: data.value.dataPoints.map(toDistributionPoint) };
    case undefined:
      return undefined;
  }
}

/** None for a point that says "no value was recorded". */
function toNumberPoints(point: NumberDataPoint): MetricPoint<number>[] {
  if (point.value.case === undefined) return [];
  const { attributes, value } = point;
  return [{ ...timesOf(point), attributes: toAttributes(attributes), value: Number(value.value) }];
}

function toDistributionPoint(
  point: HistogramDataPoint | ExponentialHistogramDataPoint | SummaryDataPoint,
): MetricPoint<Distribution> {
  const hasBuckets = "explicitBounds" in point;
  return {
    ...timesOf(point),
    attributes: toAttributes(point.attributes),
    value: {
      count: Number(point.count),
      sum: point.sum ?? 0,
      bounds: hasBuckets ? point.explicitBounds : [],
      bucketCounts: hasBuckets ? point.bucketCounts.map(Number) : [],
    },
  };
}

function timesOf(point: { startTimeUnixNano: bigint; timeUnixNano: bigint }): { sinceMs: number; atMs: number } {
  return { sinceMs: toMs(point.startTimeUnixNano), atMs: toMs(point.timeUnixNano) };
}

function toTemporality(temporality: AggregationTemporality): Temporality {
  if (temporality === AggregationTemporality.CUMULATIVE) return "cumulative";
  return temporality === AggregationTemporality.DELTA ? "delta" : "unspecified";
}
