import { describe, expect, test } from "bun:test";
import { propagation, ROOT_CONTEXT, type SpanContext, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { spanContextOf } from "../../src/telemetry/context/propagation.ts";
import {
  inSpan,
  linksTo,
  markFailed,
  placeAttempt,
  recordException,
  startSpan,
} from "../../src/telemetry/spans/tracing.ts";
import { TaskError, toFailure } from "../../src/words/errors.ts";
import type { TracePolicy } from "../../src/words/task.ts";
import { startTestTracing } from "../support/test-tracing.ts";

const sender: SpanContext = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  traceFlags: 1,
  isRemote: true,
};
const baggage = propagation.createBaggage({ tenant: { value: "blue" } });
const sent = propagation.setBaggage(trace.setSpanContext(ROOT_CONTEXT, sender), baggage);

describe("the span of an attempt", () => {
  const fiveMinutesMs = 5 * 60_000;

  const cases: [policy: TracePolicy, ageMs: number, isChild: boolean][] = [
    ["auto", 0, true],
    ["auto", fiveMinutesMs - 1, true],
    ["auto", fiveMinutesMs, false],
    ["auto", 7 * 24 * 3_600_000, false],
    ["child", 0, true],
    ["child", 7 * 24 * 3_600_000, true],
    ["link", 0, false],
    ["link", fiveMinutesMs, false],
  ];

  test.each(cases)("under %s, %d ms after the task was made: child of the send is %p", (policy, ageMs, isChild) => {
    const { parent, links } = placeAttempt(policy, sent, ageMs);
    expect(spanContextOf(parent)).toEqual(isChild ? sender : undefined);
    expect(links).toEqual([{ context: sender }]);
    expect(propagation.getBaggage(parent)?.getAllEntries()).toEqual([["tenant", { value: "blue" }]]);
  });

  test("starts a trace without links when the message told of no sender", () => {
    const { parent, links } = placeAttempt("child", ROOT_CONTEXT, 0);
    expect([spanContextOf(parent), links]).toEqual([undefined, []]);
  });
});

test("links lead to the spans that are known", () => {
  expect(linksTo(undefined, sender, undefined)).toEqual([{ context: sender }]);
});

describe("a span around work", () => {
  test("is a child of its context, carries it on, and ends with what the work gives", async () => {
    const { tracer, spans } = startTestTracing();
    const start = { kind: SpanKind.CLIENT, attributes: { "db.namespace": "a.db" }, links: [{ context: sender }] };
    const given = await inSpan(tracer, "UPDATE tasks", sent, start, async ({ span, context }) => {
      startSpan(tracer, "inside", context, { kind: SpanKind.INTERNAL }).span.end();
      expect(spans().map(({ name }) => name)).toEqual(["inside"]);
      return span.spanContext().spanId;
    });
    const [inside, outside] = spans();
    expect(outside?.spanContext().spanId).toBe(given);
    expect(outside?.parentSpanContext).toEqual(sender);
    expect(inside?.parentSpanContext?.spanId).toBe(given);
    expect([outside?.name, outside?.kind, outside?.attributes, outside?.links, outside?.status]).toEqual([
      "UPDATE tasks",
      SpanKind.CLIENT,
      { "db.namespace": "a.db" },
      [{ context: sender }],
      { code: SpanStatusCode.UNSET },
    ]);
  });

  test("is marked with what the work throws, which goes on", async () => {
    const { tracer, spans } = startTestTracing();
    const error = new TaskError("unavailable", "the broker is away");
    const work = inSpan(tracer, "delete q", sent, { kind: SpanKind.CLIENT }, async () => {
      throw error;
    });
    await expect(work).rejects.toBe(error);
    expect(spans().map(({ attributes, status, events }) => ({ attributes, status, events }))).toEqual([
      {
        attributes: { "error.type": "unavailable" },
        status: { code: SpanStatusCode.ERROR, message: "the broker is away" },
        events: [],
      },
    ]);
  });

  test("has no message when that says no more than the type", () => {
    const { tracer, spans } = startTestTracing();
    const { span } = startSpan(tracer, "run", sent, { kind: SpanKind.INTERNAL });
    markFailed(span, { type: "canceled", message: "canceled" });
    span.end();
    expect(spans()[0]?.status).toEqual({ code: SpanStatusCode.ERROR });
  });

  test("records an exception with its stack and the whole chain of causes", () => {
    const { tracer, spans } = startTestTracing();
    const { span } = startSpan(tracer, "run", sent, { kind: SpanKind.INTERNAL });
    recordException(span, toFailure(new RangeError("too far", { cause: new TypeError("no map") })));
    span.end();
    expect(spans()[0]?.events.map(({ name, attributes }) => ({ name, attributes }))).toEqual([
      {
        name: "exception",
        attributes: {
          "exception.type": "RangeError",
          "exception.message": "too far",
          "exception.stacktrace": expect.stringContaining("tracing.test.ts"),
          "throughline.error.cause_chain": ["TypeError: no map"],
        },
      },
    ]);
  });
});
