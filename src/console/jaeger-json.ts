/**
 * Traces in Jaeger's own JSON (`/api/traces`, as its page reads it), as what a receiver of OTLP would have got. Pure.
 * Jaeger's model has no links: a link is a reference that follows from another span, and loses its attributes; the other
 * fields of OTLP that it does not have are tags there.
 */

import { z } from "zod";
import type { ReceivedSpan, SpanKind, SpanStatus } from "../otlp/span.ts";
import type { Attributes } from "../otlp/values.ts";
import { TaskError } from "../words/errors.ts";

const tag = z.object({ key: z.string(), value: z.json() });

const jaegerSpan = z.object({
  traceID: z.string(),
  spanID: z.string(),
  operationName: z.string(),
  references: z.array(z.object({ refType: z.string(), traceID: z.string(), spanID: z.string() })).nullish(),
  /** Microseconds since the epoch. */
  startTime: z.number(),
  duration: z.number(),
  tags: z.array(tag).nullish(),
  logs: z.array(z.object({ timestamp: z.number(), fields: z.array(tag).nullish() })).nullish(),
  processID: z.string(),
});
type JaegerSpan = z.infer<typeof jaegerSpan>;

const jaegerTrace = z.object({
  spans: z.array(jaegerSpan),
  processes: z.record(z.string(), z.object({ serviceName: z.string(), tags: z.array(tag).nullish() })),
});
type JaegerTrace = z.infer<typeof jaegerTrace>;

const jaegerTraces = z.object({ data: z.array(jaegerTrace).nullable() });

/** Tags that Jaeger makes of what OTLP has fields for, or of its own. */
const addedTags: ReadonlySet<string> = new Set([
  "error",
  "internal.span.format",
  "otel.scope.name",
  "otel.scope.version",
  "otel.status_code",
  "otel.status_description",
  "span.kind",
  "w3c.tracestate",
]);

const kinds: ReadonlyMap<unknown, SpanKind> = new Map([
  ["internal", "INTERNAL"],
  ["server", "SERVER"],
  ["client", "CLIENT"],
  ["producer", "PRODUCER"],
  ["consumer", "CONSUMER"],
]);

/** The spans of each trace of an answer; throws `invalid_argument` when `json` is not of that form. */
export function parseJaegerTraces(json: unknown): ReceivedSpan[][] {
  const parsed = jaegerTraces.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") || "the whole";
    throw new TaskError("invalid_argument", `this is no trace in Jaeger's JSON: ${where}: ${issue?.message ?? ""}`);
  }
  return (parsed.data.data ?? []).map((trace) => trace.spans.map((span) => toReceivedSpan(span, trace)));
}

function toReceivedSpan(span: JaegerSpan, { processes }: JaegerTrace): ReceivedSpan {
  const tags = toAttributes(span.tags);
  const process = processes[span.processID];
  const service = process?.serviceName ?? "unknown_service";
  return {
    traceId: toId(span.traceID, 32),
    spanId: toId(span.spanID, 16),
    parentSpanId: parentIdOf(span),
    traceState: textOf(tags["w3c.tracestate"]),
    flags: 1,
    name: span.operationName,
    kind: kinds.get(tags["span.kind"]) ?? "INTERNAL",
    service,
    resource: { "service.name": service, ...toAttributes(process?.tags) },
    startMs: span.startTime / 1000,
    endMs: (span.startTime + span.duration) / 1000,
    status: toStatus(tags),
    attributes: Object.fromEntries(Object.entries(tags).filter(([key]) => !addedTags.has(key))),
    links: (span.references ?? [])
      .filter(({ refType }) => refType === "FOLLOWS_FROM")
      .map(({ traceID, spanID }) => ({ traceId: toId(traceID, 32), spanId: toId(spanID, 16), attributes: {} })),
    events: (span.logs ?? []).map(({ timestamp, fields }) => {
      const { event, ...attributes } = toAttributes(fields);
      return { name: textOf(event), atMs: timestamp / 1000, attributes };
    }),
  };
}

/**
 * Jaeger keeps one reference for a parent that is also linked, the link, and reads the first one within the trace as
 * the parent when there is no other (model/span.go, `ParentSpanID`).
 */
function parentIdOf({ traceID, references }: JaegerSpan): string | undefined {
  const within = (references ?? []).filter((reference) => reference.traceID === traceID);
  const parent = within.find(({ refType }) => refType === "CHILD_OF") ?? within[0];
  return parent && toId(parent.spanID, 16);
}

/** Older versions leave zeros at the front out. */
function toId(text: string, digits: number): string {
  return text.toLowerCase().padStart(digits, "0");
}

function toStatus(tags: Attributes): SpanStatus {
  const code = tags["otel.status_code"];
  const message = textOf(tags["otel.status_description"]);
  if (code === "OK") return { code, message };
  // Clients that never spoke OTLP have only the tag.
  return { code: code === "ERROR" || tags.error === true ? "ERROR" : "UNSET", message };
}

function toAttributes(tags: readonly z.infer<typeof tag>[] | null | undefined): Attributes {
  return Object.fromEntries((tags ?? []).map(({ key, value }) => [key, value]));
}

function textOf(value: Attributes[string] | undefined): string {
  return typeof value === "string" ? value : "";
}
