import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { fromJsonString, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import type { DecodedSink } from "../../src/console/receiver.ts";
import { ExportTraceServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import type { Listener } from "../../src/http/listen.ts";
import type { ReceivedLog } from "../../src/otlp/log.ts";
import type { ReceivedMetric } from "../../src/otlp/metric.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { createMetricExporter } from "../../src/telemetry/metrics/metric-pipeline.ts";
import { eventually } from "../support/eventually.ts";
import { startReceiver } from "../support/otlp-receiver.ts";

const mebibyte = 1024 * 1024;
const protobuf = { "content-type": "application/x-protobuf" };
const json = { "content-type": "application/json" };

interface Received {
  listener: Listener;
  spans: ReceivedSpan[];
  logs: ReceivedLog[];
  metrics: ReceivedMetric[];
}

const open: Listener[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.stop()));
});

async function startWith(sink: DecodedSink): Promise<Listener> {
  const listener = await startReceiver({ host: "127.0.0.1", port: 0 }, sink);
  open.push(listener);
  return listener;
}

async function start(): Promise<Received> {
  const spans: ReceivedSpan[] = [];
  const logs: ReceivedLog[] = [];
  const metrics: ReceivedMetric[] = [];
  const listener = await startWith({
    spans: (more) => spans.push(...more),
    logs: (more) => logs.push(...more),
    metrics: (more) => metrics.push(...more),
  });
  return { listener, spans, logs, metrics };
}

function post(listener: Listener, path: string, headers: Record<string, string>, body: BodyInit): Promise<Response> {
  return fetch(`${listener.url}${path}`, { method: "POST", headers, body });
}

const resource = resourceFromAttributes({ "service.name": "worker", "process.pid": 42 });

describe("what a real exporter sends", () => {
  test("spans arrive whole: ids, times, status, attributes, links, events and the resource", async () => {
    const { listener, spans } = await start();
    const exporter = new OTLPTraceExporter({ url: `${listener.url}/v1/traces` });
    const provider = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter)] });
    const tracer = provider.getTracer("test");
    const linked = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };

    const parent = tracer.startSpan("process task-events", { kind: SpanKind.CONSUMER, startTime: 1_700_000_000_000 });
    const child = tracer.startSpan(
      "run send-email",
      {
        startTime: [1_700_000_000, 1_500_000],
        attributes: { attempt: 2, "throughline.outcome": "failed", sampled: true, ratio: 0.5, tags: ["a", "b"] },
        links: [{ context: linked, attributes: { why: "sent" } }],
      },
      trace.setSpan(context.active(), parent),
    );
    child.addEvent("exception", { "exception.type": "SmtpRefused" }, [1_700_000_000, 2_250_000]);
    child.setStatus({ code: SpanStatusCode.ERROR, message: "421 try later" });
    child.end([1_700_000_000, 3_000_000]);
    parent.end(1_700_000_000_004);
    await provider.shutdown();

    const { traceId, spanId } = child.spanContext();
    expect(spans).toEqual([
      {
        traceId,
        spanId,
        parentSpanId: parent.spanContext().spanId,
        traceState: "",
        flags: 0x101,
        name: "run send-email",
        kind: "INTERNAL",
        service: "worker",
        resource: { "service.name": "worker", "process.pid": 42 },
        startMs: 1_700_000_000_001.5,
        endMs: 1_700_000_000_003,
        status: { code: "ERROR", message: "421 try later" },
        attributes: { attempt: 2, "throughline.outcome": "failed", sampled: true, ratio: 0.5, tags: ["a", "b"] },
        links: [{ traceId: linked.traceId, spanId: linked.spanId, attributes: { why: "sent" } }],
        events: [{ name: "exception", atMs: 1_700_000_000_002.25, attributes: { "exception.type": "SmtpRefused" } }],
      },
      expect.objectContaining({
        name: "process task-events",
        kind: "CONSUMER",
        parentSpanId: undefined,
        status: { code: "UNSET", message: "" },
      }),
    ]);
  });

  test("log records arrive with their trace, severity and body", async () => {
    const { listener, logs } = await start();
    const exporter = new OTLPLogExporter({ url: `${listener.url}/v1/logs` });
    const provider = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter })] });
    const spanContext = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
    const logger = provider.getLogger("test");
    logger.emit({
      timestamp: 1_700_000_000_001,
      severityNumber: SeverityNumber.WARN,
      severityText: "warn",
      body: "attempt failed, will retry",
      attributes: { attempt: 1 },
      context: trace.setSpanContext(context.active(), spanContext),
    });
    logger.emit({ timestamp: 1_700_000_000_002, body: { msg: "structured", causes: ["a"] } });
    await provider.shutdown();

    const origin = { service: "worker", resource: { "service.name": "worker", "process.pid": 42 } };
    expect(logs.toSorted((a, b) => a.atMs - b.atMs)).toEqual([
      {
        ...origin,
        atMs: 1_700_000_000_001,
        body: "attempt failed, will retry",
        eventName: "",
        severityNumber: 13,
        severityText: "warn",
        flags: 1,
        traceId: spanContext.traceId,
        spanId: spanContext.spanId,
        attributes: { attempt: 1 },
      },
      {
        ...origin,
        atMs: 1_700_000_000_002,
        body: '{"msg":"structured","causes":["a"]}',
        eventName: "",
        severityNumber: 0,
        severityText: "",
        flags: 0,
        traceId: undefined,
        spanId: undefined,
        attributes: {},
      },
    ]);
  });

  test("counters, up-down counters, gauges and histograms arrive with their points", async () => {
    const { listener, metrics } = await start();
    const exporter = createMetricExporter(`${listener.url}/v1/metrics`, "cumulative");
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({ resource, readers: [reader] });
    const meter = provider.getMeter("test");
    meter.createCounter("tasks_processed", { description: "Tasks", unit: "{task}" }).add(3, { status: "succeeded" });
    meter.createUpDownCounter("in_flight").add(-1);
    meter.createGauge("tasks_active").record(1.5);
    const duration = meter.createHistogram("duration", { unit: "s", advice: { explicitBucketBoundaries: [0.1, 1] } });
    duration.record(0.05);
    duration.record(0.5);
    duration.record(7);
    await provider.shutdown();

    const head = { service: "worker", resource: { "service.name": "worker", "process.pid": 42 }, unit: "" };
    const at = { sinceMs: expect.any(Number), atMs: expect.any(Number), attributes: {} };
    expect(metrics).toEqual([
      {
        ...head,
        name: "tasks_processed",
        description: "Tasks",
        unit: "{task}",
        type: "sum",
        monotonic: true,
        temporality: "cumulative",
        points: [{ ...at, attributes: { status: "succeeded" }, value: 3 }],
      },
      {
        ...head,
        name: "in_flight",
        description: "",
        type: "sum",
        monotonic: false,
        temporality: "cumulative",
        points: [{ ...at, value: -1 }],
      },
      { ...head, name: "tasks_active", description: "", type: "gauge", points: [{ ...at, value: 1.5 }] },
      {
        ...head,
        name: "duration",
        description: "",
        unit: "s",
        type: "histogram",
        temporality: "cumulative",
        points: [{ ...at, value: { count: 3, sum: 7.55, bounds: [0.1, 1], bucketCounts: [1, 1, 1] } }],
      },
    ]);
  });
});

