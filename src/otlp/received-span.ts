/** A span as it came over OTLP. */

import { fromBinary } from "@bufbuild/protobuf";
import { ExportTraceServiceRequestSchema } from "../gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import {
  type Span,
  Span_SpanKind,
  SpanSchema,
  type Status,
  Status_StatusCode,
} from "../gen/opentelemetry/proto/trace/v1/trace_pb.ts";
import { type OtlpBody, parseOtlp } from "./body.ts";
import type { OtlpItem } from "./item.ts";
import { type Attributes, type Origin, toAttributes, toHexId, toMs, toOrigin } from "./value.ts";

export type SpanKind = "INTERNAL" | "SERVER" | "CLIENT" | "PRODUCER" | "CONSUMER";

export interface SpanStatus {
  code: "UNSET" | "OK" | "ERROR";
  message: string;
}

export interface SpanLink {
  traceId: string;
  spanId: string;
  attributes: Attributes;
}

export interface SpanEvent {
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
  /** Bits 0 to 7 are the W3C trace flags; 8 and 9 tell whether the parent is remote. */
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
