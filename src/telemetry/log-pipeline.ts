/** How log records leave besides stdout: by OTLP, in batches. */

import type { MeterProvider } from "@opentelemetry/api";
import type { Logger as OtlpLogger } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import type { Resource } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import type { Config } from "../config.ts";
import { productVersion } from "../version.ts";
import { withReasons } from "./export-reason.ts";
import { scopeName } from "./names.ts";
import type { Pipeline } from "./trace-pipeline.ts";

const maxQueuedLogs = 32_768;

export interface LogPipeline extends Pipeline {
  logger: OtlpLogger;
}

/** Nothing when no log records are to be exported. `sdkMeters` count what becomes of each. */
export function createLogPipeline(
  { otel }: Config,
  resource: Resource,
  sdkMeters: MeterProvider,
): LogPipeline | undefined {
  if (otel.disabled || !otel.logsUrl) return undefined;
  const exporter = withReasons(new OTLPLogExporter({ url: otel.logsUrl, selfObsMeterProvider: sdkMeters }));
  const provider = new LoggerProvider({
    resource,
    processors: [
      new BatchLogRecordProcessor({
        exporter,
        maxQueueSize: maxQueuedLogs,
        scheduledDelayMillis: 1000,
        selfObsMeterProvider: sdkMeters,
      }),
    ],
  });
  return {
    logger: provider.getLogger(scopeName, productVersion),
    forceFlush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
  };
}
