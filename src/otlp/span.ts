/**
 * A span of OTLP (opentelemetry-proto, trace/v1/trace.proto): read as plain JavaScript, and written when it ends, so that
 * what waits for the next export is one array, and not the span with its attributes, events and links.
 */

import { fromBinary } from "@bufbuild/protobuf";
import type { Link, SpanContext } from "@opentelemetry/api";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace-base";
import { ExportTraceServiceRequestSchema } from "../gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import {
  type Span,
  Span_SpanKind,
  SpanSchema,
  type Status,
  Status_StatusCode,
} from "../gen/opentelemetry/proto/trace/v1/trace_pb.ts";
import { ProtobufWriter } from "./protobuf.ts";
import { type EncodedItem, type OtlpBody, type OtlpItem, parseOtlp } from "./request.ts";
import {
  type Attributes,
  type Origin,
  toAttributes,
  toHexId,
  toMs,
  toOrigin,
  writeAttribute,
  writeAttributes,
} from "./values.ts";

export type SpanKind = "INTERNAL" | "SERVER" | "CLIENT" | "PRODUCER" | "CONSUMER";

export interface SpanStatus {
  code: "UNSET" | "OK" | "ERROR";
  message: string;
}

interface SpanLink {
  traceId: string;
  spanId: string;
  attributes: Attributes;
}

interface SpanEvent {
  name: string;
  /** Milliseconds since the epoch, with a fraction. */
  atMs: number;
  attributes: Attributes;
}

/** Ids are hex, times milliseconds since the epoch with a fraction. An id that the sender left out is empty. */
export interface ReceivedSpan extends Origin {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  traceState: string;
  /** Bits 0 to 7 are the W3C trace flags; 8 and 9: whether the parent is remote. */
  flags: number;
  name: string;
  kind: SpanKind;
  startMs: number;
  endMs: number;
  status: SpanStatus;
  attributes: Attributes;
  links: SpanLink[];
  events: SpanEvent[];
}

/** The spans of one export request, in its order. */
export function decodeSpans(body: OtlpBody): ReceivedSpan[] {
  return parseOtlp(ExportTraceServiceRequestSchema, body).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const origin = toOrigin(resource);
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => toReceivedSpan(span, origin)));
  });
}

/** One of a request that was checked as a whole. */
export function readSpan(item: OtlpItem): ReceivedSpan {
  return toReceivedSpan(fromBinary(SpanSchema, item.bytes()), item.origin);
}

function toReceivedSpan(span: Span, origin: Origin): ReceivedSpan {
  return {
    ...origin,
    traceId: toHexId(span.traceId) ?? "",
    spanId: toHexId(span.spanId) ?? "",
    parentSpanId: toHexId(span.parentSpanId),
    traceState: span.traceState,
    flags: span.flags,
    name: span.name,
    kind: toKind(span.kind),
    startMs: toMs(span.startTimeUnixNano),
    endMs: toMs(span.endTimeUnixNano),
    status: toStatus(span.status),
    attributes: toAttributes(span.attributes),
    links: span.links.map((link) => ({
      traceId: toHexId(link.traceId) ?? "",
      spanId: toHexId(link.spanId) ?? "",
      attributes: toAttributes(link.attributes),
    })),
    events: span.events.map((event) => ({
      name: event.name,
      atMs: toMs(event.timeUnixNano),
      attributes: toAttributes(event.attributes),
    })),
  };
}

function toKind(kind: Span_SpanKind): SpanKind {
  switch (kind) {
    case Span_SpanKind.SERVER:
      return "SERVER";
    case Span_SpanKind.CLIENT:
      return "CLIENT";
    case Span_SpanKind.PRODUCER:
      return "PRODUCER";
    case Span_SpanKind.CONSUMER:
      return "CONSUMER";
    // Unspecified counts as internal (trace.proto); so does a kind that a later version adds.
    default:
      return "INTERNAL";
  }
}

function toStatus(status: Status | undefined): SpanStatus {
  const message = status?.message ?? "";
  if (status?.code === Status_StatusCode.ERROR) return { code: "ERROR", message };
  return { code: status?.code === Status_StatusCode.OK ? "OK" : "UNSET", message };
}

/** trace.proto, `Span`. */
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

/** Its context has the flag "sampled". */
export type EncodedSpan = EncodedItem & Pick<ReadableSpan, "spanContext">;

