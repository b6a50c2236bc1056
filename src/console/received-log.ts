/** A log record as it came over OTLP. */

import { ExportLogsServiceRequestSchema } from "../gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import type { LogRecord } from "../gen/opentelemetry/proto/logs/v1/logs_pb.ts";
import { type OtlpBody, parseOtlp } from "./otlp-body.ts";
import {
  type Attributes,
  type AttributeValue,
  type Origin,
  toAttributes,
  toHexId,
  toMs,
  toOrigin,
  toPlainValue,
} from "./otlp-value.ts";

export interface ReceivedLog extends Origin {
  /** Milliseconds since the epoch, with a fraction: when it happened, else when it was observed. */
  atMs: number;
  /** Text as it is, anything else as JSON. */
  body: string;
  /** Not empty when the record is an event. */
  eventName: string;
  /** 1 to 24 (logs data model, "Severity"); 0 when the sender gave none. */
  severityNumber: number;
  severityText: string;
  /** W3C trace flags. */
  flags: number;
  /** Hex. */
  traceId: string | undefined;
  spanId: string | undefined;
  attributes: Attributes;
}

/** The log records of one export request, in its order. */
export function decodeLogs(body: OtlpBody): ReceivedLog[] {
  return parseOtlp(ExportLogsServiceRequestSchema, body).resourceLogs.flatMap(({ resource, scopeLogs }) => {
    const origin = toOrigin(resource);
    return scopeLogs.flatMap(({ logRecords }) => logRecords.map((record) => toReceivedLog(record, origin)));
  });
}

function toReceivedLog(record: LogRecord, origin: Origin): ReceivedLog {
  return {
    ...origin,
    atMs: toMs(record.timeUnixNano || record.observedTimeUnixNano),
    body: toText(toPlainValue(record.body)),
    eventName: record.eventName,
    severityNumber: record.severityNumber,
    severityText: record.severityText,
    flags: record.flags & 0xff,
    traceId: toHexId(record.traceId),
    spanId: toHexId(record.spanId),
    attributes: toAttributes(record.attributes),
  };
}

function toText(value: AttributeValue): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
