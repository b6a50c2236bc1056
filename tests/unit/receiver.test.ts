import { afterEach, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { ReceivedLog } from "../../src/console/received-log.ts";
import type { ReceivedMetric } from "../../src/console/received-metric.ts";
import type { ReceivedSpan } from "../../src/console/received-span.ts";
import { type ReceiverSink, startReceiver } from "../../src/console/receiver.ts";
import { ExportMetricsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { ExportTraceServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { AggregationTemporality, DataPointFlags } from "../../src/gen/opentelemetry/proto/metrics/v1/metrics_pb.ts";
import {
  ResourceSpansSchema,
  ScopeSpansSchema,
  Span_SpanKind,
  SpanSchema,
} from "../../src/gen/opentelemetry/proto/trace/v1/trace_pb.ts";
import type { Listener } from "../../src/listen.ts";

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

async function startWith(sink: ReceiverSink): Promise<Listener> {
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
        traceId: undefined,
        spanId: undefined,
        attributes: {},
      },
    ]);
  });

  test("counters, up-down counters, gauges and histograms arrive with their points", async () => {
    const { listener, metrics } = await start();
    const exporter = new OTLPMetricExporter({ url: `${listener.url}/v1/metrics` });
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
    const at = { atMs: expect.any(Number), attributes: {} };
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

describe("OTLP/JSON", () => {
  const request = {
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "api-gateway" } }] },
        scopeSpans: [
          {
            spans: [
              {
                traceId: "5B8EFFF798038103D269B633813FC60C",
                spanId: "eee19b7ec3c1b174",
                parentSpanId: "",
                name: "POST /v1/tasks",
                kind: 2,
                startTimeUnixNano: "1544712660000000000",
                endTimeUnixNano: 1544712661000000000,
                attributes: [
                  { key: "traceId", value: { stringValue: "not an id" } },
                  { key: "size", value: { intValue: "12" } },
                  { key: "raw", value: { bytesValue: "AQID" } },
                  { key: "nothing", value: {} },
                  {
                    key: "deep",
                    value: {
                      kvlistValue: {
                        values: [
                          {
                            key: "list",
                            value: { arrayValue: { values: [{ boolValue: true }, { doubleValue: 0.5 }] } },
                          },
                          { key: "__proto__", value: { intValue: 1 } },
                        ],
                      },
                    },
                  },
                ],
                links: [{ traceId: "5b8efff798038103d269b633813fc60c", spanId: "eee19b7ec3c1b173" }],
                status: { code: 1 },
                aFieldFromTheFuture: { traceId: "?" },
              },
            ],
          },
        ],
      },
    ],
  };
  const expected: ReceivedSpan[] = [
    {
      traceId: "5b8efff798038103d269b633813fc60c",
      spanId: "eee19b7ec3c1b174",
      parentSpanId: undefined,
      traceState: "",
      flags: 0,
      name: "POST /v1/tasks",
      kind: "SERVER",
      service: "api-gateway",
      resource: { "service.name": "api-gateway" },
      startMs: 1_544_712_660_000,
      endMs: 1_544_712_661_000,
      status: { code: "OK", message: "" },
      attributes: {
        traceId: "not an id",
        size: 12,
        raw: "AQID",
        nothing: null,
        deep: JSON.parse('{"list":[true,0.5],"__proto__":1}'),
      },
      links: [{ traceId: "5b8efff798038103d269b633813fc60c", spanId: "eee19b7ec3c1b173", attributes: {} }],
      events: [],
    },
  ];

  test("is read with hex ids, numbers or text for 64 bits, and fields from the future left out", async () => {
    const { listener, spans } = await start();
    const response = await post(
      listener,
      "/v1/traces",
      { "content-type": "Application/JSON; charset=utf-8" },
      JSON.stringify(request),
    );
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({});
    expect(spans).toEqual(expected);
  });

  test("is read from gzip too", async () => {
    const { listener, spans } = await start();
    const headers = { ...json, "content-encoding": "gzip" };
    const response = await post(listener, "/v1/traces", headers, gzipSync(JSON.stringify(request)));
    expect(response.status).toBe(200);
    expect(spans).toEqual(expected);
  });
});

