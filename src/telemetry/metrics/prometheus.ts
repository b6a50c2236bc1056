/**
 * Families of metrics as text: OpenMetrics 1.0 with exemplars for whoever asks for it, as Prometheus does; else
 * Prometheus text 0.0.4, which has no room for them.
 */

import type { FamilySeries, HistogramFamilySeries, MetricFamily, SeriesLabels } from "./metric-family.ts";
import type { Exemplar } from "./series.ts";

export type MetricsFormat = "openmetrics" | "prometheus";

export const contentTypes: Record<MetricsFormat, string> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

/** What the header `accept` asks for; text when it is unsure. */
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
