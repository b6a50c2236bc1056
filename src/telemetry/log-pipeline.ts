/** How log records leave besides stdout: by OTLP, in batches. */

import type { MeterProvider } from "@opentelemetry/api";
import type { Logger as OtlpLogger } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import type { Resource } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import type { Config } from "../config.ts";
import { productVersion } from "../version.ts";
import type { ExportWatch } from "./diagnostics.ts";
import { withCopy } from "./export-copy.ts";
import { withReasons } from "./export-reason.ts";
import { scopeName } from "./names.ts";
import type { Pipeline } from "./trace-pipeline.ts";

export interface LogPipeline extends Pipeline {
  logger: OtlpLogger;
}

export interface LogMeasures {
  /** Knows how the exports go. */
  exports: ExportWatch;
  /** Count what becomes of each record. */
  sdkMeters: MeterProvider;
}

/** Nothing when no log records are to be exported. */
export function createLogPipeline(
  { otel }: Config,
  resource: Resource,
  { exports, sdkMeters }: LogMeasures,
): LogPipeline | undefined {
  if (otel.disabled || !otel.logsUrl) return undefined;
  const { attributeCountLimit, attributeValueLengthLimit, ...batches } = otel.logRecords;
  const selfObsMeterProvider = sdkMeters;
  const otlp = new OTLPLogExporter({ url: otel.logsUrl, selfObsMeterProvider });
  const copy = otel.copyUrls.logs === undefined ? undefined : new OTLPLogExporter({ url: otel.copyUrls.logs });
  const exporter = withCopy(exports.watch(withReasons(otlp), "logs"), copy);
  const limits = {
    attributeCountLimit,
    ...(attributeValueLengthLimit !== undefined && { attributeValueLengthLimit }),
  };
  const provider = new LoggerProvider({
    resource,
    logRecordLimits: limits,
    processors: [new BatchLogRecordProcessor({ exporter, ...batches, selfObsMeterProvider })],
  });
  return {
    logger: provider.getLogger(scopeName, productVersion),
    forceFlush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
  };
}
