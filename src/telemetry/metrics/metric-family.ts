/**
 * Metrics as Prometheus sees them: families of series, named as a collector names what comes by OTLP (OpenTelemetry,
 * "Prometheus and OpenMetrics Compatibility"), so that the names are the same by both ways. Plain values: they cross from
 * a role's thread to the one that answers the scrape.
 */

import type { Attributes } from "@opentelemetry/api";
import { DataPointType, type MetricData, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { key } from "../names.ts";
import type { HistogramPoint } from "./metric-points.ts";
import type { Exemplar } from "./series.ts";

export interface MetricFamily {
  /** With its unit, without the `_total` of a counter. */
  name: string;
  type: "counter" | "gauge" | "histogram" | "unknown";
  help: string;
  series: FamilySeries[];
}

export type SeriesLabels = readonly (readonly [name: string, value: string])[];

export type FamilySeries = { labels: SeriesLabels; value: number } | HistogramFamilySeries;

export interface HistogramFamilySeries {
  labels: SeriesLabels;
  /** Cumulative; the last bound is infinite. */
  buckets: { bound: number; count: number; exemplar: Exemplar | undefined }[];
  count: number;
  sum: number;
}

const unitSuffixes: Record<string, string> = { s: "_seconds", By: "_bytes" };

/** One service's metrics, every series with the label `service_name`. */
export function toFamilies({ resource, scopeMetrics }: ResourceMetrics): MetricFamily[] {
  const service = String(resource.attributes[key.serviceName] ?? "");
  const metrics = scopeMetrics.flatMap((scope) => scope.metrics);
  return mergeFamilies([metrics.map((metric) => toFamily(metric, service))]);
}

/** Those of several services: all series of a name stand in one family, as both text formats ask. */
export function mergeFamilies(lists: readonly (readonly MetricFamily[])[]): MetricFamily[] {
  const merged = new Map<string, MetricFamily>();
  for (const family of lists.flat()) {
    const known = merged.get(family.name);
    if (known) known.series.push(...family.series);
    else merged.set(family.name, { ...family, series: [...family.series] });
  }
  return [...merged.values()];
}

function toFamily(metric: MetricData, service: string): MetricFamily {
  const { description } = metric.descriptor;
  const name = familyNameOf(metric.descriptor);
  return { name, type: typeOf(metric, name), help: description, series: seriesOf(metric, service) };
}

function typeOf(metric: MetricData, name: string): MetricFamily["type"] {
  if (metric.dataPointType === DataPointType.HISTOGRAM) return "histogram";
  if (metric.dataPointType === DataPointType.SUM && metric.isMonotonic) return "counter";
  // The conventions say `db.client.connection.count`, and Prometheus keeps these endings for histograms and summaries:
  // its linter refuses a gauge of such a name.
  return /_(count|sum|bucket)$/.test(name) ? "unknown" : "gauge";
}

function seriesOf(metric: MetricData, service: string): FamilySeries[] {
  switch (metric.dataPointType) {
    case DataPointType.HISTOGRAM:
      return metric.dataPoints.map((point) => toHistogram(point, labelsOf(point.attributes, service)));
    case DataPointType.SUM:
    case DataPointType.GAUGE:
      return metric.dataPoints.map(({ attributes, value }) => ({ labels: labelsOf(attributes, service), value }));
    case DataPointType.EXPONENTIAL_HISTOGRAM:
      // Nobody asks for any.
      return [];
  }
}

function labelsOf(attributes: Attributes, service: string): SeriesLabels {
  const labels = Object.entries(attributes).map(([name, value]) => [labelOf(name), String(value)] as const);
  return [...labels, ["service_name", service]];
}

/** The name that an instrument's family has: with the unit, without the `_total` of a counter. */
export function familyNameOf({ name, unit }: { name: string; unit: string }): string {
  return name.replace(/[^a-zA-Z0-9_]+/g, "_") + (unitSuffixes[unit] ?? "");
}

/** The label that an attribute's key becomes. */
export function labelOf(attribute: string): string {
  return attribute.replace(/[^a-zA-Z0-9_]+/g, "_");
}

/** The SDK's own histograms have no exemplars. */
type AnyHistogramPoint = Omit<HistogramPoint, "exemplars"> & Partial<Pick<HistogramPoint, "exemplars">>;

function toHistogram({ value, exemplars }: AnyHistogramPoint, labels: SeriesLabels): HistogramFamilySeries {
  const { boundaries, counts } = value.buckets;
  let count = 0;
  const buckets = counts.map((each, index) => {
    count += each;
    return { bound: boundaries[index] ?? Number.POSITIVE_INFINITY, count, exemplar: exemplars?.[index] };
  });
  return { labels, buckets, count: value.count, sum: value.sum ?? 0 };
}
