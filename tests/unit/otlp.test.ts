import { describe, expect, test } from "bun:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ExportMetricsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { AggregationTemporality, DataPointFlags } from "../../src/gen/opentelemetry/proto/metrics/v1/metrics_pb.ts";
import { decodeLogs } from "../../src/otlp/log.ts";
import { decodeMetrics } from "../../src/otlp/metric.ts";
import type { OtlpBody } from "../../src/otlp/request.ts";
import { decodeSpans } from "../../src/otlp/span.ts";

function asJson(request: unknown): OtlpBody {
  return { encoding: "json", bytes: new TextEncoder().encode(JSON.stringify(request)) };
}

function withSpan(span: unknown): OtlpBody {
  return asJson({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
}

describe("spans", () => {
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

  test("in JSON have hex ids, 64 bits as text or number, and fields from the future left out", () => {
    expect(decodeSpans(asJson(request))).toEqual([
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
          deep: { list: [true, 0.5] },
        },
        links: [{ traceId: "5b8efff798038103d269b633813fc60c", spanId: "eee19b7ec3c1b173", attributes: {} }],
        events: [],
      },
    ]);
  });

  test("with fields left out, or a kind from a later version, have the specification's defaults", () => {
    expect(decodeSpans(withSpan({ kind: 6, parentSpanId: "0000000000000000" }))).toEqual([
      {
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
      },
    ]);
  });

  test("may have ids in the base64 of plain protobuf JSON", () => {
    const [span] = decodeSpans(withSpan({ traceId: "W47/95gDgQPSabYzgT/GDA==", spanId: "7uGbfsPBsXQ=" }));
    expect(span?.traceId).toBe("5b8efff798038103d269b633813fc60c");
    expect(span?.spanId).toBe("eee19b7ec3c1b174");
  });

  test("keep an attribute called __proto__ as an attribute", () => {
    const attributes = [{ key: "__proto__", value: { stringValue: "x" } }];
    const [span] = decodeSpans(withSpan({ attributes }));
    expect(Object.entries(span?.attributes ?? {})).toEqual([["__proto__", "x"]]);
  });

  test("keep their fraction of a millisecond", () => {
    const [span] = decodeSpans(withSpan({ startTimeUnixNano: "1544712660000250000" }));
    expect(span?.startMs).toBe(1_544_712_660_000.25);
  });
});

test("a log record without a time of its own counts from when it was observed", () => {
  const logRecords = [{ observedTimeUnixNano: "5000000", body: {} }];
  expect(decodeLogs(asJson({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }))).toEqual([
    {
      service: "unknown_service",
      resource: {},
      atMs: 5,
      body: "",
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

describe("metrics", () => {
  test("keep count and sum of exponential histograms and summaries, and skip points without a value", () => {
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
    const bytes = toBinary(ExportMetricsServiceRequestSchema, request);
    const head = { service: "unknown_service", resource: {}, description: "", unit: "" };
    const point = (count: number, sum: number) => ({
      sinceMs: 0,
      atMs: 2,
      attributes: {},
      value: { count, sum, bounds: [], bucketCounts: [] },
    });
    expect(decodeMetrics({ encoding: "protobuf", bytes })).toEqual([
      { ...head, name: "stale", type: "gauge", points: [] },
      { ...head, name: "exponential", type: "exponentialHistogram", temporality: "delta", points: [point(2, 3)] },
      { ...head, name: "old", type: "summary", temporality: "cumulative", points: [point(4, 5)] },
    ]);
  });
});
