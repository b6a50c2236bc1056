/**
 * A trace file that is dropped on the page: OTLP as JSON (one object, a list of them, or one a line as the Collector's
 * file exporter writes them), or what Jaeger gives ("JSON" of its page and its API). Pure; bounded; throws `Error` with
 * what is wrong with the file.
 */

import type { ReceivedLog } from "../../otlp/log.ts";
import type { ReceivedSpan, SpanKind, SpanStatus } from "../../otlp/span.ts";
import type { Attributes, AttributeValue } from "../../otlp/values.ts";
import { isRecord, listOf, logsOfOtlp, numberOf, recordOf, spansOfOtlp, textOf } from "./otlp-file.ts";

export interface TraceFile {
  /** In the order in which they begin. */
  traces: FileTrace[];
  /** Spans beyond what is read. */
  left: number;
}

export interface FileTrace {
  traceId: string;
  spans: ReceivedSpan[];
  logs: ReceivedLog[];
}

export const maxFileBytes = 32 * 1024 * 1024;
const maxSpans = 20_000;

export function parseTraceFile(text: string): TraceFile {
  if (text.length > maxFileBytes) throw new Error("the file is larger than 32 MB");
  const parts = partsOf(text);
  const spans = parts.flatMap((part) => (isJaeger(part) ? fromJaeger(part) : spansOfOtlp(part)));
  const logs = parts.flatMap((part) => (isJaeger(part) ? [] : logsOfOtlp(part)));
  const whole = spans.filter(({ traceId, spanId }) => traceId !== "" && spanId !== "");
  if (whole.length === 0)
    throw new Error('no spans are in it: expected OTLP JSON ("resourceSpans") or Jaeger\'s ("data")');
  const read = whole.slice(0, maxSpans);
  const groups = [...Map.groupBy(read, ({ traceId }) => traceId)];
  const traces = groups.map(([traceId, own]) => ({
    traceId,
    spans: own,
    logs: logs.filter((log) => log.traceId === traceId).slice(0, maxSpans),
  }));
  return { traces: traces.sort((a, b) => startOf(a) - startOf(b)), left: whole.length - read.length };
}

function startOf({ spans }: FileTrace): number {
  return spans.reduce((earliest, { startMs }) => Math.min(earliest, startMs), Number.POSITIVE_INFINITY);
}

/** The objects of the file, each of which holds spans in one of the two forms. */
function partsOf(text: string): Record<string, unknown>[] {
  try {
    const value: unknown = JSON.parse(text);
    return (Array.isArray(value) ? value : [value]).filter(isRecord);
  } catch (error) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length < 2) throw new Error(`it is no JSON: ${error instanceof Error ? error.message : String(error)}`);
    return lines.map((line, index) => {
      try {
        return listOf([JSON.parse(line)]).filter(isRecord)[0] ?? {};
      } catch {
        throw new Error(`its line ${index + 1} is no JSON`);
      }
    });
  }
}

/** Spans as Jaeger writes them in JSON (its page's "Download", its query API before version 3). Pure. */
function isJaeger(value: Record<string, unknown>): boolean {
  return Array.isArray(value.data) || (Array.isArray(value.spans) && typeof value.traceID === "string");
}

/** Of one trace, or of an answer with several. */
function fromJaeger(value: Record<string, unknown>): ReceivedSpan[] {
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
        const { event, message, ...fields } = toAttributes(log.fields);
        const rest = event === undefined || message === undefined ? fields : { ...fields, message };
        return {
          name: textOf(event) || textOf(message) || "log",
          atMs: numberOf(log.timestamp) / 1000,
          attributes: rest,
        };
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
