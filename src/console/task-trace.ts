/**
 * All traces of a task as one: where it was handed in, its attempts, its death, its redrives. Pure. A trace may have
 * other tasks beside it (a batch, a handler that hands in more): their spans are left out, and so is what is below them.
 * The time in which a message waited for its receiver becomes a span of its own.
 */

import type { ReceivedLog } from "../otlp/log.ts";
import type { ReceivedSpan } from "../otlp/span.ts";
import type { Attributes } from "../otlp/values.ts";
import { longestDurationMs } from "../settings/parsers.ts";
import { key, ownKey } from "../telemetry/names.ts";

export interface TaskTrace {
  taskId: string;
  /** In the order they began. */
  traceIds: string[];
  /** In the order they started; waits among them. */
  spans: ReceivedSpan[];
  /** Of those spans, or of the task itself, in the order of their times. */
  logs: ReceivedLog[];
}

/** Begins the id of a wait, which no sender can have made: its span's id follows. */
const waitPrefix = "wait-";

export function isWait({ spanId }: ReceivedSpan): boolean {
  return spanId.startsWith(waitPrefix);
}

/** Longer ones are no ids of ours, and would fill an index. */
const maxTaskIdLength = 128;

export function taskIdOf(attributes: Attributes): string | undefined {
  const id = attributes[ownKey.taskId];
  return typeof id === "string" && id !== "" && id.length <= maxTaskIdLength ? id : undefined;
}

export function stitchTaskTrace(
  taskId: string,
  received: readonly ReceivedSpan[],
  receivedLogs: readonly ReceivedLog[],
): TaskTrace {
  const unique = [...new Map(received.map((span) => [keyOf(span.traceId, span.spanId), span])).values()];
  const own = withoutOtherTasks(taskId, unique).sort(byStart);
  const spans = withWaits(own);
  const kept = new Set(own.map((span) => keyOf(span.traceId, span.spanId)));
  const logs = receivedLogs
    .filter((log) => {
      const ofTask = taskIdOf(log.attributes);
      return ofTask === taskId || (ofTask === undefined && kept.has(keyOf(log.traceId ?? "", log.spanId ?? "")));
    })
    .sort((a, b) => a.atMs - b.atMs);
  return { taskId, traceIds: [...new Set(spans.map((span) => span.traceId))], spans, logs };
}

/** The same spans, and the waits in queues between them, in the order they started. */
export function withWaits(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  return [...spans, ...waitsIn(spans)].sort(byStart);
}

/** The traces that these spans of a task follow by a link, and that are not among theirs: where its story began. */
export function linkedTraceIds(taskId: string, spans: readonly ReceivedSpan[]): string[] {
  const own = new Set(spans.map((span) => span.traceId));
  const linked = spans.filter((span) => taskIdOf(span.attributes) === taskId).flatMap((span) => span.links);
  return [...new Set(linked.map((link) => link.traceId))].filter((traceId) => traceId !== "" && !own.has(traceId));
}

function byStart(a: ReceivedSpan, b: ReceivedSpan): number {
  return a.startMs - b.startMs || a.endMs - b.endMs;
}

function keyOf(traceId: string, spanId: string): string {
  return `${traceId}/${spanId}`;
}

/**
 * A span is another task's when it, or the nearest span above it that names one, names another. What one of the task's
 * own spans hangs below stays all the same: a task that another one's handler handed in began there.
 */
function withoutOtherTasks(taskId: string, spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  const byKey = new Map(spans.map((span) => [keyOf(span.traceId, span.spanId), span]));
  const parentOf = ({ traceId, parentSpanId }: ReceivedSpan): ReceivedSpan | undefined =>
    parentSpanId === undefined ? undefined : byKey.get(keyOf(traceId, parentSpanId));
  const isOwn = new Map<ReceivedSpan, boolean>();
  for (const span of spans) {
    // Upwards, until a span names its task; in a circle none does.
    const path = new Set<ReceivedSpan>();
    let known: boolean | undefined;
    for (let at: ReceivedSpan | undefined = span; at && known === undefined && !path.has(at); at = parentOf(at)) {
      path.add(at);
      const named = taskIdOf(at.attributes);
      known = isOwn.get(at) ?? (named === undefined ? undefined : named === taskId);
    }
    for (const each of path) isOwn.set(each, known ?? true);
  }
  const kept = new Set<ReceivedSpan>();
  for (const span of spans) {
    if (!isOwn.get(span)) continue;
    for (let at: ReceivedSpan | undefined = span; at && !kept.has(at); at = parentOf(at)) kept.add(at);
  }
  return spans.filter((span) => kept.has(span));
}

/**
 * `throughline.queue_wait_ms` counts from when the message was sent. A message that comes again was not waiting while it
 * was processed before: its wait begins at that end.
 */
function waitsIn(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  const ofMessage = Map.groupBy(
    spans.filter((span) => span.kind === "CONSUMER"),
    ({ attributes }) => attributes[key.messagingMessageId],
  );
  return spans.flatMap((span) => {
    const waited = span.attributes[ownKey.queueWaitMs];
    if (span.kind !== "CONSUMER" || typeof waited !== "number" || !(waited > 0 && waited <= longestDurationMs)) {
      return [];
    }
    const messageId = span.attributes[key.messagingMessageId];
    const same = messageId === undefined ? [] : (ofMessage.get(messageId) ?? []).slice(0, maxDeliveries);
    const before = same.filter((other) => other !== span && other.endMs <= span.startMs);
    const startMs = before.reduce((latest, other) => Math.max(latest, other.endMs), span.startMs - waited);
    return startMs < span.startMs ? [toWait(span, startMs)] : [];
  });
}

/** Of one message: more are not worth looking through for each of them. */
const maxDeliveries = 1000;

function toWait(span: ReceivedSpan, startMs: number): ReceivedSpan {
  const queue = span.attributes[key.messagingDestinationName];
  return {
    ...span,
    spanId: `${waitPrefix}${span.spanId}`,
    service: typeof queue === "string" ? queue : "queue",
    resource: {},
    name: "wait",
    kind: "INTERNAL",
    startMs,
    endMs: span.startMs,
    status: { code: "UNSET", message: "" },
    attributes: {},
    links: [],
    events: [],
  };
}
