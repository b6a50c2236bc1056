/** A log record as its bytes in OTLP, made when the line is written. */

import type { SdkLogRecord } from "@opentelemetry/sdk-logs";
import { ProtobufWriter } from "../../otlp/protobuf-writer.ts";
import type { EncodedItem } from "../../otlp/request.ts";
import { writeAttributes, writeValue } from "../../otlp/written-values.ts";

/** Of opentelemetry-proto, logs/v1/logs.proto. */
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

const writer = new ProtobufWriter();

export function encodeLog(record: SdkLogRecord): EncodedItem {
  const { resource, instrumentationScope, spanContext } = record;
  writer.begin();
  writer.nanos(field.time, record.hrTime);
  writer.uint(field.severityNumber, record.severityNumber ?? 0);
  writer.text(field.severityText, record.severityText ?? "");
  if (record.body !== undefined) writeValue(writer, field.body, record.body);
  writeAttributes(writer, field.attributes, record.attributes);
  writer.uint(field.droppedAttributes, record.droppedAttributesCount);
  if (spanContext) {
    writer.fixed32(field.flags, spanContext.traceFlags);
    writer.hex(field.traceId, spanContext.traceId);
    writer.hex(field.spanId, spanContext.spanId);
  }
  writer.nanos(field.observedTime, record.hrTimeObserved);
  return { resource, instrumentationScope, bytes: writer.take() };
}
