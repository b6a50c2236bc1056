/** Spans of a kind that was prepared, beside the SDK's spans of the same start, changes and end. */

import { describe, expect, test } from "bun:test";
import { type Attributes, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, type ReadableSpan } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { encodeSpan } from "../../src/otlp/span.ts";
import { parseTraceparent, parseTraceState } from "../../src/telemetry/context/trace-context.ts";
import { withSpan } from "../../src/telemetry/context/with-span.ts";
import { createRedaction } from "../../src/telemetry/logs/redact.ts";
import { createSpanMetrics, type SpanMetrics } from "../../src/telemetry/metrics/span-metrics.ts";
import { prepareSpan, registerSource, type SpanForm } from "../../src/telemetry/spans/prepared-span.ts";
import { createSampler, forceSampling } from "../../src/telemetry/spans/sampling.ts";
import { SpanEnds } from "../../src/telemetry/spans/span-start.ts";
import { startTestMeter } from "../support/test-meter.ts";

/** Always the same, so that spans can be compared. */
const ids = { generateTraceId: () => "4bf92f3577b34da6a3ce929d0e0e4736", generateSpanId: () => "00f067aa0ba902b7" };
const redaction = createRedaction();
const sampler = createSampler({ environment: "development", otel: { sampler: undefined } });
const resource = resourceFromAttributes({ "service.name": "worker" });

/** Makes a span of `form` either way, and gives it once it has ended. */
function startTracers(metrics: { prepared: SpanMetrics; plain: SpanMetrics }) {
  let ended: ReadableSpan | undefined;
  const take = (span: ReadableSpan): void => {
    ended = span;
  };
  const spanProcessors = [metrics.plain, new SpanEnds(() => {}, take)];
  const provider = new BasicTracerProvider({ resource, idGenerator: ids, sampler, spanProcessors });
  const [plain, prepared] = [provider.getTracer("throughline"), provider.getTracer("prepared")];
  const scope = { name: "throughline" };
  const { measureOf } = metrics.prepared;
  registerSource(prepared, { resource, scope, ids, sampler, redaction, measureOf, onStart: () => {}, onEnd: take });
  const make = (tracer: typeof plain, { form, own, parent, ...changes }: Made): ReadableSpan => {
    const { span, context } = prepareSpan(tracer, form).start(parent, { ...own, attributes: { ...own.attributes } });
    expect(trace.getSpan(context)).toBe(span);
    change(span, changes);
    return last();
  };
  const last = (): ReadableSpan => {
    if (!ended) throw new Error("no span has ended");
    return ended;
  };
  return {
    prepared: (one: Made) => make(prepared, one),
    plain: (one: Made) => make(plain, one),
    tracer: prepared,
    last,
  };
}

function startSpanMetrics() {
  const [prepared, plain] = [startTestMeter("worker"), startTestMeter("worker")];
  return {
    meters: { prepared, plain },
    prepared: createSpanMetrics(prepared.meter),
    plain: createSpanMetrics(plain.meter),
  };
}

function change(span: Span, { later, events, status, name, endMs }: Omit<Made, "form" | "own" | "parent">): void {
  for (const [key, value] of later) span.setAttribute(key, value);
  for (const event of events) span.addEvent(event.name, event.attributes, event.atMs);
  if (status) span.setStatus(status);
  if (name !== undefined) span.updateName(name);
  span.end(endMs);
  span
    .setAttribute("late", 1)
    .updateName("late")
    .end(endMs + 1);
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }).filter((value) => value.isWellFormed()),
  fc.constantFrom("https://user:pass@example.com/?token=abc", "x".repeat(300)),
);
const value = fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.array(text, { maxLength: 2 }));
/** So few that the same key comes twice. */
const key = fc.oneof(text, fc.constantFrom("a", "b", "token", "url.query", "url.full", "attempt", "error.type"));
const attributes: fc.Arbitrary<Attributes> = fc.dictionary(key, fc.oneof(value, fc.constant(undefined)), {
  maxKeys: 6,
});
const atMs = fc.double({ min: 1.6e12, max: 1.8e12, noNaN: true });

const remote = parseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
if (!remote) throw new Error("the parent is not valid");
const stated = { ...remote, traceFlags: 3, traceState: parseTraceState("a=1,b=2") ?? emptyError() };
const link = fc.record(
  { context: fc.constantFrom(remote, stated), attributes: fc.constant({ "messaging.message.id": "m" }) },
  { requiredKeys: ["context"] },
);

function emptyError(): never {
  throw new Error("the state is not valid");
}

const kinds: Attributes[] = [
  {},
  { "http.request.method": "POST", "url.scheme": "http" },
  { "http.request.method": "BREW" },
  { "rpc.system.name": "connectrpc", "rpc.method": "tasks.TaskService/GetTask", "server.port": 9000 },
  { "db.system.name": "sqlite", "db.collection.name": "tasks" },
  ...["send", "receive", "process", "delete"].map((operation) => ({
    "messaging.system.name": "aws.sqs",
    "messaging.operation.name": operation,
  })),
];
const measured = fc.record(
  {
    "error.type": fc.constantFrom("unavailable", "E".repeat(200), "other"),
    "http.response.status_code": fc.constantFrom(200, 404),
    "http.route": fc.constantFrom("/v1/tasks", "/v1/tasks/{id}"),
    "url.scheme": fc.constantFrom("http", "https"),
    "rpc.status_code": fc.constantFrom("ok", "unavailable"),
    "server.port": fc.constantFrom(9000, 9001),
    "messaging.batch.message_count": fc.nat(9),
  },
  { requiredKeys: [] },
);

