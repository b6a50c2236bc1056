/** Jaeger's JSON as spans: what its model has no place for, what old clients send, and what is none. */

import { describe, expect, test } from "bun:test";
import { parseJaegerTraces } from "../../src/console/jaeger.ts";

const traceID = "4bf92f3577b34da6a3ce929d0e0e4736";

function read(span: object): ReturnType<typeof parseJaegerTraces>[number][number] | undefined {
  const whole = {
    traceID,
    spanID: "a1",
    operationName: "run",
    startTime: 5000,
    duration: 250,
    processID: "p1",
    ...span,
  };
  const processes = { p1: { serviceName: "worker", tags: [{ key: "host.name", value: "h" }] } };
  return parseJaegerTraces({ data: [{ spans: [whole], processes }] })[0]?.[0];
}

describe("a span in Jaeger's JSON", () => {
  test("has the fields that OTLP would have had", () => {
    const references = [
      { refType: "FOLLOWS_FROM", traceID: "9", spanID: "8" },
      { refType: "CHILD_OF", traceID, spanID: "b2" },
    ];
    const tags = [
      { key: "span.kind", value: "consumer" },
      { key: "otel.status_code", value: "ERROR" },
      { key: "otel.status_description", value: "no" },
      { key: "error", value: true },
      { key: "attempt", value: 2 },
    ];
    const logs = [
      {
        timestamp: 5100,
        fields: [
          { key: "event", value: "exception" },
          { key: "exception.type", value: "E" },
        ],
      },
    ];
    expect(read({ references, tags, logs })).toEqual({
      traceId: traceID,
      spanId: "00000000000000a1",
      parentSpanId: "00000000000000b2",
      traceState: "",
      flags: 1,
      name: "run",
      kind: "CONSUMER",
      service: "worker",
      resource: { "service.name": "worker", "host.name": "h" },
      startMs: 5,
      endMs: 5.25,
      status: { code: "ERROR", message: "no" },
      attributes: { attempt: 2 },
      links: [{ traceId: "9".padStart(32, "0"), spanId: "8".padStart(16, "0"), attributes: {} }],
      events: [{ name: "exception", atMs: 5.1, attributes: { "exception.type": "E" } }],
    });
  });

  test("that is linked to its parent has it as the one reference that is left", () => {
    const references = [{ refType: "FOLLOWS_FROM", traceID, spanID: "b2" }];
    expect(read({ references })).toMatchObject({ parentSpanId: "00000000000000b2", links: [{ traceId: traceID }] });
  });

  test("of an old client has an error by its tag alone, and lists that are null", () => {
    const span = read({ references: null, logs: null, tags: [{ key: "error", value: true }], processID: "p9" });
    expect(span).toMatchObject({
      status: { code: "ERROR", message: "" },
      parentSpanId: undefined,
      links: [],
      events: [],
    });
    expect(span?.service).toBe("unknown_service");
  });
});

test("what is no trace is refused with where it is not", () => {
  expect(parseJaegerTraces({ data: null })).toEqual([]);
  const refusals: [json: unknown, said: RegExp][] = [
    ["text", /the whole: /],
    [{ data: "x" }, /data: /],
    [{ data: [{ spans: [{ traceID: 5 }], processes: {} }] }, /data\.0\.spans\.0\.traceID: /],
  ];
  for (const [json, said] of refusals) expect(() => parseJaegerTraces(json)).toThrow(said);
});
