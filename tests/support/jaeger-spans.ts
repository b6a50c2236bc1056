/** Asks Jaeger for spans, and reads its JSON as what a receiver of OTLP would have got. */

import type { ReceivedSpan, SpanKind } from "../../src/console/received-span.ts";

/** The part of Jaeger's answer to `/api/traces…` that is read here. */
interface JaegerTrace {
  spans: JaegerSpan[];
  processes: Record<string, { serviceName: string; tags?: JaegerTag[] }>;
}

interface JaegerSpan {
  traceID: string;
  spanID: string;
  operationName: string;
  references: { refType: "CHILD_OF" | "FOLLOWS_FROM"; traceID: string; spanID: string }[];
  /** Microseconds. */
  startTime: number;
  duration: number;
  tags: JaegerTag[];
  logs: { timestamp: number; fields: JaegerTag[] }[];
  processID: string;
}

interface JaegerTag {
  key: string;
  value: string | number | boolean;
}

/** What Jaeger adds to a span's attributes: the fields of OTLP that its own model does not have. */
const addedTags = new Set([
  "error",
  "internal.span.format",
  "otel.scope.name",
  "otel.scope.version",
  "otel.status_code",
  "otel.status_description",
  "span.kind",
  "w3c.tracestate",
]);

const kinds: Record<string, SpanKind> = {
  internal: "INTERNAL",
  server: "SERVER",
  client: "CLIENT",
  producer: "PRODUCER",
  consumer: "CONSUMER",
};

/** All spans of the trace; none while Jaeger does not know it. */
export async function spansOfTrace(jaegerUrl: string, traceId: string): Promise<ReceivedSpan[]> {
  return ask(`${jaegerUrl}/api/traces/${traceId}`);
}

/** All spans of every trace in which the service made a span of this name. */
export async function spansOfOperation(jaegerUrl: string, service: string, name: string): Promise<ReceivedSpan[]> {
  const query = new URLSearchParams({ service, operation: name, limit: "1000", lookback: "1h" });
  return ask(`${jaegerUrl}/api/traces?${query}`);
}

/** All spans of every trace that a search finds. */
export async function spansFound(jaegerUrl: string, query: URLSearchParams): Promise<ReceivedSpan[]> {
  return ask(`${jaegerUrl}/api/traces?${query}`);
}

async function ask(url: string): Promise<ReceivedSpan[]> {
  const answer = await fetch(url);
  if (answer.status === 404) return [];
  if (!answer.ok) throw new Error(`Jaeger answered ${answer.status}: ${await answer.text()}`);
  // Jaeger's own answer, of the version that is pinned.
  const { data } = (await answer.json()) as { data: JaegerTrace[] };
  return data.flatMap((trace) => trace.spans.map((span) => toReceivedSpan(span, trace)));
}

function toReceivedSpan(span: JaegerSpan, { processes }: JaegerTrace): ReceivedSpan {
  const tags = Object.fromEntries(span.tags.map(({ key, value }) => [key, value]));
  const process = processes[span.processID];
  const parent = parentOf(span);
  return {
    traceId: span.traceID,
    spanId: span.spanID,
    parentSpanId: parent?.spanID,
    traceState: String(tags["w3c.tracestate"] ?? ""),
    flags: 1,
    name: span.operationName,
    kind: kinds[String(tags["span.kind"])] ?? "INTERNAL",
    service: process?.serviceName ?? "",
    resource: toAttributes(process?.tags ?? []),
    startMs: span.startTime / 1000,
    endMs: (span.startTime + span.duration) / 1000,
    status: toStatus(tags),
    attributes: toAttributes(span.tags),
    links: span.references
      .filter(({ refType }) => refType === "FOLLOWS_FROM")
      .map(({ traceID, spanID }) => ({ traceId: traceID, spanId: spanID, attributes: {} })),
    events: span.logs.map(({ timestamp, fields }) => {
      const { event, ...attributes } = toAttributes(fields);
      return { name: String(event), atMs: timestamp / 1000, attributes };
    }),
  };
}

/**
 * Jaeger keeps one reference for a parent that is also linked, the link, and reads the first one within the trace as
 * the parent when there is no other (model/span.go, `ParentSpanID`).
 */
function parentOf({ traceID, references }: JaegerSpan): JaegerSpan["references"][number] | undefined {
  const within = references.filter((reference) => reference.traceID === traceID);
  return within.find(({ refType }) => refType === "CHILD_OF") ?? within[0];
}

function toStatus(tags: Record<string, JaegerTag["value"]>): ReceivedSpan["status"] {
  const message = String(tags["otel.status_description"] ?? "");
  const code = tags["otel.status_code"];
  return { code: code === "ERROR" || code === "OK" ? code : "UNSET", message };
}

function toAttributes(tags: readonly JaegerTag[]): Record<string, JaegerTag["value"]> {
  return Object.fromEntries(tags.filter(({ key }) => !addedTags.has(key)).map(({ key, value }) => [key, value]));
}
