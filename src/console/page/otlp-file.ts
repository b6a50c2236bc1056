/**
 * Spans and log records of OTLP JSON, read by hand: the generated messages that the receiver uses are ten times the size
 * of all this. Lenient: what is missing is empty. And the plain values of a JSON of any origin. Pure.
 */

import type { ReceivedLog } from "../../otlp/log.ts";
import type { ReceivedSpan, SpanKind, SpanStatus } from "../../otlp/span.ts";
import type { Attributes, AttributeValue } from "../../otlp/values.ts";

export function spansOfOtlp(data: Record<string, unknown>): ReceivedSpan[] {
  return scopesOf(data.resourceSpans, ["scopeSpans", "instrumentationLibrarySpans"]).flatMap(({ origin, scope }) =>
    listOf(scope.spans).map((span) => toSpan(recordOf(span), origin)),
  );
}

export function logsOfOtlp(data: Record<string, unknown>): ReceivedLog[] {
  return scopesOf(data.resourceLogs, ["scopeLogs"]).flatMap(({ origin, scope }) =>
    listOf(scope.logRecords).map((record) => toLog(recordOf(record), origin)),
  );
}

type Origin = Pick<ReceivedSpan, "service" | "resource">;

function scopesOf(resources: unknown, names: readonly string[]): { origin: Origin; scope: Record<string, unknown> }[] {
  return listOf(resources)
    .map(recordOf)
    .flatMap((entry) => {
      const resource = toAttributes(recordOf(entry.resource).attributes);
      const service = resource["service.name"];
      const origin = { service: typeof service === "string" && service ? service : "unknown_service", resource };
      return names.flatMap((name) => listOf(entry[name]).map((scope) => ({ origin, scope: recordOf(scope) })));
    });
}

function toSpan(span: Record<string, unknown>, origin: Origin): ReceivedSpan {
  return {
    ...origin,
    traceId: toId(span.traceId),
    spanId: toId(span.spanId),
    parentSpanId: toId(span.parentSpanId) || undefined,
    traceState: textOf(span.traceState),
    flags: numberOf(span.flags),
    name: textOf(span.name),
    kind: toKind(span.kind),
    startMs: toMs(span.startTimeUnixNano),
    endMs: toMs(span.endTimeUnixNano),
    status: toStatus(recordOf(span.status)),
    attributes: toAttributes(span.attributes),
    links: listOf(span.links)
      .map(recordOf)
      .map((link) => ({
        traceId: toId(link.traceId),
        spanId: toId(link.spanId),
        attributes: toAttributes(link.attributes),
      })),
    events: listOf(span.events)
      .map(recordOf)
      .map((event) => ({
        name: textOf(event.name),
        atMs: toMs(event.timeUnixNano),
        attributes: toAttributes(event.attributes),
      })),
  };
}

function toLog(record: Record<string, unknown>, origin: Origin): ReceivedLog {
  const body = toValue(record.body);
  return {
    ...origin,
    atMs: toMs(record.timeUnixNano) || toMs(record.observedTimeUnixNano),
    body: typeof body === "string" ? body : body === null ? "" : JSON.stringify(body),
    eventName: textOf(record.eventName),
    severityNumber: numberOf(record.severityNumber),
    severityText: textOf(record.severityText),
    flags: numberOf(record.flags),
    traceId: toId(record.traceId) || undefined,
    spanId: toId(record.spanId) || undefined,
    attributes: toAttributes(record.attributes),
  };
}

/** Hex, as OTLP has it; base64 as plain protobuf JSON has it, whose 8 and 16 bytes end in `=`. */
function toId(value: unknown): string {
  const text = textOf(value);
  if (!/^[A-Za-z0-9+/]+={1,2}$/.test(text)) return text.toLowerCase();
  try {
    const bytes = Array.from(atob(text), (letter) => letter.charCodeAt(0).toString(16).padStart(2, "0"));
    return bytes.join("");
  } catch {
    return text;
  }
}

function toMs(nano: unknown): number {
  const text = textOf(nano);
  // Through whole milliseconds: a double of nanoseconds since the epoch is a quarter of a microsecond off.
  if (/^\d{7,30}$/.test(text)) return Number(text.slice(0, -6)) + Number(text.slice(-6)) / 1_000_000;
  return numberOf(nano) / 1_000_000;
}

const kinds: readonly SpanKind[] = ["INTERNAL", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

function toKind(kind: unknown): SpanKind {
  if (typeof kind === "number") return kinds[kind] ?? "INTERNAL";
  const word = textOf(kind).replace("SPAN_KIND_", "");
  return kinds.find((known) => known === word) ?? "INTERNAL";
}

function toStatus({ code, message }: Record<string, unknown>): SpanStatus {
  const isError = code === 2 || code === "STATUS_CODE_ERROR";
  const isOk = code === 1 || code === "STATUS_CODE_OK";
  return { code: isError ? "ERROR" : isOk ? "OK" : "UNSET", message: textOf(message) };
}

function toAttributes(pairs: unknown): Attributes {
  return Object.fromEntries(
    listOf(pairs)
      .map(recordOf)
      .map(({ key, value }) => [textOf(key), toValue(value)]),
  );
}

function toValue(value: unknown): AttributeValue {
  if (!isRecord(value)) return null;
  if (typeof value.stringValue === "string") return value.stringValue;
  if (typeof value.boolValue === "boolean") return value.boolValue;
  if (value.intValue !== undefined) return numberOf(value.intValue);
  if (value.doubleValue !== undefined) return numberOf(value.doubleValue);
  if (typeof value.bytesValue === "string") return value.bytesValue;
  if (isRecord(value.arrayValue)) return listOf(value.arrayValue.values).map(toValue);
  if (isRecord(value.kvlistValue)) return toAttributes(value.kvlistValue.values);
  return null;
}

/** Values of a JSON that came from anywhere, as far as they are what they should be. Pure. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/** 0 of what is none. */
export function numberOf(value: unknown): number {
  const number = typeof value === "string" || typeof value === "number" ? Number(value) : 0;
  return Number.isFinite(number) ? number : 0;
}
