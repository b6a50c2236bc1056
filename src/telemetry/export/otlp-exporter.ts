/**
 * The OTLP exporters of spans, log records and metrics, as the SDK makes its own (`OTLPTraceExporter` and its sisters), but
 * for the serializer, since the SDK's goes over every item twice at the time of the export and knows no exemplars, and for
 * the answer: what the collector did not take counts as dropped.
 */

import { createNoopMeter, type MeterProvider } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http";
import { type EncodedItem, toRequest } from "../../otlp/request.ts";
import { ExportAnswers, type Exporter, PartialCounts, withReasons } from "./export-result.ts";

interface OtlpExporterOptions {
  url: string;
  /** After so long a batch is given up; default: `OTEL_EXPORTER_OTLP_TIMEOUT`, 10 s. */
  timeoutMillis?: number;
  /** Exports under way at once; those above it fail. */
  concurrencyLimit?: number;
  /** Counts the exports. */
  selfObsMeterProvider?: MeterProvider;
}

const signals = {
  traces: {
    variables: "TRACES",
    component: "otlp_http_span_exporter",
    counted: { name: "span", countItems },
  },
  logs: {
    variables: "LOGS",
    component: "otlp_http_log_exporter",
    counted: { name: "log", countItems },
  },
  metrics: {
    variables: "METRICS",
    component: "otlp_http_metric_exporter",
    counted: { name: "metric_data_point", countItems },
  },
} as const;

function countItems(items: readonly EncodedItem[]): number {
  return items.reduce((sum, { points = 1 }) => sum + points, 0);
}

interface ItemExporter {
  /** The result is an `AnsweredResult`. */
  export(items: EncodedItem[], done: (result: ExportResult) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
  /** For the processor before it, which counts what it has handed over. */
  meters: MeterProvider;
}

const noMeters: MeterProvider = { getMeter: () => createNoopMeter() };

export function createItemExporter(
  signal: keyof typeof signals,
  { selfObsMeterProvider = noMeters, ...config }: OtlpExporterOptions,
): ItemExporter {
  const { variables, component, counted } = signals[signal];
  const answers = new ExportAnswers();
  const counts = new PartialCounts(selfObsMeterProvider);
  const delegate = createOtlpHttpExportDelegate(
    convertLegacyHttpOptions(config, variables, `v1/${signal}`, { "Content-Type": "application/x-protobuf" }),
    answers.remember(toRequest),
    component,
    counted,
    counts.meters,
  );
  return {
    export: (items, done) =>
      delegate.export(items, (result) => {
        const answered = answers.judge(result, countItems(items));
        counts.finish(answered, () => done(answered));
      }),
    forceFlush: () => delegate.forceFlush(),
    shutdown: () => delegate.shutdown(),
    meters: counts.meters,
  };
}

interface CopyExporter<T> {
  export(items: T[], done: () => void): void;
  shutdown(): Promise<void>;
}

/**
 * One signal to two places: the user's, whose results count, and a copy to the console's, which may be lost and neither
 * holds up nor fails an export. The exporter as it is when there is no copy.
 */
export function withCopy<T>(exporter: Exporter<T>, copy: CopyExporter<T> | undefined): Exporter<T> {
  if (!copy) return exporter;
  return {
    export: (items, done) => {
      try {
        copy.export(items, () => {});
      } catch {
        // The console only looks on: what it misses is not reported.
      }
      exporter.export(items, done);
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: async () => {
      await Promise.all([exporter.shutdown(), copy.shutdown().catch(() => {})]);
    },
  };
}

/**
 * Sends an empty export of spans, with the settings that real ones would have. Resolves with nothing when it was taken,
 * else with why not.
 */
export async function probeExport(url: string, timeoutMs: number): Promise<Error | undefined> {
  const exporter = withReasons(createItemExporter("traces", { url, timeoutMillis: timeoutMs }));
  const probed = Promise.withResolvers<Error | undefined>();
  exporter.export([], ({ code, error }) =>
    probed.resolve(code === ExportResultCode.SUCCESS ? undefined : (error ?? new Error("the export failed"))),
  );
  try {
    return await probed.promise;
  } finally {
    await exporter.shutdown();
  }
}
