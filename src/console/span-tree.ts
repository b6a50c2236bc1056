/**
 * The spans of a trace, or of several linked ones, as the rows of a tree: each below its parent, in the order they
 * started. Pure. Spans come from outside: even with a parent that is missing or in a circle, every span is one row.
 */

import type { ReceivedSpan } from "../otlp/span.ts";
import type { AttributeValue } from "../otlp/values.ts";

/** Why a span is a root although it is not where it all began: its parent is missing, or it follows another by a link. */
export type RootMark = "orphan" | "linked";

export interface SpanRow {
  span: ReceivedSpan;
  /** Tree lines before the name. */
  guides: string;
  /** Tree lines before a second line of the same span. */
  continuation: string;
  mark: RootMark | undefined;
  /** Only where it is news: not when the span above has the same. */
  attempt: string | undefined;
  /** What went wrong; only on the innermost of the spans that have it. */
  error: string | undefined;
}

/** A span whose row is not made yet. */
interface Branch {
  span: ReceivedSpan;
  guides: string;
  /** What stands before the guides of its children. */
  below: string;
  attemptAbove: string | undefined;
}

/** Deeper levels get no more lines: no screen has the room. */
const maxGuideCells = 120;
const maxErrorLength = 1000;

/** Every span once; of two with the same id the later one. Roots in the order they started. */
export function toSpanRows(spans: readonly ReceivedSpan[]): SpanRow[] {
  const byId = new Map(spans.map((span) => [idOf(span), span]));
  const ordered = [...byId.values()].sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
  const roots = ordered.filter((span) => !byId.has(parentIdOf(span)));
  const waiting = Map.groupBy(ordered, parentIdOf);
  const rows: SpanRow[] = [];
  // After the true roots the rest: a circle is entered at its earliest span.
  const done = new Set<ReceivedSpan>();
  for (const root of [...roots, ...ordered]) {
    if (done.has(root)) continue;
    const stack: Branch[] = [{ span: root, guides: "", below: "", attemptAbove: undefined }];
    for (let branch = stack.pop(); branch; branch = stack.pop()) {
      done.add(branch.span);
      const children = (waiting.get(idOf(branch.span)) ?? []).filter((child) => !done.has(child));
      const row = toRow(branch, children);
      rows.push(branch.span === root ? { ...row, mark: toMark(root, byId) } : row);
      for (const next of toBranches(branch, children).reverse()) stack.push(next);
    }
  }
  return rows;
}

function toRow({ span, guides, below, attemptAbove }: Branch, children: readonly ReceivedSpan[]): SpanRow {
  const attempt = toAttempt(span);
  const error = describeError(span);
  return {
    span,
    guides,
    continuation: children.length > 0 ? `${below}│  ` : below,
    mark: undefined,
    attempt: attempt === attemptAbove ? undefined : attempt,
    error: children.some((child) => describeError(child) === error) ? undefined : error,
  };
}

function toBranches({ span, below, attemptAbove }: Branch, children: readonly ReceivedSpan[]): Branch[] {
  return children.map((child, index) => {
    const isLast = index === children.length - 1;
    return {
      span: child,
      guides: `${below}${isLast ? "└─ " : "├─ "}`.slice(-maxGuideCells),
      below: `${below}${isLast ? "   " : "│  "}`.slice(-maxGuideCells),
      attemptAbove: toAttempt(span) ?? attemptAbove,
    };
  });
}

function idOf({ traceId, spanId }: { traceId: string; spanId: string }): string {
  return `${traceId}/${spanId}`;
}

/** The id under which its parent would be found; of a root one that no span has. */
function parentIdOf({ traceId, parentSpanId }: ReceivedSpan): string {
  return parentSpanId === undefined ? "" : `${traceId}/${parentSpanId}`;
}

function toMark(root: ReceivedSpan, byId: ReadonlyMap<string, ReceivedSpan>): RootMark | undefined {
  if (root.parentSpanId !== undefined) return "orphan";
  return root.links.some((link) => byId.has(idOf(link))) ? "linked" : undefined;
}

function toAttempt({ attributes }: ReceivedSpan): string | undefined {
  const { attempt } = attributes;
  return typeof attempt === "number" || typeof attempt === "string" ? String(attempt) : undefined;
}

function describeError({ status, attributes, events }: ReceivedSpan): string | undefined {
  if (status.code !== "ERROR") return undefined;
  const exception = events.find((event) => event.name === "exception")?.attributes ?? {};
  const type = toText(attributes["error.type"]) || toText(exception["exception.type"]);
  const message = status.message || toText(exception["exception.message"]);
  const text = type && !message.startsWith(type) ? [type, message].filter(Boolean).join(": ") : message;
  return text.slice(0, maxErrorLength) || undefined;
}

function toText(value: AttributeValue | undefined): string {
  return typeof value === "string" ? value : "";
}
