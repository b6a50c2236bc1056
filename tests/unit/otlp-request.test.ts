/** Requests of OTLP put together here, beside those that the SDK makes of the same spans, log records and metrics. */

import { describe, expect, test } from "bun:test";
import { fromBinary } from "@bufbuild/protobuf";
import { type Attributes, type HrTime, type SpanContext, ValueType } from "@opentelemetry/api";
import {
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableLogRecord, SdkLogRecord } from "@opentelemetry/sdk-logs";
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import fc from "fast-check";
import { ExportLogsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { ExportMetricsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { ExportTraceServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { encodeLog } from "../../src/otlp/log.ts";
import { encodeMetrics } from "../../src/otlp/metric.ts";
import { toRequest } from "../../src/otlp/request.ts";
import { encodeSpan } from "../../src/otlp/span.ts";
import { parseTraceState } from "../../src/telemetry/context/trace-context.ts";

const resources = [{ "service.name": "worker", "process.pid": 7 }, {}].map((own) => resourceFromAttributes(own));
const scopes = [
  { name: "throughline", version: "0.1.0" },
  { name: "a handler's", schemaUrl: "https://example.org/schema" },
];

/** Around the lengths at which a message's own length takes a byte more, and at which text is written another way. */
const length = fc.oneof(fc.nat(50), fc.integer({ min: 110, max: 130 }), fc.integer({ min: 16_370, max: 16_390 }));
const text = fc.oneof(
  { weight: 5, arbitrary: fc.string({ unit: "binary", maxLength: 60 }).filter((value) => value.isWellFormed()) },
  length.map((count) => "x".repeat(count)),
  length.map((count) => "é€😀".repeat(count / 4)),
);
const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(-0, 2 ** 63, -(2 ** 63), 2 ** 62, -1, -(2 ** 32), 127, 128),
);
const value = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.array(text, { maxLength: 3 }),
  fc.array(number, { maxLength: 3 }),
);
const attributes: fc.Arbitrary<Attributes> = fc.dictionary(text, value, { maxKeys: 4 });
const hexOf = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((id) => id.toHex());
const time: fc.Arbitrary<HrTime> = fc.tuple(fc.nat(2 ** 32 - 1), fc.nat(999_999_999));
const dropped = fc.constantFrom(0, 1, 300);
const context: fc.Arbitrary<SpanContext> = fc
  .record({
    traceId: hexOf(16),
    spanId: hexOf(8),
    traceFlags: fc.nat(255),
    state: fc.constantFrom("", "a=1,b=2"),
    isRemote: fc.boolean(),
  })
  .map(({ state, ...rest }) => {
    const traceState = parseTraceState(state);
    return traceState ? { ...rest, traceState } : rest;
  });

const span: fc.Arbitrary<ReadableSpan> = fc
  .record({
    name: text,
    kind: fc.nat(4),
    context,
    parentSpanContext: fc.option(context, { nil: undefined }),
    startTime: time,
    endTime: time,
    status: fc.record({ code: fc.nat(2), message: text }, { requiredKeys: ["code"] }),
    attributes,
    links: fc.array(
      fc.record({ context, attributes, droppedAttributesCount: dropped }, { requiredKeys: ["context"] }),
      {
        maxLength: 3,
      },
    ),
    events: fc.array(
      fc.record({ time, name: text, attributes, droppedAttributesCount: dropped }, { requiredKeys: ["time", "name"] }),
      { maxLength: 3 },
    ),
    resource: fc.constantFrom(...resources),
    instrumentationScope: fc.constantFrom(...scopes),
    droppedAttributesCount: dropped,
    droppedEventsCount: dropped,
    droppedLinksCount: dropped,
  })
  .map(({ context, parentSpanContext, ...rest }) => ({
    ...rest,
    spanContext: () => context,
    ...(parentSpanContext && { parentSpanContext }),
    duration: [0, 0],
    ended: true,
  }));

const anyValue = fc.oneof(
  value,
  fc.uint8Array(),
  fc.constantFrom(null, undefined),
  fc.dictionary(text, value, { maxKeys: 2 }),
);
const record: fc.Arbitrary<ReadableLogRecord> = fc
  .record({
    hrTime: time,
    hrTimeObserved: time,
    spanContext: fc.option(context, { nil: undefined }),
    severityText: fc.constantFrom("info", "error"),
    severityNumber: fc.constantFrom(9, 17),
    body: anyValue,
    resource: fc.constantFrom(...resources),
    instrumentationScope: fc.constantFrom(...scopes),
    attributes: fc.dictionary(text, anyValue, { maxKeys: 4 }),
    droppedAttributesCount: dropped,
  })
  // Each is of the type that a record has; the union of their types is not.
  .map((made) => made as ReadableLogRecord);

const descriptor = { description: text, unit: fc.constantFrom("", "s", "{task}") };
const points = <Value>(value: fc.Arbitrary<Value>) =>
  fc.array(fc.record({ startTime: time, endTime: time, attributes, value }), { maxLength: 4 });
const aggregationTemporality = fc.constantFrom(AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE);
const numbers = fc.constantFrom(ValueType.INT, ValueType.DOUBLE).chain((valueType) =>
  fc.record({
    descriptor: fc.record({ ...descriptor, name: text, valueType: fc.constant(valueType) }),
    aggregationTemporality,
    dataPoints: points(valueType === ValueType.INT ? fc.maxSafeInteger() : number),
  }),
);
const bucketCount = fc.oneof(fc.nat(1000), fc.constantFrom(2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER));
const histogram = fc.record(
  {
    buckets: fc.record({ boundaries: fc.array(number, { maxLength: 20 }), counts: fc.array(bucketCount) }),
    count: bucketCount,
    sum: number,
    min: number,
    max: number,
  },
  { requiredKeys: ["buckets", "count"] },
);
const metric: fc.Arbitrary<MetricData> = fc.oneof(
  numbers.map((made) => ({ ...made, dataPointType: DataPointType.GAUGE as const })),
  fc
    .tuple(numbers, fc.boolean())
    .map(([made, isMonotonic]) => ({ ...made, isMonotonic, dataPointType: DataPointType.SUM as const })),
  fc.record({
    descriptor: fc.record({ ...descriptor, name: text, valueType: fc.constant(ValueType.DOUBLE) }),
    aggregationTemporality,
    dataPoints: points(histogram),
    dataPointType: fc.constant<DataPointType.HISTOGRAM>(DataPointType.HISTOGRAM),
  }),
);
const collected: fc.Arbitrary<ResourceMetrics> = fc.record({
  resource: fc.constantFrom(...resources),
  scopeMetrics: fc
    .array(fc.array(metric, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: scopes.length })
    .map((all) => all.map((metrics, index) => ({ scope: scopes[index] ?? { name: "" }, metrics }))),
});

describe("a request of OTLP says the same as the SDK's", () => {
  test("of spans", () => {
    const read = (bytes: Uint8Array | undefined) =>
      fromBinary(ExportTraceServiceRequestSchema, bytes ?? new Uint8Array());
    fc.assert(
      fc.property(fc.array(span, { maxLength: 5 }), (spans) => {
        expect(read(toRequest(spans.map(encodeSpan)))).toEqual(read(ProtobufTraceSerializer.serializeRequest(spans)));
      }),
      { numRuns: 300 },
    );
  });

  test("of a span behind one that could not be written, or was large", () => {
    const read = (bytes: Uint8Array | undefined) =>
      fromBinary(ExportTraceServiceRequestSchema, bytes ?? new Uint8Array());
    fc.assert(
      fc.property(span, span, (one, other) => {
        // What the types forbid.
        const broken = { ...one, name: "x".repeat(300_000), status: { code: 0, message: 7 as unknown as string } };
        expect(() => encodeSpan({ ...broken, links: [{ context: {} as SpanContext }] })).toThrow();
        expect(read(toRequest([encodeSpan(other)]))).toEqual(read(ProtobufTraceSerializer.serializeRequest([other])));
      }),
      { numRuns: 20 },
    );
  });

  test("of log records", () => {
    const read = (bytes: Uint8Array | undefined) =>
      fromBinary(ExportLogsServiceRequestSchema, bytes ?? new Uint8Array());
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), (records) => {
        // What is encoded is what is exported; only the SDK's type of it has setters as well.
        const encoded = records.map((each) => encodeLog(each as SdkLogRecord));
        const theirs = ProtobufLogsSerializer.serializeRequest(records);
        expect(read(toRequest(encoded))).toEqual(read(theirs));
      }),
      { numRuns: 300 },
    );
  });

  test("of metrics", () => {
    const read = (bytes: Uint8Array | undefined) =>
      fromBinary(ExportMetricsServiceRequestSchema, bytes ?? new Uint8Array());
    fc.assert(
      fc.property(collected, (metrics) => {
        const ours = toRequest(encodeMetrics(metrics, { hasExemplars: true }));
        expect(read(ours)).toEqual(read(ProtobufMetricsSerializer.serializeRequest(metrics)));
      }),
      { numRuns: 300 },
    );
  });
});