describe("a request", () => {
  const text = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"first"}]}]}]}';
  const body = toBinary(ExportTraceServiceRequestSchema, fromJsonString(ExportTraceServiceRequestSchema, text));

  test("in protobuf is answered with an empty message of its own kind", async () => {
    const { listener, spans } = await start();
    const response = await post(listener, "/v1/traces", protobuf, body);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/x-protobuf");
    expect(await response.bytes()).toEqual(new Uint8Array());
    expect(spans.map((span) => span.name)).toEqual(["first"]);
  });

  test("in JSON is answered with an empty object", async () => {
    const { listener, spans } = await start();
    const headers = { "content-type": "Application/JSON; charset=utf-8" };
    const response = await post(listener, "/v1/traces", headers, text);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({});
    expect(spans.map((span) => span.name)).toEqual(["first"]);
  });

  test("in gzip is inflated", async () => {
    const { listener, spans } = await start();
    const asProtobuf = { ...protobuf, "content-encoding": "gzip" };
    const asJson = { ...json, "content-encoding": "GZIP" };
    expect((await post(listener, "/v1/traces", asProtobuf, gzipSync(body))).status).toBe(200);
    expect((await post(listener, "/v1/traces", asJson, gzipSync(text))).status).toBe(200);
    expect(spans.map((span) => span.name)).toEqual(["first", "first"]);
  });

  test("without items is answered and does not reach the sink", async () => {
    const calls: unknown[] = [];
    const listener = await startWith({ spans: (spans) => calls.push(spans) });
    expect((await post(listener, "/v1/traces", protobuf, new Uint8Array())).status).toBe(200);
    expect(calls).toEqual([]);
  });

  test("of a signal that the sink does not take is checked and dropped", async () => {
    const listener = await startWith({});
    expect((await post(listener, "/v1/traces", protobuf, body)).status).toBe(200);
    expect((await post(listener, "/v1/traces", protobuf, "garbage")).status).toBe(400);
  });

  test("on which the sink throws is the receiver's fault, not the sender's", async () => {
    const listener = await startWith({
      spans: () => {
        throw new Error("the store is full");
      },
    });
    const response = await post(listener, "/v1/traces", json, text);
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ code: 13, message: "the store is full" });
  });
});

