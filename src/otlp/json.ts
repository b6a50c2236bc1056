/**
 * A trace as OTLP's own JSON ("JSON Protobuf Encoding"), as the Collector and Jaeger read it. Pure. Times are good to a
 * microsecond; the instrumentation scope is not kept.
 */

import type { ReceivedLog } from "./log.ts";
import type { ReceivedSpan, SpanKind, SpanStatus } from "./span.ts";
import type { Attributes, AttributeValue } from "./values.ts";

/** The messages `TracesData` and `LogsData` in one object: their fields have different names. */
export interface OtlpJson {
  resourceSpans: unknown[];
  resourceLogs: unknown[];
}

const kinds: Record<SpanKind, number> = { INTERNAL: 1, SERVER: 2, CLIENT: 3, PRODUCER: 4, CONSUMER: 5 };
const statusCodes: Record<SpanStatus["code"], number> = { UNSET: 0, OK: 1, ERROR: 2 };

export function toOtlpJson(spans: readonly ReceivedSpan[], logs: readonly ReceivedLog[]): OtlpJson {
  return {
    resourceSpans: byResource(spans, (own) => ({ scopeSpans: [{ spans: own.map(toOtlpSpan) }] })),
    resourceLogs: byResource(logs, (own) => ({ scopeLogs: [{ logRecords: own.map(toOtlpLog) }] })),
  };
}

function byResource<Item extends { resource: Attributes }>(
  items: readonly Item[],
  toScopes: (items: Item[]) => object,
): unknown[] {
  const groups = Map.groupBy(items, ({ resource }) => JSON.stringify(resource));
  return [...groups.values()].map((own) => ({
    resource: { attributes: toPairs(own[0]?.resource ?? {}) },
    ...toScopes(own),
  }));
}

function toOtlpSpan(span: ReceivedSpan): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId !== undefined && { parentSpanId: span.parentSpanId }),
    ...(span.traceState !== "" && { traceState: span.traceState }),
    flags: span.flags,
    name: span.name,
    kind: kinds[span.kind],
    startTimeUnixNano: toNano(span.startMs),
    endTimeUnixNano: toNano(span.endMs),
    attributes: toPairs(span.attributes),
    events: span.events.map(({ name, atMs, attributes }) => ({
      timeUnixNano: toNano(atMs),
      name,
      attributes: toPairs(attributes),
    })),
    links: span.links.map(({ traceId, spanId, attributes }) => ({ traceId, spanId, attributes: toPairs(attributes) })),
    status: { code: statusCodes[span.status.code], ...(span.status.message && { message: span.status.message }) },
  };
}

function toOtlpLog(log: ReceivedLog): object {
  return {
    timeUnixNano: toNano(log.atMs),
    severityNumber: log.severityNumber,
    severityText: log.severityText,
    body: { stringValue: log.body },
    ...(log.eventName !== "" && { eventName: log.eventName }),
    attributes: toPairs(log.attributes),
    flags: log.flags,
    ...(log.traceId !== undefined && { traceId: log.traceId }),
    ...(log.spanId !== undefined && { spanId: log.spanId }),
  };
}

/** Through microseconds: a double of nanoseconds since the epoch is a quarter of a microsecond off. */
function toNano(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}

function toPairs(attributes: Attributes): object[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toAnyValue(value) }));
}

function toAnyValue(value: AttributeValue): object {
  if (value === null) return {};
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") {
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(toAnyValue) } };
  return { kvlistValue: { values: toPairs(value) } };
}
