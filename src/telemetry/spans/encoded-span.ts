/**
 * A span as its bytes in OTLP, made when it ends: what waits for the next export is one array, and not the span with
 * its attributes, events and links.
 */

import type { Link, SpanContext } from "@opentelemetry/api";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace-base";
import { ProtobufWriter } from "../../otlp/protobuf-writer.ts";
import type { EncodedItem } from "../../otlp/request.ts";
import { writeAttributes } from "../../otlp/written-values.ts";

/** Of opentelemetry-proto, trace/v1/trace.proto. */
const spanField = {
  traceId: 1,
  spanId: 2,
  traceState: 3,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  startTime: 7,
  endTime: 8,
  attributes: 9,
  droppedAttributes: 10,
  events: 11,
  droppedEvents: 12,
  links: 13,
  droppedLinks: 14,
  status: 15,
  flags: 16,
} as const;
const eventField = { time: 1, name: 2, attributes: 3, droppedAttributes: 4 } as const;
const linkField = { traceId: 1, spanId: 2, traceState: 3, attributes: 4, droppedAttributes: 5, flags: 6 } as const;
const statusField = { message: 2, code: 3 } as const;

/** `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`. */
const remoteFlags = { isKnown: 0x100, isRemote: 0x200 } as const;

/** Its context says whether it is sampled. */
export type EncodedSpan = EncodedItem & Pick<ReadableSpan, "spanContext">;

const writer = new ProtobufWriter();

/** Throws when what a handler gave, such as a link to nowhere, is not of its type. */
export function encodeSpan(span: ReadableSpan): EncodedSpan {
  const context = span.spanContext();
  writer.begin();
  writeSpan(writer, span, context);
  const { resource, instrumentationScope } = span;
  return { spanContext: () => context, resource, instrumentationScope, bytes: writer.take() };
}

function writeSpan(to: ProtobufWriter, span: ReadableSpan, context: SpanContext): void {
  const parent = span.parentSpanContext;
  to.hex(spanField.traceId, context.traceId);
  to.hex(spanField.spanId, context.spanId);
  if (context.traceState) to.text(spanField.traceState, context.traceState.serialize());
  if (parent) to.hex(spanField.parentSpanId, parent.spanId);
  to.text(spanField.name, span.name);
  // The API counts from INTERNAL, OTLP from UNSPECIFIED.
  to.uint(spanField.kind, span.kind + 1);
  to.nanos(spanField.startTime, span.startTime);
  to.nanos(spanField.endTime, span.endTime);
  writeAttributes(to, spanField.attributes, span.attributes);
  to.uint(spanField.droppedAttributes, span.droppedAttributesCount);
  for (const event of span.events) writeEvent(to, event);
  to.uint(spanField.droppedEvents, span.droppedEventsCount);
  for (const link of span.links) writeLink(to, link);
  to.uint(spanField.droppedLinks, span.droppedLinksCount);
  const status = to.open(spanField.status);
  to.text(statusField.message, span.status.message ?? "");
  to.uint(statusField.code, span.status.code);
  to.close(status);
  to.fixed32(spanField.flags, flagsOf(context.traceFlags, parent?.isRemote));
}

function writeEvent(to: ProtobufWriter, event: TimedEvent): void {
  const start = to.open(spanField.events);
  to.nanos(eventField.time, event.time);
  to.text(eventField.name, event.name);
  writeAttributes(to, eventField.attributes, event.attributes ?? {});
  to.uint(eventField.droppedAttributes, event.droppedAttributesCount ?? 0);
  to.close(start);
}

function writeLink(to: ProtobufWriter, { context, attributes, droppedAttributesCount }: Link): void {
  const start = to.open(spanField.links);
  to.hex(linkField.traceId, context.traceId);
  to.hex(linkField.spanId, context.spanId);
  if (context.traceState) to.text(linkField.traceState, context.traceState.serialize());
  writeAttributes(to, linkField.attributes, attributes ?? {});
  to.uint(linkField.droppedAttributes, droppedAttributesCount ?? 0);
  to.fixed32(linkField.flags, flagsOf(context.traceFlags, context.isRemote));
  to.close(start);
}

function flagsOf(traceFlags: number, isRemote = false): number {
  return (traceFlags & 0xff) | remoteFlags.isKnown | (isRemote ? remoteFlags.isRemote : 0);
}
