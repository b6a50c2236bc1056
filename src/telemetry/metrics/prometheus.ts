/**
 * Metrics as Prometheus sees them: families of series, named as a collector names what comes by OTLP (OpenTelemetry,
 * "Prometheus and OpenMetrics Compatibility"), so that the names are the same by both ways. They are plain values, which
 * cross from a role's thread to the one that answers the scrape, and become text: OpenMetrics 1.0 with exemplars for a
 * scraper that accepts it, as Prometheus does; else Prometheus text 0.0.4, which has no room for them.
 */

import type { Attributes } from "@opentelemetry/api";
import { DataPointType, type MetricData, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { Exemplar, HistogramPoint } from "../../otlp/metric.ts";
import { key } from "../names.ts";

export interface MetricFamily {
  /** With its unit, without the `_total` of a counter. */
  name: string;
  type: "counter" | "gauge" | "histogram" | "unknown";
  help: string;
  series: FamilySeries[];
}

type SeriesLabels = readonly (readonly [name: string, value: string])[];

type FamilySeries = { labels: SeriesLabels; value: number } | HistogramFamilySeries;

interface HistogramFamilySeries {
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
      // No instrument makes any.
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

function toHistogram({ value, exemplars }: HistogramPoint, labels: SeriesLabels): HistogramFamilySeries {
  const { boundaries, counts } = value.buckets;
  let count = 0;
  const buckets = counts.map((each, index) => {
    count += each;
    return { bound: boundaries[index] ?? Number.POSITIVE_INFINITY, count, exemplar: exemplars?.[index] };
  });
  return { labels, buckets, count: value.count, sum: value.sum ?? 0 };
}

export type MetricsFormat = "openmetrics" | "prometheus";

export const contentTypes: Record<MetricsFormat, string> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

/** The format that the header `accept` prefers; Prometheus text when it names neither. */
export function formatFor(accept: string | null): MetricsFormat {
  const ranges = (accept ?? "").split(",").map((range) => range.trim().toLowerCase());
  const isWanted = ranges.some(
    (range) => /^application\/openmetrics-text\s*(;|$)/.test(range) && !/;\s*q=0(\.0*)?$/.test(range),
  );
  return isWanted ? "openmetrics" : "prometheus";
}

export function toMetricsText(families: readonly MetricFamily[], format: MetricsFormat): string {
  const texts = families.map((family) => familyText(family, format));
  return texts.join("") + (format === "openmetrics" ? "# EOF\n" : "");
}

function familyText(family: MetricFamily, format: MetricsFormat): string {
  const isOpen = format === "openmetrics";
  const sample = family.type === "counter" ? `${family.name}_total` : family.name;
  // Text 0.0.4 knows a counter by the name of its samples.
  const name = isOpen ? family.name : sample;
  const type = family.type === "unknown" && !isOpen ? "untyped" : family.type;
  const help = isOpen ? escapeLabel(family.help) : escapeHelp(family.help);
  const series = family.series.map((each) => seriesText(sample, each, isOpen));
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${series.join("")}`;
}

function seriesText(name: string, series: FamilySeries, isOpen: boolean): string {
  if (!("buckets" in series)) return `${name}${labelText(series.labels)} ${numberText(series.value)}\n`;
  return histogramText(name, series, isOpen);
}

function histogramText(name: string, { labels, buckets, count, sum }: HistogramFamilySeries, isOpen: boolean): string {
  const lines = buckets.map(({ bound, count: upTo, exemplar }) => {
    const bucket = labelText([...labels, ["le", boundText(bound, isOpen)]]);
    return `${name}_bucket${bucket} ${upTo}${isOpen && exemplar ? exemplarText(exemplar) : ""}\n`;
  });
  const own = labelText(labels);
  return `${lines.join("")}${name}_sum${own} ${numberText(sum)}\n${name}_count${own} ${count}\n`;
}

/** OpenMetrics 1.0, "Exemplars"; timestamps are in seconds. */
function exemplarText({ traceId, spanId, value, atMs }: Exemplar): string {
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${numberText(value)} ${(atMs / 1000).toFixed(3)}`;
}

/** OpenMetrics 1.0, "Considerations: Canonical Numbers": a whole bound has a fraction there. */
function boundText(bound: number, isOpen: boolean): string {
  return isOpen && Number.isInteger(bound) ? bound.toFixed(1) : numberText(bound);
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

function labelText(labels: SeriesLabels): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",")}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
