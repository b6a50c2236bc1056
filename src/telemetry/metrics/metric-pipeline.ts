/** How metrics leave: pushed by OTLP at an interval, and as families of series for each scrape. */

import type { MeterProvider as MeterProviderApi } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from "@opentelemetry/sdk-metrics";
import { encodeMetrics } from "../../otlp/metric.ts";
import type { MetricTemporality, OtelSettings } from "../../settings/otel-settings.ts";
import type { ExportWatch } from "../diagnostics.ts";
import { createItemExporter } from "../export/otlp-exporter.ts";
import type { Pipeline } from "../spans/trace-pipeline.ts";
import { createMeter, type Meter } from "./meter.ts";
import { type MetricFamily, toFamilies } from "./prometheus.ts";

/** Often, so that the console shows what happens now; a few milliseconds of CPU each time. */
const copyEveryMs = 5000;

interface MetricPipeline extends Pipeline {
  meter: Meter;
  /** What the SDK counts its own work with. */
  sdkMeters: MeterProviderApi;
  /** Everything measured so far. */
  scrape(): Promise<MetricFamily[]>;
}

export function createMetricPipeline(otel: OtelSettings, resource: Resource, exports: ExportWatch): MetricPipeline {
  const meter = createMeter();
  const scraper = new ScrapeReader({ metricProducers: [meter.producer(() => AggregationTemporality.CUMULATIVE)] });
  const readers: MetricReader[] = [scraper];
  const url = otel.disabled ? undefined : otel.metricsUrl;
  if (url) {
    const exporter = exports.watch(createMetricExporter(url, otel.metricTemporality), "metrics");
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

/** Collects for each scrape of `/metrics`. */
class ScrapeReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

type MetricExporter = PushMetricExporter & Required<Pick<PushMetricExporter, "selectAggregationTemporality">>;

export function createMetricExporter(url: string, temporality: MetricTemporality): MetricExporter {
  const exporter = createItemExporter("metrics", { url });
  return {
    export: (metrics, done) => exporter.export(encodeMetrics(metrics, { hasExemplars: true }), done),
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
    selectAggregationTemporality: (type) =>
      deltaTypes[temporality].has(type) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
  };
}

/** OTLP metrics exporter, "Additional environment variable configuration": which instruments report differences. */
const deltaTypes: Record<MetricTemporality, ReadonlySet<InstrumentType>> = {
  cumulative: new Set(),
  delta: new Set([
    InstrumentType.COUNTER,
    InstrumentType.OBSERVABLE_COUNTER,
    InstrumentType.GAUGE,
    InstrumentType.OBSERVABLE_GAUGE,
    InstrumentType.HISTOGRAM,
  ]),
  lowmemory: new Set([InstrumentType.COUNTER, InstrumentType.HISTOGRAM]),
};

/** For the console, without exemplars. What does not arrive in time is not reported, for the next export has it all again. */
function createCopyExporter(url: string, limitMs: number): PushMetricExporter {
  const exporter = createItemExporter("metrics", { url, timeoutMillis: limitMs * 0.8 });
  const arrived: ExportResult = { code: ExportResultCode.SUCCESS };
  return {
    export: (metrics, done) => exporter.export(encodeMetrics(metrics, { hasExemplars: false }), () => done(arrived)),
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}
