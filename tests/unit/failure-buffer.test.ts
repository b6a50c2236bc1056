/** Spans of unsampled traces: exported once something in their trace fails, forgotten otherwise. */

import { describe, expect, test } from "bun:test";
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { BasicTracerProvider, type ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { readConfig } from "../../src/config.ts";
import { createFailureBuffer } from "../../src/telemetry/spans/failure-buffer.ts";
import { createSampler, isSampled } from "../../src/telemetry/spans/sampling.ts";
import { SpanEnds } from "../../src/telemetry/spans/span-start.ts";

/** A tracer that samples nothing, in front of a buffer. */
function startBuffered(maxSpans: number) {
  const exported: ReadableSpan[] = [];
  const kept: string[] = [];
  const buffer = createFailureBuffer({
    maxSpans,
    export: (span) => exported.push(span),
    onKept: (traceId) => kept.push(traceId),
  });
  const env = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" };
  const provider = new BasicTracerProvider({
    sampler: createSampler(readConfig({ handlers: "" }, env).config),
    spanProcessors: [new SpanEnds(buffer.started, buffer.ended)],
  });
  const tracer = provider.getTracer("test");
  const start = (name: string, parent: Context = ROOT_CONTEXT, kind = SpanKind.INTERNAL) => {
    const span = tracer.startSpan(name, { kind }, parent);
    return { span, context: trace.setSpan(parent, span) };
  };
  return { buffer, exported, kept, start, names: () => exported.map(({ name }) => name) };
}

function fail(span: Span): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

describe("a trace that is not sampled", () => {
  test("is not exported while nothing in it fails", () => {
    const { start, names, kept } = startBuffered(100);
    const root = start("root");
    start("child", root.context).span.end();
    root.span.end();
    expect([names(), kept]).toEqual([[], []]);
  });

  test("is exported whole once a span of it fails: what ended before, what runs, what begins later", () => {
    const { start, names, exported, kept } = startBuffered(100);
    const root = start("root");
    start("before", root.context).span.end();
    const open = start("open", root.context);
    fail(start("failed", root.context).span);
    expect([names(), kept]).toEqual([["before", "failed"], [root.span.spanContext().traceId]]);
    expect(isSampled(open.span.spanContext())).toBe(true);
    const later = start("later", open.context);
    expect(isSampled(later.span.spanContext())).toBe(true);
    const remote = { ...root.span.spanContext(), traceFlags: 0, spanId: "00f067aa0ba902b7", isRemote: true };
    const again = start("again", trace.setSpanContext(ROOT_CONTEXT, remote));
    for (const { span } of [later, again]) span.end();
    expect(exported.every((span) => isSampled(span.spanContext()))).toBe(true);
  });

  test("is exported when another process says so, and that is not told again", () => {
    const { buffer, start, names, kept } = startBuffered(100);
    const root = start("root");
    start("child", root.context).span.end();
    const { traceId } = root.span.spanContext();
    expect([buffer.keep(traceId), buffer.keep(traceId)]).toEqual([true, false]);
    expect([names(), kept]).toEqual([["child"], []]);
  });

  test("is not exported for a call that fails in it, but for the failure of who made it", () => {
    const { start, names } = startBuffered(100);
    const root = start("root");
    fail(start("call", root.context, SpanKind.CLIENT).span);
    expect(names()).toEqual([]);
    fail(root.span);
    expect(names()).toEqual(["call", "root"]);
  });

  test("and is one call alone is exported when that fails", () => {
    const { start, names } = startBuffered(100);
    start("fine", ROOT_CONTEXT, SpanKind.CLIENT).span.end();
    fail(start("failed", ROOT_CONTEXT, SpanKind.CLIENT).span);
    expect(names()).toEqual(["failed"]);
  });
});

test("no more spans are held than there is room for, the newest traces whole", () => {
  const { buffer, start, names } = startBuffered(10);
  const roots = Array.from({ length: 50 }, (_, number) => {
    const root = start(`root ${number}`);
    start(`child ${number}`, root.context).span.end();
    root.span.end();
    return root.span.spanContext().traceId;
  });
  for (const traceId of roots) buffer.keep(traceId);
  expect(names()).toEqual([45, 46, 47, 48, 49].flatMap((number) => [`child ${number}`, `root ${number}`]));
});

test("a trace that was forgotten while it ran is kept from its failure on", () => {
  const { start, names } = startBuffered(2);
  const root = start("root");
  for (let number = 0; number < 5; number++) start("other").span.end();
  fail(root.span);
  expect(names()).toEqual(["root"]);
});
