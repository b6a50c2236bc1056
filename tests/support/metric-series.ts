/** Metrics as Prometheus names them, whether they were scraped or came over OTLP. */

import type { ReceivedMetric } from "../../src/otlp/metric.ts";

export interface MetricSeries {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** In one order, so that two lists can be compared. */
export function sortSeries(series: readonly MetricSeries[]): MetricSeries[] {
  const idOf = ({ name, labels }: MetricSeries): string => JSON.stringify([name, Object.entries(labels).sort()]);
  return series.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}

/** Every sample of a scrape (Prometheus text 0.0.4, label values without escapes); throws on any other line. */
export function parsePrometheus(text: string): MetricSeries[] {
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return samples.map((line) => {
    const [, name = "", labels = "", value = ""] = /^([a-z_]+)(?:\{((?:\w+="[^"\\]*",?)*)\})? (\S+)$/.exec(line) ?? [];
    if (name === "" || Number.isNaN(Number(value))) throw new Error(`no sample: "${line}"`);
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", text = ""]) => [label, text]);
    return { name, labels: Object.fromEntries(pairs), value: Number(value) };
  });
}

const unitSuffixes: Record<string, string> = { s: "_seconds", By: "_bytes" };

/** The last value of each series, under the names that a collector gives ("Prometheus and OpenMetrics Compatibility"). */
export function fromOtlp(metrics: readonly ReceivedMetric[]): MetricSeries[] {
  const last = new Map<string, MetricSeries & { atMs: number }>();
  for (const metric of metrics) {
    const name = metric.name + (unitSuffixes[metric.unit] ?? "");
    for (const { atMs, attributes, value } of metric.points) {
      const texts = Object.entries(attributes).map(([label, text]) => [label, String(text)]);
      const labels = { ...Object.fromEntries(texts), service_name: metric.service };
      const isSum = metric.type === "sum" && metric.monotonic;
      const series =
        typeof value === "number"
          ? { name: isSum ? `${name}_total` : name, labels, value }
          : { name: `${name}_count`, labels, value: value.count };
      const id = JSON.stringify([series.name, Object.entries(labels).sort()]);
      if (atMs >= (last.get(id)?.atMs ?? 0)) last.set(id, { ...series, atMs });
    }
  }
  return [...last.values()].map(({ name, labels, value }) => ({ name, labels, value }));
}
