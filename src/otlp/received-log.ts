/** A log record as it came over OTLP. */

import { fromBinary } from "@bufbuild/protobuf";
import { ExportLogsServiceRequestSchema } from "../gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { type LogRecord, LogRecordSchema } from "../gen/opentelemetry/proto/logs/v1/logs_pb.ts";
import { type OtlpBody, parseOtlp } from "./body.ts";
import type { OtlpItem } from "./item.ts";
import type { Range } from "./protobuf-reader.ts";
import {
  type Attributes,
  type AttributeValue,
  type Origin,
  toAttributes,
  toHexId,
  toMs,
  toOrigin,
  toPlainValue,
} from "./value.ts";

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

/** One of a request that was checked as a whole. */
export function readLog(item: OtlpItem): ReceivedLog {
  return toReceivedLog(fromBinary(LogRecordSchema, item.bytes()), item.origin);
}

/** logs.proto, `LogRecord`. */
const traceIdNumber = 9;

export function traceIdAtOf(item: OtlpItem): Range | undefined {
  return item.field(traceIdNumber);
}

/** Hex; empty when it is of none. */
export function traceIdOf(item: OtlpItem): string {
  const { start, end } = traceIdAtOf(item) ?? { start: 0, end: 0 };
  return item.request.subarray(start, end).toHex();
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