describe("what is refused", () => {
  const tooMuch = new Uint8Array(17 * mebibyte);
  const nested = "[".repeat(2_000_000);
  const closed = nested + "]".repeat(2_000_000);
  const hexless = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"not hex!"}]}]}]}';
  const cases: [what: string, status: number, path: string, init: RequestInit][] = [
    ["an unknown path", 404, "/v1/profiles", { method: "POST", headers: protobuf }],
    ["the root", 404, "/", {}],
    ["another method", 405, "/v1/traces", {}],
    ["no content type", 415, "/v1/logs", { method: "POST", body: new Uint8Array([1]) }],
    ["another content type", 415, "/v1/logs", { method: "POST", headers: { "content-type": "text/plain" }, body: "a" }],
    ["another content encoding", 415, "/v1/logs", { method: "POST", headers: { ...json, "content-encoding": "br" } }],
    ["garbage as protobuf", 400, "/v1/logs", { method: "POST", headers: protobuf, body: "garbage" }],
    ["a cut-off message", 400, "/v1/traces", { method: "POST", headers: protobuf, body: new Uint8Array([10, 200]) }],
    ["garbage as JSON", 400, "/v1/metrics", { method: "POST", headers: json, body: "{" }],
    ["JSON of another shape", 400, "/v1/traces", { method: "POST", headers: json, body: '{"resourceSpans":7}' }],
    ["null", 400, "/v1/traces", { method: "POST", headers: json, body: "null" }],
    ["an id that is not hex", 400, "/v1/traces", { method: "POST", headers: json, body: hexless }],
    ["text that is not UTF-8", 400, "/v1/traces", { method: "POST", headers: json, body: new Uint8Array([0xff]) }],
    ["JSON without end", 400, "/v1/traces", { method: "POST", headers: json, body: nested }],
    ["JSON without bottom", 400, "/v1/traces", { method: "POST", headers: json, body: closed }],
    [
      "gzip that is none",
      400,
      "/v1/logs",
      { method: "POST", headers: { ...json, "content-encoding": "gzip" }, body: "{}" },
    ],
    ["a body too large", 413, "/v1/traces", { method: "POST", headers: protobuf, body: tooMuch }],
    [
      "a stream too large",
      413,
      "/v1/traces",
      { method: "POST", headers: protobuf, body: new Blob([tooMuch]).stream() },
    ],
    [
      "a small body that inflates too far",
      413,
      "/v1/traces",
      { method: "POST", headers: { ...protobuf, "content-encoding": "gzip" }, body: gzipSync(tooMuch) },
    ],
  ];

  test.each(cases)("%s is answered %i with a reason, and the receiver goes on", async (_, status, path, init) => {
    const { listener, spans, logs, metrics } = await start();
    const response = await fetch(`${listener.url}${path}`, init);
    expect(response.status).toBe(status);
    if (response.headers.get("content-type") === "application/json") {
      expect(await response.json()).toEqual({ code: 3, message: expect.stringMatching(/\w+ \w+/) });
    } else {
      // google.rpc.Status: field 1 is 3, field 2 a text.
      const bytes = await response.bytes();
      expect([...bytes.subarray(0, 3)]).toEqual([0x08, 3, 0x12]);
      expect(new TextDecoder().decode(bytes.subarray(4))).toMatch(/\w+ \w+/);
    }
    expect([spans, logs, metrics]).toEqual([[], [], []]);
    expect((await post(listener, "/v1/traces", json, "{}")).status).toBe(200);
  });

  test("another method is told which one is allowed", async () => {
    const { listener } = await start();
    expect((await fetch(`${listener.url}/v1/traces`)).headers.get("allow")).toBe("POST");
  });

  test("a refusal ends the connection, so that an unread body does not hold up the stop", async () => {
    const { listener } = await start();
    const body = " ".repeat(17 * mebibyte);
    expect((await post(listener, "/v1/traces", json, "{}")).headers.get("connection")).not.toBe("close");
    expect((await post(listener, "/v1/traces", json, body)).headers.get("connection")).toBe("close");
  });

  test("a body of exactly the limit is read", async () => {
    const { listener } = await start();
    const body = `{}${" ".repeat(16 * mebibyte - 2)}`;
    expect((await post(listener, "/v1/traces", json, body)).status).toBe(200);
    expect((await post(listener, "/v1/traces", json, `${body} `)).status).toBe(413);
  });
});

