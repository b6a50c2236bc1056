import { describe, expect, test } from "bun:test";
import {
  type Context,
  createTraceState,
  defaultTextMapGetter,
  defaultTextMapSetter,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  trace,
} from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import fc from "fast-check";
import {
  type Carrier,
  createPropagator,
  fromCarrier,
  fromHeaders,
  spanContextOf,
  toCarrier,
  withoutSpan,
} from "../../src/telemetry/context/propagation.ts";
import { anyText } from "../support/any-text.ts";
import { setPropagators } from "../support/test-tracing.ts";

setPropagators();

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const traceparent = `00-${traceId}-${spanId}-01`;

const hex = (length: number) =>
  fc
    .string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length })
    .filter((id) => /[^0]/.test(id));
const word = fc.string({
  unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789"),
  minLength: 1,
  maxLength: 20,
});

/** What a carrier told, as plain values. */
function told(context: Context): unknown {
  const span = spanContextOf(context);
  return {
    span: span && { traceId: span.traceId, spanId: span.spanId, traceFlags: span.traceFlags },
    traceState: span?.traceState?.serialize(),
    baggage: (propagation.getBaggage(context)?.getAllEntries() ?? []).map(([name, { value }]) => [name, value]),
  };
}

describe("trace context and baggage", () => {
  test("arrive as they left, in carriers and in headers, the random flag included", () => {
    /** A member's key begins with a letter. */
    const anyMember = fc.tuple(
      word.map((key) => `k${key}`),
      word,
    );
    fc.assert(
      fc.property(
        hex(32),
        hex(16),
        fc.nat({ max: 3 }),
        fc.option(anyMember),
        fc.uniqueArray(
          fc.tuple(
            word,
            anyText({ minLength: 1, maxLength: 20 }).map((text) => text.toWellFormed()),
          ),
          {
            maxLength: 5,
            selector: ([name]) => name,
          },
        ),
        (anyTraceId, anySpanId, traceFlags, state, entries) => {
          const traceState = state ? createTraceState(`${state[0]}=${state[1]}`) : undefined;
          const span = { traceId: anyTraceId, spanId: anySpanId, traceFlags };
          const baggage = Object.fromEntries(entries.map(([name, value]) => [name, { value }]));
          const context = propagation.setBaggage(
            trace.setSpanContext(ROOT_CONTEXT, { ...span, ...(traceState && { traceState }) }),
            propagation.createBaggage(baggage),
          );
          const carrier = toCarrier(context);
          const expected = { span, traceState: traceState?.serialize(), baggage: expect.arrayContaining(entries) };
          expect(told(fromCarrier(carrier))).toEqual(expected);
          expect(told(fromHeaders(new Headers(carrier)))).toEqual(expected);
        },
      ),
    );
  });

  test("are written under the names of W3C, and only when there are any", () => {
    const span = { traceId, spanId, traceFlags: 1 };
    expect(toCarrier(ROOT_CONTEXT)).toEqual({});
    expect(toCarrier(trace.setSpanContext(ROOT_CONTEXT, span))).toEqual({ traceparent });
    const whole = propagation.setBaggage(
      trace.setSpanContext(ROOT_CONTEXT, { ...span, traceState: createTraceState("vendor=1") }),
      propagation.createBaggage({ tenant: { value: "blue green" } }),
    );
    expect(toCarrier(whole)).toEqual({ traceparent, tracestate: "vendor=1", baggage: "tenant=blue%20green" });
  });

  test("lose the span and keep the baggage where a new trace begins", () => {
    const context = fromCarrier({ traceparent, tracestate: "vendor=1", baggage: "tenant=blue" });
    expect(toCarrier(withoutSpan(context))).toEqual({ baggage: "tenant=blue" });
  });
});

describe("what cannot be read", () => {
  const nothing = { span: undefined, traceState: undefined, baggage: [] };
  const texts = [
    "",
    "garbage",
    traceparent.slice(0, -1),
    `${traceparent}-more`,
    traceparent.toUpperCase(),
    `ff${traceparent.slice(2)}`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `00-${traceId.slice(1)}g-${spanId}-01`,
    `${traceparent}, ${traceparent}`,
  ];

  test.each(texts)("as traceparent starts a new trace, without the tracestate: %p", (text) => {
    expect(told(fromCarrier({ traceparent: text, tracestate: "vendor=1" }))).toEqual(nothing);
  });

  test("as tracestate or baggage is left out, and the span stays", () => {
    const span = { traceId, spanId, traceFlags: 1 };
    const carriers: Carrier[] = [
      { traceparent, tracestate: "no member", baggage: "no member" },
      { traceparent, tracestate: "=", baggage: "=x;;," },
      { traceparent, baggage: `big=${"x".repeat(9000)}` },
    ];
    for (const carrier of carriers) {
      expect(told(fromCarrier(carrier))).toMatchObject({ span, baggage: [] });
    }
  });

  test("is no span: one whose ids are all zero", () => {
    expect(spanContextOf(trace.setSpanContext(ROOT_CONTEXT, INVALID_SPAN_CONTEXT))).toBeUndefined();
  });

  test("never throws, whatever a stranger sends", () => {
    fc.assert(
      fc.property(anyText(), anyText(), anyText(), (first, tracestate, baggage) => {
        expect(spanContextOf(fromCarrier({ traceparent: first, tracestate, baggage }))).toBeUndefined();
      }),
    );
  });

  test("never throws as B3 either, and gives no span but a valid one", () => {
    const almost = fc
      .tuple(
        fc.constantFrom(traceId, traceId.slice(16), "0".repeat(32)),
        fc.constantFrom(spanId, "0".repeat(16)),
        anyText(),
      )
      .map(([trace, span, rest]) => `${trace}-${span}${rest}`);
    const names = ["b3", "b3multi", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"];
    const value = fc.oneof(
      anyText(),
      almost,
      fc.constantFrom("0", "1", "d", "true", traceId, spanId, `${traceId}-${spanId}-d`),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), (carrier) => {
        const context = fromCarrier(carrier);
        const span = trace.getSpanContext(context);
        expect(span === undefined || trace.isSpanContextValid(span)).toBe(true);
        expect(toCarrier(fromCarrier(toCarrier(context)))).toEqual(toCarrier(context));
      }),
    );
  });

  test("is a version of the future read for what it shares with ours", () => {
    expect(told(fromCarrier({ traceparent: `cc-${traceId}-${spanId}-01-what-comes-then` }))).toMatchObject({
      span: { traceId, spanId, traceFlags: 1 },
    });
  });
});

const otherTraceId = "a".repeat(32);

const w3c = { traceparent, tracestate: "vendor=1" };
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
