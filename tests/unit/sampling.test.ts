/** Which traces are sampled: decided where they begin, followed by every later span. */

import { describe, expect, test } from "bun:test";
import { type Context, createTraceState, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { readConfig } from "../../src/config.ts";
import { fromCarrier, toCarrier } from "../../src/telemetry/context/propagation.ts";
import {
  asSampled,
  createSampler,
  forceSampling,
  inheritSampling,
  isSampled,
  keepsFailures,
} from "../../src/telemetry/spans/sampling.ts";
import { setPropagators } from "../support/test-tracing.ts";

setPropagators();

function configOf(environment: string, env: Record<string, string> = {}) {
  return readConfig({ handlers: "", environment }, env).config;
}

function tracerOf(...given: Parameters<typeof configOf>) {
  return new BasicTracerProvider({ sampler: createSampler(configOf(...given)) }).getTracer("test");
}

const sampledParent = fromCarrier({ traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" });
const unsampledParent = fromCarrier({ traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00" });
const none = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" };

function flagOf(tracer: ReturnType<typeof tracerOf>, context: Context): boolean {
  return isSampled(tracer.startSpan("a span", {}, context).spanContext());
}

describe("a trace that begins here", () => {
  test.each([
    ["development", 1],
    ["staging", 0.5],
    ["production", 0.1],
  ])("in %s is sampled at the ratio %d", (environment, ratio) => {
    const tracer = tracerOf(environment);
    const count = 20_000;
    const share = Array.from({ length: count }, () => flagOf(tracer, ROOT_CONTEXT)).filter(Boolean).length / count;
    // Six standard deviations of a fair draw.
    expect(Math.abs(share - ratio)).toBeLessThanOrEqual(6 * Math.sqrt((ratio * (1 - ratio)) / count));
  });

  test.each([
    ["always_on", undefined, true, true],
    ["always_off", undefined, false, false],
    ["traceidratio", "0", false, false],
    ["traceidratio", "1", true, true],
    ["parentbased_always_on", undefined, true, false],
    ["parentbased_always_off", undefined, false, false],
    ["parentbased_traceidratio", "1", true, false],
  ])("is decided by OTEL_TRACES_SAMPLER %s %s", (name, ratio, ofRoot, ofUnsampledChild) => {
    const env = { OTEL_TRACES_SAMPLER: name, ...(ratio && { OTEL_TRACES_SAMPLER_ARG: ratio }) };
    const tracer = tracerOf("production", env);
    expect([flagOf(tracer, ROOT_CONTEXT), flagOf(tracer, unsampledParent)]).toEqual([ofRoot, ofUnsampledChild]);
  });

  test("is recorded also when it is not sampled", () => {
    for (const name of ["always_off", "parentbased_always_off"]) {
      const span = tracerOf("development", { OTEL_TRACES_SAMPLER: name }).startSpan("a span");
      expect([span.isRecording(), isSampled(span.spanContext())]).toEqual([true, false]);
    }
  });
});

test("a span with a parent follows it", () => {
  expect(flagOf(tracerOf("production", none), sampledParent)).toBe(true);
  expect(flagOf(tracerOf("development"), unsampledParent)).toBe(false);
});

describe("a trace that continues an earlier one", () => {
  const earlier = (traceFlags: number, state?: string): SpanContext => ({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags,
    ...(state && { traceState: createTraceState(state) }),
  });

  test("is sampled as that was, whatever the ratio", () => {
    const [all, nothing] = [tracerOf("development"), tracerOf("production", none)];
    expect(flagOf(nothing, inheritSampling(ROOT_CONTEXT, earlier(1)))).toBe(true);
    expect(flagOf(all, inheritSampling(ROOT_CONTEXT, earlier(0)))).toBe(false);
    expect(flagOf(all, inheritSampling(ROOT_CONTEXT, undefined))).toBe(true);
  });

  test("is forced when that was", () => {
    const span = tracerOf("production", none).startSpan(
      "a span",
      {},
      inheritSampling(ROOT_CONTEXT, earlier(1, "throughline=forced,other=1")),
    );
    expect(span.spanContext()).toMatchObject({ traceFlags: 1 });
    expect(span.spanContext().traceState?.serialize()).toBe("throughline=forced");
  });

  test("has children that follow it, not the decision before it", () => {
    const tracer = tracerOf("development");
    const context = inheritSampling(ROOT_CONTEXT, earlier(0));
    const root = tracer.startSpan("root", {}, context);
    root.spanContext().traceFlags = 1;
    expect(flagOf(tracer, trace.setSpan(context, root))).toBe(true);
  });
});

describe("a forced trace", () => {
  test("is sampled from its first span on, marked, and goes on as forced in every process", () => {
    const tracer = tracerOf("production", none);
    for (const from of [ROOT_CONTEXT, unsampledParent]) {
      const first = tracer.startSpan("first", {}, forceSampling(from));
      const carrier = toCarrier(trace.setSpan(from, first));
      expect(carrier).toMatchObject({ tracestate: "throughline=forced" });
      const next = tracerOf("production", none).startSpan("next", {}, fromCarrier(carrier));
      const marked = { attributes: { "throughline.forced": true } };
      expect([first, next]).toMatchObject([marked, marked]);
      expect(isSampled(next.spanContext())).toBe(true);
    }
  });

  test("is not sampled where tracing is off", () => {
    const tracer = tracerOf("development", { OTEL_TRACES_SAMPLER: "always_off" });
    expect(flagOf(tracer, forceSampling(ROOT_CONTEXT))).toBe(false);
  });
});

test("a context that is marked as sampled keeps its ids and its other flags", () => {
  const random = fromCarrier({ traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02" });
  expect(toCarrier(asSampled(random)).traceparent).toBe("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");
  expect(asSampled(sampledParent)).toBe(sampledParent);
  expect(asSampled(ROOT_CONTEXT)).toBe(ROOT_CONTEXT);
});

test("failures are kept unless somebody has switched tracing off", () => {
  const kept = (name: string) => keepsFailures(configOf("production", { OTEL_TRACES_SAMPLER: name }));
  expect(keepsFailures(configOf("production"))).toBe(true);
  expect(["traceidratio", "always_on", "always_off", "parentbased_always_off"].map(kept)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
