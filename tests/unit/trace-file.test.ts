import { describe, expect, test } from "bun:test";
import { parseTraceFile } from "../../src/console/page/trace-file.ts";
import { toOtlpJson } from "../../src/otlp/json.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { span, traceId } from "../support/spans.ts";

const id = (number: number) => number.toString(16).padStart(16, "0");

function sent(number: number, more: Partial<ReceivedSpan> = {}): ReceivedSpan {
  const resource = { "service.name": "shop" };
  return span(id(number), "shop", "GET /", { at: number, ms: 1.25, resource, ...more });
}

const rich = sent(2, {
  parentSpanId: id(1),
  kind: "CONSUMER",
  status: { code: "ERROR", message: "no" },
  attributes: { text: "a", whole: 3, part: 0.5, yes: true, list: ["x", 1], nothing: null, inner: { k: "v" } },
  links: [{ traceId: "b".repeat(32), spanId: id(9), attributes: { why: "retry" } }],
  events: [{ name: "exception", atMs: 1_700_000_000_001.5, attributes: { "exception.type": "Error" } }],
});
const log = {
  service: "shop",
  resource: { "service.name": "shop" },
  atMs: 1_700_000_000_000,
  body: "hello",
  eventName: "",
  severityNumber: 9,
  severityText: "INFO",
  flags: 1,
  traceId,
  spanId: id(1),
  attributes: { a: 1 },
};

describe("a file of OTLP JSON", () => {
  const spans = [sent(1), rich];
  const whole = { traces: [{ traceId, spans, logs: [log] }], left: 0 };

  test("is read as what the console gives out", () => {
    expect(parseTraceFile(JSON.stringify(toOtlpJson(spans, [log])))).toEqual(whole);
  });

  test("is read from lines, as the Collector writes them, and from a list", () => {
    const parts = [toOtlpJson(spans, []), toOtlpJson([], [log])];
    expect(parseTraceFile(`${parts.map((part) => JSON.stringify(part)).join("\n")}\n`)).toEqual(whole);
    expect(parseTraceFile(JSON.stringify(parts))).toEqual(whole);
  });

  test("may have ids in base64 and words for numbers, as protobuf's own JSON has them", () => {
    const written = {
      traceId: Buffer.from(traceId, "hex").toString("base64"),
      spanId: Buffer.from(id(1), "hex").toString("base64"),
      name: "n",
      kind: "SPAN_KIND_SERVER",
      status: { code: "STATUS_CODE_ERROR" },
      startTimeUnixNano: 5_000_000,
    };
    const { traces } = parseTraceFile(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [written] }] }] }));
    expect(traces[0]?.spans[0]).toMatchObject({
      traceId,
      spanId: id(1),
      kind: "SERVER",
      status: { code: "ERROR" },
      startMs: 5,
      service: "unknown_service",
    });
  });

  test("has its traces in the order in which they began, and no more than 20,000 spans", () => {
    const many = Array.from({ length: 20_010 }, (_, index) =>
      sent(index + 1, { traceId: (index % 2 === 0 ? "2" : "1").repeat(32) }),
    );
    const { traces, left } = parseTraceFile(JSON.stringify(toOtlpJson(many, [])));
    expect([traces.map((trace) => [trace.traceId[0], trace.spans.length]), left]).toEqual([
      [
        ["2", 10_000],
        ["1", 10_000],
      ],
      10,
    ]);
  });
});

describe("a file of Jaeger's", () => {
  const jaeger = {
    data: [
      {
        traceID: "abc",
        spans: [
          {
            traceID: "abc",
            spanID: "1",
            operationName: "GET /",
            references: [],
            startTime: 1_700_000_000_000_250,
            duration: 1500,
            tags: [{ key: "span.kind", type: "string", value: "server" }],
            logs: [],
            processID: "p1",
          },
          {
            traceID: "abc",
            spanID: "2",
            operationName: "SELECT",
            references: [
              { refType: "CHILD_OF", traceID: "abc", spanID: "1" },
              { refType: "FOLLOWS_FROM", traceID: "def", spanID: "7" },
            ],
            startTime: 1_700_000_000_000_500,
            duration: 500,
            tags: [
              { key: "error", type: "bool", value: true },
              { key: "db.system", type: "string", value: "sqlite" },
            ],
            logs: [{ timestamp: 1_700_000_000_000_600, fields: [{ key: "event", value: "exception" }] }],
            processID: "p1",
          },
        ],
        processes: { p1: { serviceName: "shop", tags: [{ key: "host.name", value: "here" }] } },
      },
    ],
  };

  test("is read with parents, links, events and errors", () => {
    const [trace] = parseTraceFile(JSON.stringify(jaeger)).traces;
    expect(trace?.traceId).toBe("abc".padStart(32, "0"));
    expect(trace?.spans).toMatchObject([
      {
        spanId: id(1),
        name: "GET /",
        kind: "SERVER",
        service: "shop",
        startMs: 1_700_000_000_000.25,
        status: { code: "UNSET" },
      },
      {
        spanId: id(2),
        parentSpanId: id(1),
        kind: "INTERNAL",
        status: { code: "ERROR", message: "" },
        endMs: 1_700_000_000_001,
        attributes: { "db.system": "sqlite" },
        links: [{ traceId: "def".padStart(32, "0"), spanId: id(7) }],
        events: [{ name: "exception", atMs: 1_700_000_000_000.6 }],
        resource: { "host.name": "here", "service.name": "shop" },
      },
    ]);
  });
});

describe("what is no trace", () => {
  test.each([
    ["", /it is no JSON/],
    ["[1, 2", /it is no JSON/],
    ['{"a":1}\nnonsense\n', /its line 2 is no JSON/],
    ["null", /no spans are in it/],
    ['{"resourceSpans":[{"scopeSpans":"x"},null,7]}', /no spans are in it/],
    ['{"data":[{"spans":[{}],"processes":[]}]}', /no spans are in it/],
    ["[[[]]]", /no spans are in it/],
  ])("%p is refused", (text, why) => {
    expect(() => parseTraceFile(text)).toThrow(why);
  });
});