describe("protobuf", () => {
  const first = create(SpanSchema, { traceId: new Uint8Array(16).fill(1), name: "first" });
  // The kind after the last one that trace.proto knows.
  const bare = create(SpanSchema, { kind: Span_SpanKind.CONSUMER + 1 });
  const request = create(ExportTraceServiceRequestSchema, {
    resourceSpans: [create(ResourceSpansSchema, { scopeSpans: [create(ScopeSpansSchema, { spans: [first, bare] })] })],
  });
  const body = toBinary(ExportTraceServiceRequestSchema, request);

  test("is answered with an empty message of its own kind", async () => {
    const { listener } = await start();
    const response = await post(listener, "/v1/traces", protobuf, body);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/x-protobuf");
    expect(await response.bytes()).toEqual(new Uint8Array());
  });

  test("is read from gzip", async () => {
    const { listener, spans } = await start();
    const response = await post(listener, "/v1/traces", { ...protobuf, "content-encoding": "GZIP" }, gzipSync(body));
    expect(response.status).toBe(200);
    expect(spans.map((span) => span.name)).toEqual(["first", ""]);
  });

  test("with fields left out or from a later version is read as the specification's defaults", async () => {
    const { listener, spans } = await start();
    await post(listener, "/v1/traces", protobuf, body);
    expect(spans[1]).toEqual({
      traceId: "",
      spanId: "",
      parentSpanId: undefined,
      traceState: "",
      flags: 0,
      name: "",
      kind: "INTERNAL",
      service: "unknown_service",
      resource: {},
      startMs: 0,
      endMs: 0,
      status: { code: "UNSET", message: "" },
      attributes: {},
      links: [],
      events: [],
    });
  });

  test("a log record without a time of its own counts from when it was observed", async () => {
    const { listener, logs } = await start();
    const body = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"observedTimeUnixNano":"5000000"}]}]}]}';
    await post(listener, "/v1/logs", json, body);
    expect(logs.map(({ atMs, body }) => ({ atMs, body }))).toEqual([{ atMs: 5, body: "" }]);
  });

  test("metrics keep count and sum of exponential histograms and summaries, and skip points without a value", async () => {
    const { listener, metrics } = await start();
    const timeUnixNano = 2_000_000n;
    const unrecorded = { timeUnixNano, flags: DataPointFlags.NO_RECORDED_VALUE_MASK };
    const request = create(ExportMetricsServiceRequestSchema, {
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                { name: "empty" },
                { name: "stale", data: { case: "gauge", value: { dataPoints: [unrecorded] } } },
                {
                  name: "exponential",
                  data: {
                    case: "exponentialHistogram",
                    value: {
                      aggregationTemporality: AggregationTemporality.DELTA,
                      dataPoints: [{ timeUnixNano, count: 2n, sum: 3, scale: 1 }],
                    },
                  },
                },
                {
                  name: "old",
                  data: { case: "summary", value: { dataPoints: [{ timeUnixNano, count: 4n, sum: 5 }] } },
                },
              ],
            },
          ],
        },
      ],
    });
    await post(listener, "/v1/metrics", protobuf, toBinary(ExportMetricsServiceRequestSchema, request));
    const head = { service: "unknown_service", resource: {}, description: "", unit: "" };
    const point = (count: number, sum: number) => ({
      atMs: 2,
      attributes: {},
      value: { count, sum, bounds: [], bucketCounts: [] },
    });
    expect(metrics).toEqual([
      { ...head, name: "stale", type: "gauge", points: [] },
      { ...head, name: "exponential", type: "exponentialHistogram", temporality: "delta", points: [point(2, 3)] },
      { ...head, name: "old", type: "summary", temporality: "cumulative", points: [point(4, 5)] },
    ]);
  });

  test("a request without items is answered and does not reach the sink", async () => {
    const calls: unknown[] = [];
    const listener = await startWith({ spans: (spans) => calls.push(spans) });
    expect((await post(listener, "/v1/traces", protobuf, new Uint8Array())).status).toBe(200);
    expect(calls).toEqual([]);
  });

  test("a signal that the sink does not take is checked and dropped", async () => {
    const listener = await startWith({});
    expect((await post(listener, "/v1/traces", protobuf, body)).status).toBe(200);
    expect((await post(listener, "/v1/traces", protobuf, "garbage")).status).toBe(400);
  });

  test("a sink that throws is the receiver's fault, not the sender's", async () => {
    const listener = await startWith({
      spans: () => {
        throw new Error("the store is full");
      },
    });
    const response = await post(listener, "/v1/traces", json, '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}');
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
