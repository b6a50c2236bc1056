/**
 * The OTLP exporters of spans and of log records, as the SDK makes its own (`OTLPTraceExporter`, `OTLPLogExporter`), but
 * for the serializer: the SDK's goes over every item twice, once for the sizes, at the time of the export.
 */

import type { MeterProvider } from "@opentelemetry/api";
import { OTLPExporterBase } from "@opentelemetry/otlp-exporter-base";
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from "@opentelemetry/otlp-exporter-base/node-http";
import {
  LogsExporterMetricsHelper,
  ProtobufLogsSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from "@opentelemetry/otlp-transformer";
import { type EncodedItem, toRequest } from "./otlp-request.ts";

export interface OtlpExporterOptions {
  url: string;
  /** Exports under way at once; those above it fail. */
  concurrencyLimit?: number;
  /** Counts the exports. */
  selfObsMeterProvider?: MeterProvider;
}

export type ItemExporter = OTLPExporterBase<EncodedItem[]>;

const contentType = { "Content-Type": "application/x-protobuf" };

export function createSpanExporter({ selfObsMeterProvider, ...config }: OtlpExporterOptions): ItemExporter {
  return new OTLPExporterBase(
    createOtlpHttpExportDelegate(
      convertLegacyHttpOptions(config, "TRACES", "v1/traces", contentType),
      {
        serializeRequest: (items: EncodedItem[]) => toRequest(items),
        deserializeResponse: (bytes) => ProtobufTraceSerializer.deserializeResponse(bytes),
      },
      "otlp_http_span_exporter",
      { ...TraceExporterMetricsHelper, countItems: (items) => items.length },
      selfObsMeterProvider,
    ),
  );
}

export function createLogExporter({ selfObsMeterProvider, ...config }: OtlpExporterOptions): ItemExporter {
  return new OTLPExporterBase(
    createOtlpHttpExportDelegate(
      convertLegacyHttpOptions(config, "LOGS", "v1/logs", contentType),
      {
        serializeRequest: (items: EncodedItem[]) => toRequest(items),
        deserializeResponse: (bytes) => ProtobufLogsSerializer.deserializeResponse(bytes),
      },
      "otlp_http_log_exporter",
      { ...LogsExporterMetricsHelper, countItems: (items) => items.length },
      selfObsMeterProvider,
    ),
  );
}
