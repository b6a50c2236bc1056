/**
 * A task's trace as the query API shows it: the rows of one timeline, each span below its parent with its log lines
 * behind it, and the same read again by the command line. Pure.
 */

import type { ReceivedLog } from "../otlp/log.ts";
import type { ReceivedSpan, SpanKind, SpanStatus } from "../otlp/span.ts";
import type { Attributes } from "../otlp/values.ts";
import { toSpanRows } from "./span-tree.ts";
import { isWait, type TaskTrace } from "./task-trace.ts";

/** A moment: milliseconds after `started_at`, with a fraction. */
type OffsetMs = number;

export interface SpanView {
  /** `wait`: the time in which a message waited in the queue that `service` names. */
  kind: "span" | "wait";
  depth: number;
  trace_id: string;
  span_id: string;
  parent_span_id: string | null;
  service: string;
  name: string;
  span_kind: SpanKind;
  offset_ms: OffsetMs;
  duration_ms: number;
  status: SpanStatus;
  attributes: Attributes;
  links: { trace_id: string; span_id: string; attributes: Attributes }[];
  events: { name: string; offset_ms: OffsetMs; attributes: Attributes }[];
}

export interface LogView {
  kind: "log";
  depth: number;
  trace_id: string | null;
  span_id: string | null;
  service: string;
  offset_ms: OffsetMs;
  severity: string;
  message: string;
  attributes: Attributes;
}

export interface TaskTraceView {
  task_id: string;
  /** RFC 3339, with microseconds. */
  started_at: string;
  duration_ms: number;
  /** In the order they began. */
  trace_ids: string[];
  rows: (SpanView | LogView)[];
}

export function toTaskTraceView({ taskId, traceIds, spans, logs }: TaskTrace): TaskTraceView {
  // To the microsecond: what is shown can be read again.
  const zeroMs = floorToMicro(Math.min(...spans.map((span) => span.startMs), ...logs.map((log) => log.atMs)));
  const endMs = Math.max(zeroMs, ...spans.map((span) => span.endMs));
  const offset = (ms: number): OffsetMs => Math.round((ms - zeroMs) * 1000) / 1000;
  const logsBySpan = Map.groupBy(logs, (log) => `${log.traceId}/${log.spanId}`);
  const rows: (SpanView | LogView)[] = [];
  for (const { span, guides } of toSpanRows(spans)) {
    const depth = guides.length / 3;
    rows.push(toSpanView(span, depth, offset));
    const key = `${span.traceId}/${span.spanId}`;
    for (const log of logsBySpan.get(key) ?? []) rows.push(toLogView(log, depth + 1, offset));
    logsBySpan.delete(key);
  }
  // Of spans that were not received, or of none.
  for (const log of [...logsBySpan.values()].flat()) rows.push(toLogView(log, 0, offset));
  return {
    task_id: taskId,
    started_at: toTimeText(zeroMs),
    duration_ms: offset(endMs),
    trace_ids: traceIds,
    rows,
  };
}

function toSpanView(span: ReceivedSpan, depth: number, offset: (ms: number) => OffsetMs): SpanView {
  return {
    kind: isWait(span) ? "wait" : "span",
    depth,
    trace_id: span.traceId,
    span_id: span.spanId,
    parent_span_id: span.parentSpanId ?? null,
    service: span.service,
    name: span.name,
    span_kind: span.kind,
    offset_ms: offset(span.startMs),
    duration_ms: Math.round(Math.max(0, span.endMs - span.startMs) * 1000) / 1000,
    status: span.status,
    attributes: span.attributes,
    links: span.links.map(({ traceId, spanId, attributes }) => ({ trace_id: traceId, span_id: spanId, attributes })),
    events: span.events.map(({ name, atMs, attributes }) => ({ name, offset_ms: offset(atMs), attributes })),
  };
}

function toLogView(log: ReceivedLog, depth: number, offset: (ms: number) => OffsetMs): LogView {
  return {
    kind: "log",
    depth,
    trace_id: log.traceId ?? null,
    span_id: log.spanId ?? null,
    service: log.service,
    offset_ms: offset(log.atMs),
    severity: log.severityText || "UNSPECIFIED",
    message: log.body,
    attributes: log.attributes,
  };
}

/** The spans that `view` was made of, but for what it does not show. */
export function spansOfView({ started_at, rows }: TaskTraceView): ReceivedSpan[] {
  const zeroMs = fromTimeText(started_at);
  return rows.flatMap((row) => {
    if (row.kind === "log") return [];
    return {
      traceId: row.trace_id,
      spanId: row.span_id,
      parentSpanId: row.parent_span_id ?? undefined,
      traceState: "",
      flags: 0,
      service: row.service,
      resource: {},
      name: row.name,
      kind: row.span_kind,
      startMs: zeroMs + row.offset_ms,
      endMs: zeroMs + row.offset_ms + row.duration_ms,
      status: row.status,
      attributes: row.attributes,
      links: row.links.map((link) => ({ traceId: link.trace_id, spanId: link.span_id, attributes: link.attributes })),
      events: row.events.map(({ name, offset_ms, attributes }) => ({ name, atMs: zeroMs + offset_ms, attributes })),
    };
  });
}

/** The log lines of `view`; how grave each was is its text alone. */
export function logsOfView({ started_at, rows }: TaskTraceView): ReceivedLog[] {
  const zeroMs = fromTimeText(started_at);
  return rows.flatMap((row) => {
    if (row.kind !== "log") return [];
    return {
      service: row.service,
      resource: {},
      atMs: zeroMs + row.offset_ms,
      body: row.message,
      eventName: "",
      severityNumber: 0,
      severityText: row.severity,
      flags: 0,
      traceId: row.trace_id ?? undefined,
      spanId: row.span_id ?? undefined,
      attributes: row.attributes,
    };
  });
}

function floorToMicro(ms: number): number {
  return Math.floor(ms * 1000) / 1000;
}

/** `2026-01-01T08:00:00.000123Z` */
export function toTimeText(ms: number): string {
  const wholeMs = Math.floor(ms);
  const micros = Math.min(999, Math.round((ms - wholeMs) * 1000));
  return new Date(wholeMs).toISOString().replace("Z", `${String(micros).padStart(3, "0")}Z`);
}

function fromTimeText(text: string): number {
  const micros = Number(/\.\d{3}(\d{3})Z$/.exec(text)?.[1] ?? 0);
  return Date.parse(text.replace(/(\.\d{3})\d+Z$/, "$1Z")) + micros / 1000;
}
