/**
 * Spans of traces that are not sampled, kept for a while: when something in such a trace fails, what this process has
 * of it is exported after all, and what follows is sampled, here and in the processes that the context goes on to.
 *
 * Bounded by the number of spans; the oldest traces are forgotten first.
 */

import { SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { isSampled } from "./sampling.ts";

interface FailureBuffer {
  /** Of every span, as it starts. */
  started(span: ReadableSpan): void;
  /** Of every span that ended unsampled. */
  ended(span: ReadableSpan): void;
  /** Exports what there is of the trace, and samples what follows; false when it did so before. */
  keep(traceId: string): boolean;
}

interface FailureBufferOptions {
  /** Spans that have ended, of all traces together; and traces. */
  maxSpans: number;
  export(span: ReadableSpan): void;
  /** Called for each trace that is kept because of a failure here. */
  onKept(traceId: string): void;
}

interface Unsampled {
  live: Set<ReadableSpan>;
  ended: ReadableSpan[];
}

/** Traces that are remembered as kept, for spans that start or end later. */
const maxKept = 10_000;

export function createFailureBuffer({ maxSpans, export: exportSpan, onKept }: FailureBufferOptions): FailureBuffer {
  /** Oldest first. */
  const traces = new Map<string, Unsampled>();
  const kept = new Set<string>();
  let endedSpans = 0;

  const started = (span: ReadableSpan): void => {
    const context = span.spanContext();
    if (isSampled(context)) return;
    if (kept.has(context.traceId)) markSampled(span);
    else traceOf(context.traceId).live.add(span);
  };

  const ended = (span: ReadableSpan): void => {
    const { traceId } = span.spanContext();
    if (kept.has(traceId)) {
      exportKept(span);
      return;
    }
    const unsampled = traceOf(traceId);
    unsampled.live.delete(span);
    unsampled.ended.push(span);
    endedSpans += 1;
    if (isFailure(span)) {
      keep(traceId);
      onKept(traceId);
    } else if (isWholeTrace(span)) forget(traceId, unsampled);
    while (endedSpans > maxSpans || traces.size > maxSpans) forgetOldest();
  };

  const keep = (traceId: string): boolean => {
    if (kept.has(traceId)) return false;
    kept.add(traceId);
    if (kept.size > maxKept) kept.delete(oldest(kept));
    const unsampled = traces.get(traceId);
    if (!unsampled) return true;
    forget(traceId, unsampled);
    for (const span of unsampled.live) markSampled(span);
    for (const span of unsampled.ended) exportKept(span);
    return true;
  };

  const traceOf = (traceId: string): Unsampled => {
    const known = traces.get(traceId);
    if (known) return known;
    const unsampled = { live: new Set<ReadableSpan>(), ended: [] };
    traces.set(traceId, unsampled);
    return unsampled;
  };

  const forgetOldest = (): void => {
    const traceId = oldest(traces.keys());
    const unsampled = traces.get(traceId);
    if (unsampled) forget(traceId, unsampled);
  };

  const forget = (traceId: string, unsampled: Unsampled): void => {
    traces.delete(traceId);
    endedSpans -= unsampled.ended.length;
  };

  const exportKept = (span: ReadableSpan): void => {
    markSampled(span);
    exportSpan(span);
  };

  return { started, ended, keep };
}

/** A call that fails is not yet a failure of its caller, whose own span has that status. */
function isFailure(span: ReadableSpan): boolean {
  return span.status.code === SpanStatusCode.ERROR && (span.kind !== SpanKind.CLIENT || isWholeTrace(span));
}

/** A call that is a trace of its own, as those of housekeeping: no span will follow. */
function isWholeTrace({ kind, parentSpanContext }: ReadableSpan): boolean {
  return kind === SpanKind.CLIENT && parentSpanContext === undefined;
}

/** The span's own context is what its children and its carriers are made from: they are sampled from here on. */
function markSampled(span: ReadableSpan): void {
  span.spanContext().traceFlags |= TraceFlags.SAMPLED;
}

function oldest(keys: Iterable<string>): string {
  for (const key of keys) return key;
  return "";
}
