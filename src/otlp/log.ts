/** A log record of OTLP (opentelemetry-proto, logs/v1/logs.proto): read as plain JavaScript, and written when the line is. */

import { fromBinary } from "@bufbuild/protobuf";
import type { SpanContext } from "@opentelemetry/api";
import type { SdkLogRecord } from "@opentelemetry/sdk-logs";
import { ExportLogsServiceRequestSchema } from "../gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { type LogRecord, LogRecordSchema } from "../gen/opentelemetry/proto/logs/v1/logs_pb.ts";
import { ProtobufWriter, type Range, type Written } from "./protobuf.ts";
import { type EncodedItem, type OtlpBody, type OtlpItem, parseOtlp } from "./request.ts";
import {
  type Attributes,
  type AttributeValue,
  type Origin,
  toAttributes,
  toHexId,
  toMs,
  toOrigin,
  toPlainValue,
  writeAttribute,
  writeAttributes,
  writeValue,
} from "./values.ts";

/** logs.proto, `LogRecord`. */
const field = {
  time: 1,
  severityNumber: 2,
  severityText: 3,
  body: 5,
  attributes: 6,
  droppedAttributes: 7,
  flags: 8,
  traceId: 9,
  spanId: 10,
  observedTime: 11,
} as const;

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

export function traceIdAtOf(item: OtlpItem): Range | undefined {
  return item.field(field.traceId);
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

const writer = new ProtobufWriter();

/** The record in bytes: what waits for the next export is one array. */
export function encodeLog(record: SdkLogRecord): EncodedItem {
  const { resource, instrumentationScope, spanContext } = record;
  writer.begin();
  writer.nanos(field.time, ...record.hrTime);
  writer.uint(field.severityNumber, record.severityNumber ?? 0);
  writer.text(field.severityText, record.severityText ?? "");
  if (record.body !== undefined) writeValue(writer, field.body, record.body);
  writeAttributes(writer, field.attributes, record.attributes);
  writer.uint(field.droppedAttributes, record.droppedAttributesCount);
  if (spanContext) writeSpanContext(spanContext);
  writer.nanos(field.observedTime, ...record.hrTimeObserved);
  return { resource, instrumentationScope, written: writer.take() };
}

function writeSpanContext({ traceFlags, traceId, spanId }: SpanContext): void {
  writer.fixed32(field.flags, traceFlags);
  writer.hex(field.traceId, traceId);
  writer.hex(field.spanId, spanId);
}

/** Attributes as the fields of a record that has them. */
export function encodeAttributes(attributes: Readonly<Record<string, unknown>>): Uint8Array {
  writer.begin();
  writeAttributes(writer, field.attributes, attributes);
  return writer.take().toBytes();
}

interface RecordHead {
  atMs: number;
  severityNumber: number;
  severityText: string;
  body: string;
  /** Encoded before. */
  attributes: Uint8Array;
}

/** A record in the course of being written, attribute by attribute. One that is not ended is forgotten. */
export const logWriter = {
  begin({ atMs, severityNumber, severityText, body, attributes }: RecordHead): void {
    writer.begin();
    writer.millis(field.time, atMs);
    writer.uint(field.severityNumber, severityNumber);
    writer.text(field.severityText, severityText);
    writeValue(writer, field.body, body);
    writer.copy(attributes);
  },
  attribute(name: string, value: unknown): void {
    writeAttribute(writer, field.attributes, name, value);
  },
  end(atMs: number, span: SpanContext | undefined): Written {
    if (span) writeSpanContext(span);
    writer.millis(field.observedTime, atMs);
    return writer.take();
  },
};
