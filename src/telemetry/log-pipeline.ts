/** How log records leave besides stdout: by OTLP, in batches. */

import type { Logger as OtlpLogger } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import type { Resource } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import type { Config } from "../config.ts";
import { productVersion } from "../version.ts";
import type { ExportWatch } from "./diagnostics.ts";
import { scopeName } from "./names.ts";
import type { Pipeline } from "./trace-pipeline.ts";

export interface LogPipeline extends Pipeline {
  logger: OtlpLogger;
}

/** Nothing when no log records are to be exported. */
export function createLogPipeline({ otel }: Config, resource: Resource, exports: ExportWatch): LogPipeline | undefined {
  if (otel.disabled || !otel.logsUrl) return undefined;
  const exporter = exports.watch(new OTLPLogExporter({ url: otel.logsUrl }), "logs");
  const { attributeCountLimit, attributeValueLengthLimit, ...batches } = otel.logRecords;
  const limits = {
    attributeCountLimit,
    ...(attributeValueLengthLimit !== undefined && { attributeValueLengthLimit }),
  };
  const provider = new LoggerProvider({
    resource,
    logRecordLimits: limits,
    processors: [new BatchLogRecordProcessor({ exporter, ...batches })],
  });
  return {
    logger: provider.getLogger(scopeName, productVersion),
    forceFlush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
  };
}
