/**
 * Prometheus text of one service, and of several in one scrape. The library's serializer leaves the unit out of the
 * name; a collector puts it in (OpenTelemetry, "Prometheus and OpenMetrics Compatibility"), so we do too: the same
 * names by both ways.
 */

import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";

const unitSuffixes: Record<string, string> = { s: "_seconds", By: "_bytes" };

/** One service's metrics, every series with the label `service_name`. */
export function toPrometheusText(metrics: ResourceMetrics): string {
  const serializer = new PrometheusSerializer(undefined, false, /^service\.name$/, true, true);
  const named = {
    ...metrics,
    scopeMetrics: metrics.scopeMetrics.map((scope) => ({
      ...scope,
      metrics: scope.metrics.map((metric) => {
        const { descriptor } = metric;
        const name = descriptor.name + (unitSuffixes[descriptor.unit] ?? "");
        return { ...metric, descriptor: { ...descriptor, name, unit: "" } };
      }),
    })),
  };
  return serializer.serialize(named);
}

/** Several services' texts as one: all series of a name stand together under one HELP and TYPE, as the format asks. */
export function mergePrometheusTexts(texts: readonly string[]): string {
  const families = new Map<string, { head: string[]; series: string[] }>();
  for (const text of texts) {
    let family: { head: string[]; series: string[] } | undefined;
    for (const line of text.split("\n")) {
      const [, , name] = line.split(" ", 3);
      if (line.startsWith("# HELP ") && name !== undefined) {
        const known = families.get(name);
        family = known ?? { head: [], series: [] };
        if (!known) families.set(name, family);
      }
      if (line.startsWith("# ")) {
        if (family && !family.head.some((head) => head.split(" ", 2)[1] === line.split(" ", 2)[1])) {
          family.head.push(line);
        }
      } else if (line !== "") family?.series.push(line);
    }
  }
  return [...families.values()].flatMap(({ head, series }) => [...head, ...series, ""]).join("\n");
}
