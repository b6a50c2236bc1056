/** How metrics leave: pushed by OTLP at an interval, and as families of series whenever somebody asks. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MeterProvider as MeterProviderApi } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { OTLPMetricExporterBase } from "@opentelemetry/exporter-metrics-otlp-http";
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http";
import { MetricsExporterMetricsHelper, ProtobufMetricsSerializer } from "@opentelemetry/otlp-transformer";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  type MetricData,
  MetricReader,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { Config } from "../../config.ts";
import { ExportMetricsServiceRequestSchema } from "../../gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import {
  type Exemplar as ExemplarMessage,
  ExemplarSchema,
  type Metric,
} from "../../gen/opentelemetry/proto/metrics/v1/metrics_pb.ts";
import type { ExportWatch } from "../diagnostics.ts";
import { ExportAnswers } from "../export/export-result.ts";
import type { Pipeline } from "../spans/trace-pipeline.ts";
import { createMeter, type HistogramPoint, type Meter } from "./meter.ts";
import { type MetricFamily, toFamilies } from "./prometheus.ts";
import type { Exemplar } from "./series.ts";

/** So that whoever looks on sees what happens now; a few milliseconds of CPU each time. */
const copyEveryMs = 5000;

interface MetricPipeline extends Pipeline {
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

/** As the package's own exporter for protobuf is made, but for the serializer and the answer. */
export function createMetricExporter(url: string): OTLPMetricExporterBase {
  const options = convertLegacyHttpOptions({ url }, "METRICS", "v1/metrics", {
    "Content-Type": "application/x-protobuf",
  });
  const component = "otlp_http_metric_exporter";
  const answers = new ExportAnswers();
  const exporter = new OTLPMetricExporterBase(
    createOtlpHttpExportDelegate(
      options,
      answers.remember(serialize),
      component,
      MetricsExporterMetricsHelper,
      undefined,
    ),
  );
  const send = exporter.export.bind(exporter);
  exporter.export = (metrics, done) => send(metrics, (result) => done(answers.judge(result, pointsOf(metrics))));
  return exporter;
}

function pointsOf({ scopeMetrics }: ResourceMetrics): number {
  return scopeMetrics.flatMap(({ metrics }) => metrics).reduce((sum, { dataPoints }) => sum + dataPoints.length, 0);
}

/**
 * For the console: without exemplars, and what does not arrive within `limitMs` is told by nobody, for the next export
 * has it all again.
 */
function createCopyExporter(url: string, limitMs: number): PushMetricExporter {
  const config = { url, timeoutMillis: limitMs * 0.8 };
  const options = convertLegacyHttpOptions(config, "METRICS", "v1/metrics", {
    "Content-Type": "application/x-protobuf",
  });
  const component = "otlp_http_metric_exporter";
  const exporter = new OTLPMetricExporterBase(
    createOtlpHttpExportDelegate(
      options,
      ProtobufMetricsSerializer,
      component,
      MetricsExporterMetricsHelper,
      undefined,
    ),
  );
  const arrived: ExportResult = { code: ExportResultCode.SUCCESS };
  return {
    export: (metrics, done) => exporter.export(metrics, () => done(arrived)),
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}

function serialize(metrics: ResourceMetrics): Uint8Array | undefined {
  const bytes = ProtobufMetricsSerializer.serializeRequest(metrics);
  return bytes && withExemplars(bytes, metrics);
}

/** `bytes` are of `metrics`: scopes, metrics and points stand in the same order in both. */
export function withExemplars(bytes: Uint8Array, { scopeMetrics }: ResourceMetrics): Uint8Array {
  const request = fromBinary(ExportMetricsServiceRequestSchema, bytes);
  const written = request.resourceMetrics.flatMap((resource) => resource.scopeMetrics);
  for (const [index, scope] of scopeMetrics.entries()) {
    for (const [number, metric] of scope.metrics.entries()) addTo(written[index]?.metrics[number], metric);
  }
  return toBinary(ExportMetricsServiceRequestSchema, request);
}

function addTo(written: Metric | undefined, metric: MetricData): void {
  if (written?.data.case !== "histogram" || metric.dataPointType !== DataPointType.HISTOGRAM) return;
  for (const [index, point] of written.data.value.dataPoints.entries()) {
    // Points of the SDK's own histograms have none.
    const { exemplars = [] }: Partial<HistogramPoint> = metric.dataPoints[index] ?? {};
    const kept = exemplars.filter((exemplar) => exemplar !== undefined);
    // A point of what came since the last has no exemplar of before.
    point.exemplars = kept.map(toMessage).filter(({ timeUnixNano }) => timeUnixNano >= point.startTimeUnixNano);
  }
}

function toMessage({ traceId, spanId, value, atMs }: Exemplar): ExemplarMessage {
  return create(ExemplarSchema, {
    timeUnixNano: BigInt(atMs) * 1_000_000n,
    value: { case: "asDouble", value },
    traceId: Buffer.from(traceId, "hex"),
    spanId: Buffer.from(spanId, "hex"),
  });
}
