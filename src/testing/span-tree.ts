/** The spans that a test sees: nested, and plain enough to compare. */

import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { PlainSpan } from "../telemetry/spans/plain-span.ts";
import type { FormatSpans, TestedSpan } from "./tested-task.ts";

const kinds: Record<SpanKind, TestedSpan["kind"]> = {
  [SpanKind.INTERNAL]: "internal",
  [SpanKind.SERVER]: "server",
  [SpanKind.CLIENT]: "client",
  [SpanKind.PRODUCER]: "producer",
  [SpanKind.CONSUMER]: "consumer",
};

const codes: Record<SpanStatusCode, TestedSpan["status"]["code"]> = {
  [SpanStatusCode.UNSET]: "unset",
  [SpanStatusCode.OK]: "ok",
  [SpanStatusCode.ERROR]: "error",
};

/** In the order in which they started. A span whose parent has not ended is a root. */
export function toSpanTree(spans: readonly PlainSpan[]): TestedSpan[] {
  const ids = new Set(spans.map(({ context }) => context.spanId));
  const ordered = spans.toSorted((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]);
  const childrenOf = (parentId: string): TestedSpan[] =>
    ordered.filter(({ parent }) => parent?.spanId === parentId).map(toTested);
  const toTested = ({ name, kind, attributes, events, status, context }: PlainSpan): TestedSpan => ({
    name,
    kind: kinds[kind],
    attributes: { ...attributes },
    events: events.map((event) => ({ name: event.name, attributes: { ...event.attributes } })),
    status: { code: codes[status.code], ...(status.message !== undefined && { message: status.message }) },
    children: childrenOf(context.spanId),
  });
  return ordered.filter(({ parent }) => parent === undefined || !ids.has(parent.spanId)).map(toTested);
}

/** Spans as lines of text, each below its parent: `run send-email`, then `└─ POST  error: 503`. */
export const formatSpans: FormatSpans = (spans) => spans.flatMap((span) => [lineOf(span), ...below(span)]).join("\n");

function below({ children }: TestedSpan): string[] {
  return children.flatMap((child, n) => {
    const isLast = n === children.length - 1;
    return [
      `${isLast ? "└─" : "├─"} ${lineOf(child)}`,
      ...below(child).map((line) => `${isLast ? "  " : "│ "} ${line}`),
    ];
  });
}

function lineOf({ name, status, events }: TestedSpan): string {
  const error = status.code === "error" ? `  error: ${status.message ?? "no message"}` : "";
  const told = events.length > 0 ? `  [${events.map((event) => event.name).join(", ")}]` : "";
  return `${name}${error}${told}`;
}
