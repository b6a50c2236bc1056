/** How metrics leave: pushed by OTLP at an interval, and as Prometheus text whenever somebody asks. */

import type { Meter } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import type { Resource } from "@opentelemetry/resources";
import { MeterProvider, MetricReader, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { Config } from "../config.ts";
import { productVersion } from "../version.ts";
import type { ExportWatch } from "./diagnostics.ts";
import { scopeName } from "./names.ts";
import { toPrometheusText } from "./prometheus.ts";
import type { Pipeline } from "./trace-pipeline.ts";

export interface MetricPipeline extends Pipeline {
  meter: Meter;
  /** Everything measured so far, as Prometheus text. */
  scrape(): Promise<string>;
}

export function createMetricPipeline({ otel }: Config, resource: Resource, exports: ExportWatch): MetricPipeline {
  const scraper = new ScrapeReader();
  const readers: MetricReader[] = [scraper];
  const url = otel.disabled ? undefined : otel.metricsUrl;
  if (url) {
    readers.push(
      new PeriodicExportingMetricReader({
        exporter: exports.watch(new OTLPMetricExporter({ url }), "metrics"),
        exportIntervalMillis: otel.metricIntervalMs,
        exportTimeoutMillis: Math.min(30_000, otel.metricIntervalMs),
      }),
    );
  }
  const provider = new MeterProvider({ resource, readers });
  return {
    meter: provider.getMeter(scopeName, productVersion),
    scrape: async () => toPrometheusText((await scraper.collect()).resourceMetrics),
    forceFlush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
  };
}

/** Collects when it is asked, for `/metrics`. */
class ScrapeReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
