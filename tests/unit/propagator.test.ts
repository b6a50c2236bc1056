import { describe, expect, test } from "bun:test";
import { defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import { createPropagator } from "../../src/telemetry/context/propagator.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const otherTraceId = "a".repeat(32);
const spanId = "00f067aa0ba902b7";

const w3c = { traceparent: `00-${traceId}-${spanId}-01`, tracestate: "vendor=1" };
const baggage = { baggage: "tenant=blue" };
const b3 = { b3: `${otherTraceId}-${spanId}-d` };
const everything = { ...w3c, ...baggage, ...b3 };

/** What goes out again in the context of what came in. */
function passed(names: string[] | undefined, sent: Record<string, string | string[]>): Record<string, string> {
  const propagator = createPropagator(names);
  const written: Record<string, string> = {};
  propagator.inject(propagator.extract(ROOT_CONTEXT, sent, defaultTextMapGetter), written, defaultTextMapSetter);
  return written;
}

describe("OTEL_PROPAGATORS", () => {
  const tracecontextAsB3 = { b3: `${traceId}-${spanId}-d` };
  const settings: [names: string[] | undefined, written: Record<string, string>][] = [
    [undefined, { ...w3c, ...baggage, ...tracecontextAsB3 }],
    [["tracecontext"], w3c],
    [["baggage"], baggage],
    [["tracecontext", "baggage"], { ...w3c, ...baggage }],
    [["b3"], b3],
    [["b3multi"], { "x-b3-traceid": otherTraceId, "x-b3-spanid": spanId, "x-b3-flags": "1" }],
    [["b3", "tracecontext"], { ...w3c, ...tracecontextAsB3 }],
    [["tracecontext", "b3"], { traceparent: `00-${otherTraceId}-${spanId}-01`, ...b3 }],
    [["none"], {}],
    [["tracecontext", "none"], {}],
    [["xray"], { ...w3c, ...baggage, ...tracecontextAsB3 }],
    [["xray", "tracecontext"], w3c],
  ];
  test.each(settings)("%p says what is read and what is written", (names, written) => {
    expect(passed(names, everything)).toEqual(written);
  });
});

test("headers that a program gives as a list count as one, as those of a request do", () => {
  const sent = { traceparent: [w3c.traceparent], tracestate: ["a=1", "b=2"], baggage: ["c=3", "d=4"] };
  expect(passed(undefined, sent)).toEqual({ ...w3c, tracestate: "a=1,b=2", baggage: "c=3,d=4" });
  expect(passed(undefined, { ...sent, traceparent: [w3c.traceparent, w3c.traceparent] })).toEqual({
    baggage: "c=3,d=4",
  });
});

test("a context whose tracing is suppressed is not written", () => {
  const propagator = createPropagator(undefined);
  const context = suppressTracing(propagator.extract(ROOT_CONTEXT, everything, defaultTextMapGetter));
  const written = {};
  propagator.inject(context, written, defaultTextMapSetter);
  expect(written).toEqual({});
});
