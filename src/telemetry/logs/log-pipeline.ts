/** How log records leave besides stdout: by OTLP, in batches. */

import type { MeterProvider } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  BatchLogRecordProcessor,
  LoggerProvider,
  type LogRecordExporter,
  type SdkLogRecord,
} from "@opentelemetry/sdk-logs";
import { encodeLog } from "../../otlp/log.ts";
import type { Written } from "../../otlp/protobuf.ts";
import type { OtelSettings } from "../../settings/otel-settings.ts";
import { productVersion } from "../../version.ts";
import type { ExportWatch } from "../diagnostics.ts";
import { withReasons } from "../export/export-result.ts";
import { createItemExporter, withCopy } from "../export/otlp-exporter.ts";
import { scopeName } from "../names.ts";
import type { Pipeline } from "../spans/trace-pipeline.ts";
import type { RecordSink } from "./log.ts";

/** With no limit below this one a line of usual fields has no attribute too many. */
const enoughAttributes = 64;

interface LogPipeline extends Pipeline {
  sink: RecordSink;
}

interface LogMeasures {
  /** Knows how the exports go. */
  exports: ExportWatch;
  /** Count what becomes of each record. */
  sdkMeters: MeterProvider;
}

/** Nothing when no log records are to be exported. */
export function createLogPipeline(
  otel: OtelSettings,
  resource: Resource,
  { exports, sdkMeters }: LogMeasures,
): LogPipeline | undefined {
  if (otel.disabled || !otel.logsUrl) return undefined;
  const { attributeCountLimit, attributeValueLengthLimit, ...batches } = otel.logRecords;
  const otlp = createItemExporter("logs", { url: otel.logsUrl, selfObsMeterProvider: sdkMeters });
  const copy = otel.copyUrls.logs === undefined ? undefined : createItemExporter("logs", { url: otel.copyUrls.logs });
  // Typed for the SDK's records, of which it looks at the resource alone, as the processor before it.
  const exporter = withCopy(exports.watch(withReasons(otlp), "logs"), copy) as unknown as LogRecordExporter;
  const processor = new BatchLogRecordProcessor({ exporter, ...batches, selfObsMeterProvider: otlp.meters });
  const limits = {
    attributeCountLimit,
    ...(attributeValueLengthLimit !== undefined && { attributeValueLengthLimit }),
  };
  const instrumentationScope = { name: scopeName, version: productVersion };
  const take = (written: Written): void =>
    processor.onEmit({ resource, instrumentationScope, written } as unknown as SdkLogRecord);
  const isLimited = attributeValueLengthLimit !== undefined || attributeCountLimit < enoughAttributes;
  const provider = new LoggerProvider({
    resource,
    logRecordLimits: limits,
    processors: [
      {
        onEmit: (record) => take(encodeLog(record).written),
        forceFlush: () => processor.forceFlush(),
        shutdown: () => processor.shutdown(),
      },
    ],
  });
  return {
    sink: { logger: provider.getLogger(scopeName, productVersion), take: isLimited ? undefined : take },
    forceFlush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
  };
}
