/**
 * A metric of OTLP with its points (opentelemetry-proto, metrics/v1/metrics.proto): read as plain JavaScript without its
 * exemplars, and written with them. Exponential histograms and summaries are not written: no instrument makes any.
 */

import { ValueType } from "@opentelemetry/api";
import type { DataPoint, Histogram, MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { ExportMetricsServiceRequestSchema } from "../gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import {
  AggregationTemporality,
  type ExponentialHistogramDataPoint,
  type HistogramDataPoint,
  type Metric,
  type NumberDataPoint,
  type SummaryDataPoint,
} from "../gen/opentelemetry/proto/metrics/v1/metrics_pb.ts";
import { ProtobufWriter } from "./protobuf.ts";
import { type EncodedItem, type OtlpBody, parseOtlp } from "./request.ts";
import { type Attributes, type Origin, toAttributes, toMs, toOrigin, writeAttributes } from "./values.ts";

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

/** None for a point with the flag "no recorded value". */
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

/** A measurement that leads to its trace. */
export interface Exemplar {
  traceId: string;
  spanId: string;
  value: number;
  /** Milliseconds since the epoch. */
  atMs: number;
}

/** A histogram's point, with the exemplar of each bucket that has one. Points of the SDK's own histograms have none. */
export type HistogramPoint = DataPoint<Histogram> & { exemplars?: readonly (Exemplar | undefined)[] };

const metricField = { name: 1, description: 2, unit: 3, gauge: 5, sum: 7, histogram: 9 } as const;
/** Of `Gauge`, `Sum` and `Histogram` alike. */
const dataField = { points: 1, temporality: 2, isMonotonic: 3 } as const;
const numberField = { startTime: 2, time: 3, double: 4, int: 6, attributes: 7 } as const;
const histogramField = {
  startTime: 2,
  time: 3,
  count: 4,
  sum: 5,
  bucketCounts: 6,
  bounds: 7,
  exemplars: 8,
  attributes: 9,
  min: 11,
  max: 12,
} as const;
const exemplarField = { time: 2, double: 3, spanId: 4, traceId: 5 } as const;

/** `DataPointType` and `AggregationTemporality` of the SDK, which is imported here for its types alone. */
const sdkType = { histogram: 0, gauge: 2, sum: 3 } as const;
const temporalities = [AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE] as const;

const writer = new ProtobufWriter();

/** Each metric of one collection in bytes, as spans and log records are. */
export function encodeMetrics(
  { resource, scopeMetrics }: ResourceMetrics,
  { hasExemplars }: { hasExemplars: boolean },
): EncodedItem[] {
  return scopeMetrics.flatMap(({ scope: instrumentationScope, metrics }) =>
    metrics.map((metric) => {
      writer.begin();
      writeMetric(writer, metric, hasExemplars);
      return { resource, instrumentationScope, written: writer.take(), points: metric.dataPoints.length };
    }),
  );
}

function writeMetric(to: ProtobufWriter, metric: MetricData, hasExemplars: boolean): void {
  const { name, description, unit, valueType } = metric.descriptor;
  to.text(metricField.name, name);
  to.text(metricField.description, description);
  to.text(metricField.unit, unit);
  switch (metric.dataPointType) {
    case sdkType.gauge: {
      const gauge = to.open(metricField.gauge);
      for (const point of metric.dataPoints) writeNumberPoint(to, point, valueType);
      to.close(gauge);
      break;
    }
    case sdkType.sum: {
      const sum = to.open(metricField.sum);
      for (const point of metric.dataPoints) writeNumberPoint(to, point, valueType);
      to.uint(dataField.temporality, temporalities[metric.aggregationTemporality]);
      to.uint(dataField.isMonotonic, metric.isMonotonic ? 1 : 0);
      to.close(sum);
      break;
    }
    case sdkType.histogram: {
      const histogram = to.open(metricField.histogram);
      for (const point of metric.dataPoints) writeHistogramPoint(to, point, hasExemplars);
      to.uint(dataField.temporality, temporalities[metric.aggregationTemporality]);
      to.close(histogram);
    }
  }
}

function writeNumberPoint(to: ProtobufWriter, point: DataPoint<number>, valueType: ValueType): void {
  const start = to.open(dataField.points);
  to.nanos(numberField.startTime, ...point.startTime);
  to.nanos(numberField.time, ...point.endTime);
  if (valueType === ValueType.INT) to.fixed64(numberField.int, point.value);
  else to.double(numberField.double, point.value);
  writeAttributes(to, numberField.attributes, point.attributes);
  to.close(start);
}

function writeHistogramPoint(to: ProtobufWriter, point: HistogramPoint, hasExemplars: boolean): void {
  const { buckets, count, sum, min, max } = point.value;
  const start = to.open(dataField.points);
  to.nanos(histogramField.startTime, ...point.startTime);
  to.nanos(histogramField.time, ...point.endTime);
  to.fixed64(histogramField.count, count);
  if (sum !== undefined) to.double(histogramField.sum, sum);
  to.fixed64s(histogramField.bucketCounts, buckets.counts);
  to.doubles(histogramField.bounds, buckets.boundaries);
  const [seconds, nanos] = point.startTime;
  for (const exemplar of (hasExemplars && point.exemplars) || []) {
    // A point of what came since the last export has no exemplar of before.
    if (exemplar && exemplar.atMs >= seconds * 1000 + nanos / 1e6) writeExemplar(to, exemplar);
  }
  writeAttributes(to, histogramField.attributes, point.attributes);
  if (min !== undefined) to.double(histogramField.min, min);
  if (max !== undefined) to.double(histogramField.max, max);
  to.close(start);
}

function writeExemplar(to: ProtobufWriter, { traceId, spanId, value, atMs }: Exemplar): void {
  const start = to.open(histogramField.exemplars);
  to.nanos(exemplarField.time, Math.floor(atMs / 1000), (atMs % 1000) * 1e6);
  to.double(exemplarField.double, value);
  to.hex(exemplarField.spanId, spanId);
  to.hex(exemplarField.traceId, traceId);
  to.close(start);
}