const writer = new ProtobufWriter();

/** Throws when what a handler gave, such as a link to nowhere, is not of its type. */
export function encodeSpan(span: ReadableSpan): EncodedSpan {
  const context = span.spanContext();
  writer.begin();
  writeSpan(writer, span, context);
  const { resource, instrumentationScope } = span;
  return { spanContext: () => context, resource, instrumentationScope, written: writer.take() };
}

function writeSpan(to: ProtobufWriter, span: ReadableSpan, context: SpanContext): void {
  writeIds(to, span, context);
  writeName(to, span);
  to.nanos(spanField.startTime, ...span.startTime);
  to.nanos(spanField.endTime, ...span.endTime);
  writeAttributes(to, spanField.attributes, span.attributes);
  writeRest(to, span, context);
}

function writeIds(to: ProtobufWriter, span: SpanRest, context: SpanContext): void {
  const parent = span.parentSpanContext;
  to.hex(spanField.traceId, context.traceId);
  to.hex(spanField.spanId, context.spanId);
  if (context.traceState) to.text(spanField.traceState, context.traceState.serialize());
  if (parent) to.hex(spanField.parentSpanId, parent.spanId);
}

function writeName(to: ProtobufWriter, { name, kind }: Pick<ReadableSpan, "name" | "kind">): void {
  to.text(spanField.name, name);
  // The API counts from INTERNAL, OTLP from UNSPECIFIED.
  to.uint(spanField.kind, kind + 1);
}

function writeRest(to: ProtobufWriter, span: SpanRest, context: SpanContext): void {
  to.uint(spanField.droppedAttributes, span.droppedAttributesCount);
  for (const event of span.events) writeEvent(to, event);
  to.uint(spanField.droppedEvents, span.droppedEventsCount);
  for (const link of span.links) writeLink(to, link);
  to.uint(spanField.droppedLinks, span.droppedLinksCount);
  const status = to.open(spanField.status);
  to.text(statusField.message, span.status.message ?? "");
  to.uint(statusField.code, span.status.code);
  to.close(status);
  to.fixed32(spanField.flags, flagsOf(context.traceFlags, span.parentSpanContext?.isRemote));
}

/** What of a span is neither its name nor its times nor its attributes. */
type SpanRest = Omit<ReadableSpan, "name" | "kind" | "startTime" | "endTime" | "duration" | "attributes">;

/** Of a span whose kind was prepared: what it has in common with all others of that kind, in bytes. */
export interface SpanBlocks {
  nameAndKind: Uint8Array;
  attributes: Uint8Array;
}

export function encodeBlocks(named: Pick<ReadableSpan, "name" | "kind" | "attributes">): SpanBlocks {
  writer.begin();
  writeName(writer, named);
  const nameAndKind = writer.take().toBytes();
  writer.begin();
  writeAttributes(writer, spanField.attributes, named.attributes);
  return { nameAndKind, attributes: writer.take().toBytes() };
}

/** A span whose kind was prepared, with what is its own. */
export interface PreparedSpan extends SpanRest {
  name: string;
  kind: ReadableSpan["kind"];
  startMs: number;
  endMs: number;
  /** Of its own attributes, in their order. */
  keys: readonly string[];
  values: readonly unknown[];
}

/** The same bytes as `encodeSpan` writes of all of it. */
export function encodePrepared(
  span: PreparedSpan,
  { nameAndKind, attributes }: SpanBlocks,
  hasOwnName: boolean,
): EncodedSpan {
  const context = span.spanContext();
  writer.begin();
  writeIds(writer, span, context);
  if (hasOwnName) writeName(writer, span);
  else writer.copy(nameAndKind);
  writer.millis(spanField.startTime, span.startMs);
  writer.millis(spanField.endTime, span.endMs);
  writer.copy(attributes);
  const { keys, values } = span;
  for (let at = 0; at < keys.length; at++) writeAttribute(writer, spanField.attributes, keys[at] ?? "", values[at]);
  writeRest(writer, span, context);
  const { resource, instrumentationScope } = span;
  return { spanContext: () => context, resource, instrumentationScope, written: writer.take() };
}

function writeEvent(to: ProtobufWriter, event: TimedEvent): void {
  const start = to.open(spanField.events);
  to.nanos(eventField.time, ...event.time);
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