describe("a sink that has no room", () => {
  test("is not bothered, and the sender is told to come again", async () => {
    const spans: ReceivedSpan[] = [];
    let isFull = true;
    const listener = await startWith({ spans: (more) => spans.push(...more), isFull: () => isFull });
    const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: "one" }] }] }] });
    const refused = await post(listener, "/v1/traces", json, body);
    expect([refused.status, refused.headers.get("retry-after"), spans.length]).toEqual([503, "1", 0]);
    expect(await refused.json()).toEqual({ code: 13, message: "there is no room for more now" });
    isFull = false;
    expect([(await post(listener, "/v1/traces", json, body)).status, spans.length]).toEqual([200, 1]);
  });
});

test("more bodies at once than there is room for are told to come again, and the others are read", async () => {
  const { listener, spans } = await start();
  const text = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"run"}]}]}]}';
  const head = `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n`;
  const held = Array.from({ length: 32 }, () => connect(listener.port, listener.host));
  for (const socket of held) socket.write(head + text.slice(0, 9));
  const refused = await eventually(async () => {
    const answer = await post(listener, "/v1/traces", json, "{}");
    return answer.status === 429 && answer;
  });
  expect(refused.headers.get("retry-after")).toBe("1");
  const answers = held.map(async (socket) => {
    socket.write(text.slice(9));
    const [answer] = await once(socket, "data");
    socket.destroy();
    return String(answer).split("\r\n")[0];
  });
  expect(await Promise.all(answers)).toEqual(held.map(() => "HTTP/1.1 200 OK"));
  expect(spans.length).toBe(32);
});

describe("a small body that would become very much", () => {
  const empties = (count: number): Uint8Array => {
    const spans = new Uint8Array(2 * count).map((_, at) => (at % 2 === 0 ? 0x12 : 0));
    const inScope = new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(spans).finish();
    return new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(inScope).finish();
  };
  const inSpan = (count: number): string =>
    `{"resourceSpans":[{"scopeSpans":[{"spans":[{"events":[${"{},".repeat(count - 1)}{}]}]}]}]}`;
  const [few, many] = [40_000, 60_000];
  const cases: [what: string, headers: Record<string, string>, body: () => Uint8Array<ArrayBuffer>, status: number][] =
    [
      ["some empty spans", protobuf, () => new Uint8Array(empties(few)), 200],
      ["too many empty spans", protobuf, () => new Uint8Array(empties(many)), 413],
      ["the same in gzip", { ...protobuf, "content-encoding": "gzip" }, () => gzipSync(empties(many)), 413],
      ["some empty events", json, () => Buffer.from(inSpan(few)), 200],
      ["too many empty events", json, () => Buffer.from(inSpan(600_000)), 413],
      [
        "too many empty events in protobuf",
        protobuf,
        () => {
          const request = fromJsonString(ExportTraceServiceRequestSchema, inSpan(600_000));
          return toBinary(ExportTraceServiceRequestSchema, request);
        },
        413,
      ],
    ];

  test.each(cases)(
    "%s",
    async (_, headers, body, status) => {
      const { listener } = await start();
      const answer = await post(listener, "/v1/traces", headers, body());
      expect(answer.status).toBe(status);
    },
    30_000,
  );
});

test("no nonsense ends the receiver: whatever the bytes, they are read or refused", async () => {
  const { listener } = await start();
  const whole = toBinary(
    ExportTraceServiceRequestSchema,
    fromJsonString(
      ExportTraceServiceRequestSchema,
      '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"run","attributes":[{"key":"a","value":{"intValue":"1"}}]}]}]}]}',
    ),
  );
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.integer({ min: 0, max: whole.length }).map((length) => whole.slice(0, length)),
    fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => whole.with(at, byte)),
    fc.json().map((text) => new TextEncoder().encode(text)),
  );
  const types = fc.constantFrom(...Object.values(protobuf), ...Object.values(json));
  const paths = fc.constantFrom("/v1/traces", "/v1/logs", "/v1/metrics");
  await fc.assert(
    fc.asyncProperty(paths, types, bodies, async (path, type, bytes) => {
      const answer = await post(listener, path, { "content-type": type }, new Uint8Array(bytes));
      await answer.bytes();
      expect([200, 400]).toContain(answer.status);
    }),
    { numRuns: 300 },
  );
}, 60_000);
