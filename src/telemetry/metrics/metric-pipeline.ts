/** How metrics leave: pushed by OTLP at an interval, and as families of series whenever somebody asks. */

import type { MeterProvider as MeterProviderApi } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import type { Config } from "../../config.ts";
import type { ExportWatch } from "../diagnostics.ts";
import type { Pipeline } from "../spans/trace-pipeline.ts";
import { createMeter, type Meter } from "./meter.ts";
import { createCopyExporter, createMetricExporter } from "./metric-exporter.ts";
import { type MetricFamily, toFamilies } from "./metric-family.ts";

/** So that whoever looks on sees what happens now; a few milliseconds of CPU each time. */
const copyEveryMs = 5000;

export interface MetricPipeline extends Pipeline {
  meter: Meter;
  /** What the SDK counts its own work with. */
  sdkMeters: MeterProviderApi;
  /** Everything measured so far. */
  scrape(): Promise<MetricFamily[]>;
}

export function createMetricPipeline({ otel }: Config, resource: Resource, exports: ExportWatch): MetricPipeline {
  const meter = createMeter();
  const scraper = new ScrapeReader({ metricProducers: [meter.producer(() => AggregationTemporality.CUMULATIVE)] });
  const readers: MetricReader[] = [scraper];
  const url = otel.disabled ? undefined : otel.metricsUrl;
  if (url) {
    const exporter = exports.watch(createMetricExporter(url), "metrics");
    readers.push(
      new PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis: otel.metricIntervalMs,
        exportTimeoutMillis: otel.metricTimeoutMs,
        metricProducers: [meter.producer((type) => exporter.selectAggregationTemporality(type))],
      }),
    );
  }
  const copyUrl = otel.disabled ? undefined : otel.copyUrls.metrics;
  if (copyUrl) {
    readers.push(
      new PeriodicExportingMetricReader({
        exporter: createCopyExporter(copyUrl, copyEveryMs),
        exportIntervalMillis: copyEveryMs,
        exportTimeoutMillis: copyEveryMs,
        metricProducers: [meter.producer(() => AggregationTemporality.CUMULATIVE)],
      }),
    );
  }
  const provider = new MeterProvider({ resource, readers });
  return {
    meter,
    sdkMeters: provider,
    scrape: async () => toFamilies((await scraper.collect()).resourceMetrics),
    forceFlush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
  };
}

/** Collects when it is asked, for `/metrics`. */
class ScrapeReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
