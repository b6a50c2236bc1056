/** Spans as Jaeger writes them in JSON (its page's "Download", its query API before version 3). Pure. */

import type { ReceivedSpan, SpanKind, SpanStatus } from "../../otlp/span.ts";
import type { Attributes, AttributeValue } from "../../otlp/values.ts";
import { listOf, numberOf, recordOf, textOf } from "./json-value.ts";

export function isJaeger(value: Record<string, unknown>): boolean {
  return Array.isArray(value.data) || (Array.isArray(value.spans) && typeof value.traceID === "string");
}

/** Of one trace, or of an answer with several. */
export function fromJaeger(value: Record<string, unknown>): ReceivedSpan[] {
  const traces = Array.isArray(value.data) ? value.data : [value];
  return traces.map(recordOf).flatMap((trace) => {
    const processes = recordOf(trace.processes);
    return listOf(trace.spans)
      .map(recordOf)
      .map((span) => toSpan(span, recordOf(processes[textOf(span.processID)])));
  });
}

function toSpan(span: Record<string, unknown>, process: Record<string, unknown>): ReceivedSpan {
  const tags = toAttributes(span.tags);
  const startMs = numberOf(span.startTime) / 1000;
  const traceId = idOf(span.traceID, 32);
  const references = listOf(span.references).map(recordOf);
  const parent = references.find(({ refType, traceID }) => refType === "CHILD_OF" && idOf(traceID, 32) === traceId);
  const {
    "span.kind": kind,
    error,
    "otel.status_code": code,
    "otel.status_description": message,
    ...attributes
  } = tags;
  return {
    service: textOf(process.serviceName) || "unknown_service",
    resource: { ...toAttributes(process.tags), "service.name": textOf(process.serviceName) },
    traceId,
    spanId: idOf(span.spanID, 16),
    parentSpanId: parent && idOf(parent.spanID, 16),
    traceState: "",
    flags: numberOf(span.flags),
    name: textOf(span.operationName),
    kind: toKind(kind),
    startMs,
    endMs: startMs + numberOf(span.duration) / 1000,
    status: toStatus(error, code, message),
    attributes,
    links: references
      .filter((reference) => reference !== parent)
      .map(({ traceID, spanID }) => ({ traceId: idOf(traceID, 32), spanId: idOf(spanID, 16), attributes: {} })),
    events: listOf(span.logs)
      .map(recordOf)
      .map((log) => {
        const { event, message: said, ...fields } = toAttributes(log.fields);
        const rest = event === undefined || said === undefined ? fields : { ...fields, message: said };
        return { name: textOf(event) || textOf(said) || "log", atMs: numberOf(log.timestamp) / 1000, attributes: rest };
      }),
  };
}

/** Jaeger leaves out zeros at the beginning. */
function idOf(value: unknown, digits: number): string {
  const text = textOf(value).toLowerCase();
  return text === "" ? "" : text.padStart(digits, "0");
}

const kinds: readonly SpanKind[] = ["SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

function toKind(kind: AttributeValue | undefined): SpanKind {
  return kinds.find((known) => known.toLowerCase() === kind) ?? "INTERNAL";
}

function toStatus(error: unknown, code: unknown, message: unknown): SpanStatus {
  const isError = error === true || error === "true" || code === "ERROR";
  return { code: isError ? "ERROR" : code === "OK" ? "OK" : "UNSET", message: textOf(message) };
}

function toAttributes(tags: unknown): Attributes {
  return Object.fromEntries(
    listOf(tags)
      .map(recordOf)
      .map(({ key, value }) => [textOf(key), toValue(value)]),
  );
}

function toValue(value: unknown): AttributeValue {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
}