const made = fc.record({
  form: fc
    .record({ name: text, kind: fc.constantFrom(0, 1, 2, 3, 4), system: fc.constantFrom(...kinds), shared: attributes })
    .map(({ system, shared, ...form }): SpanForm => ({ ...form, attributes: { ...system, ...shared } })),
  own: fc
    .record({ attributes, seen: measured, links: fc.array(link, { maxLength: 2 }), startTime: atMs })
    .map(({ seen, ...own }) => ({ ...own, attributes: { ...own.attributes, ...seen } })),
  parent: fc.constantFrom(
    ROOT_CONTEXT,
    forceSampling(ROOT_CONTEXT),
    withSpan(ROOT_CONTEXT, trace.wrapSpanContext(remote)),
    trace.setSpanContext(ROOT_CONTEXT, stated),
    trace.setSpanContext(ROOT_CONTEXT, { ...stated, traceFlags: 0 }),
  ),
  later: fc.array(fc.tuple(key, value), { maxLength: 3 }),
  events: fc.array(fc.record({ name: text, attributes, atMs }), { maxLength: 2 }),
  status: fc.option(
    fc.record(
      { code: fc.constantFrom(0, SpanStatusCode.OK, SpanStatusCode.ERROR), message: text },
      { requiredKeys: ["code"] },
    ),
    { nil: undefined },
  ),
  name: fc.option(text, { nil: undefined }),
  endMs: atMs,
});
type Made = typeof made extends fc.Arbitrary<infer T> ? T : never;

/** As the pipeline of traces does it with spans that are not prepared. */
function encodeMasked(span: ReadableSpan): Uint8Array {
  const events = span.events.map((event) => ({
    ...event,
    ...(event.attributes && { attributes: redaction.redactAttributes(event.attributes) }),
  }));
  const masked = { ...span, ...readable(span), events, attributes: redaction.redactAttributes(span.attributes) };
  return encodeSpan(masked).written.toBytes();
}

/** What of a span is given by getters, and by a method. */
function readable(span: ReadableSpan) {
  const { kind, startTime, endTime, duration, resource, instrumentationScope, ended } = span;
  const { droppedAttributesCount, droppedEventsCount, droppedLinksCount } = span;
  const dropped = { droppedAttributesCount, droppedEventsCount, droppedLinksCount };
  const spanContext = () => span.spanContext();
  return { kind, startTime, endTime, duration, resource, instrumentationScope, ended, ...dropped, spanContext };
}

describe("a span of a kind that was prepared", () => {
  test("is the same message as one that was not, whatever its attributes are", () => {
    const tracers = startTracers(startSpanMetrics());
    fc.assert(
      fc.property(made, (one) => {
        const prepared = tracers.prepared(one);
        if (!("encode" in prepared && typeof prepared.encode === "function")) throw new Error("it is the SDK's");
        const [read, plain] = [encodeMasked(prepared), encodeMasked(tracers.plain(one))];
        expect(Buffer.from(read).equals(plain)).toBe(true);
        expect(Buffer.from(prepared.encode().written.toBytes()).equals(plain)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test("is measured as one that was not", async () => {
    const metrics = startSpanMetrics();
    const tracers = startTracers(metrics);
    const forms = fc.sample(made, { numRuns: 300, seed: 7 });
    for (const one of forms) {
      tracers.prepared(one);
      tracers.plain(one);
    }
    const withoutSums = (lines: string[]) => lines.filter((line) => !line.includes("_sum{"));
    const [prepared, plain] = await Promise.all([metrics.meters.prepared.samples(), metrics.meters.plain.samples()]);
    expect(withoutSums(prepared).length).toBeGreaterThan(500);
    expect(withoutSums(prepared)).toEqual(withoutSums(plain));
  });

  test("keeps to the SDK's limits, and counts what it drops", () => {
    const tracers = startTracers(startSpanMetrics());
    const many = Object.fromEntries(Array.from({ length: 130 }, (_, n) => [`k${n}`, n]));
    const events = Array.from({ length: 130 }, (_, n) => ({ name: `e${n}`, attributes: {}, atMs: 1.7e12 }));
    const links = Array.from({ length: 3 }, () => ({ context: stated }));
    const form = { name: "many", kind: SpanKind.INTERNAL, attributes: { first: 1 } };
    const one = {
      form,
      own: { attributes: many, links, startTime: 1.7e12 },
      parent: ROOT_CONTEXT,
      later: [],
      endMs: 1.7e12,
    };
    const [prepared, plain] = [tracers.prepared, tracers.plain].map((make) =>
      make({ ...one, events, status: undefined, name: undefined }),
    );
    if (!prepared || !plain) throw new Error("there are two");
    expect([prepared.droppedAttributesCount, prepared.droppedEventsCount]).toEqual([3, 2]);
    expect(Buffer.from(encodeMasked(prepared)).equals(encodeMasked(plain))).toBe(true);
  });

  test("lasts as long as the monotonic clock says, and starts to the microsecond", () => {
    const { tracer, last } = startTracers(startSpanMetrics());
    const timed = prepareSpan(tracer, { name: "timed", kind: SpanKind.INTERNAL });
    const starts = Array.from({ length: 100 }, () => {
      const beforeMs = Date.now();
      const startMs = performance.now();
      timed.start(ROOT_CONTEXT).span.end();
      const limitMs = performance.now() - startMs;
      const [seconds, nanos] = last().startTime;
      expect(seconds * 1000 + nanos / 1e6).toBeGreaterThanOrEqual(beforeMs - 2);
      expect(last().duration[1] / 1e6).toBeWithin(0, limitMs + 0.001);
      return nanos;
    });
    expect(starts.some((nanos) => nanos % 1e6 !== 0)).toBe(true);
  });
});
