/** A log record as it came over OTLP, as the line of stdout that it has to be the same as. */

import type { ReceivedLog } from "../../src/otlp/log.ts";
import { key, ownKey } from "../../src/telemetry/names.ts";

export function toLine(record: ReceivedLog): Record<string, unknown> {
  const {
    [key.exceptionType]: type,
    [key.exceptionMessage]: message,
    [key.exceptionStacktrace]: stack,
    [ownKey.causeChain]: causes,
    ...attributes
  } = record.attributes;
  const error = { type, message, ...(stack !== undefined && { stack }), ...(causes !== undefined && { causes }) };
  return {
    time: new Date(record.atMs).toISOString(),
    level: record.severityText,
    severity_number: record.severityNumber,
    msg: record.body,
    trace_id: record.traceId,
    span_id: record.spanId,
    trace_flags: record.flags,
    ...attributes,
    ...(type !== undefined && { error }),
  };
}
