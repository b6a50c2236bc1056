/** Spans that are read where they stand in a request's bytes, beside the protobuf library that reads the whole. */

import { describe, expect, test } from "bun:test";
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { takeSpans, toKey } from "../../src/console/batch.ts";
import { HeldSpan, toHead } from "../../src/console/span-head.ts";
import { ExportLogsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { ExportTraceServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { readLog } from "../../src/otlp/log.ts";
import { itemsOf, toProtobuf } from "../../src/otlp/request.ts";
import { decodeSpans, type ReceivedSpan, readSpan } from "../../src/otlp/span.ts";
import { maxWeight, weighProtobuf } from "../../src/otlp/weight.ts";
import { toLogsRequest, toTraceRequest } from "../support/otlp-requests.ts";

const text = fc.string({ unit: "binary", maxLength: 20 }).filter((value) => value.isWellFormed());
const hexOf = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((id) => id.toHex());
const value = fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text, { maxLength: 2 }));
const attributes = fc.dictionary(fc.oneof(text, fc.constantFrom("task_id", "attempt")), value, { maxKeys: 5 });
const anySpan: fc.Arbitrary<ReceivedSpan> = fc.record({
  traceId: hexOf(16).filter((id) => !/^0*$/.test(id)),
  spanId: hexOf(8).filter((id) => !/^0*$/.test(id)),
  parentSpanId: fc.constant(undefined),
  traceState: text,
  flags: fc.nat(1023),
  name: text,
  kind: fc.constantFrom("INTERNAL", "CLIENT", "CONSUMER"),
  service: fc.constant("worker"),
  resource: fc.constant({ "service.name": "worker" }),
  startMs: fc.nat(2 ** 31 - 1),
  endMs: fc.nat(2 ** 31 - 1),
  status: fc.record({ code: fc.constantFrom("UNSET", "OK", "ERROR"), message: text }),
  attributes,
  links: fc.array(fc.record({ traceId: hexOf(16), spanId: hexOf(8), attributes }), { maxLength: 2 }),
  events: fc.array(fc.record({ name: text, atMs: fc.nat(2 ** 31 - 1), attributes }), { maxLength: 2 }),
});

describe("a span in its bytes", () => {
  test("says the same as one that was read", () => {
    fc.assert(
      fc.property(fc.array(anySpan, { minLength: 1, maxLength: 4 }), text, (spans, other) => {
        const request = toTraceRequest(spans);
        const whole = decodeSpans({ encoding: "protobuf", bytes: request });
        const items = itemsOf(request);
        expect(items.map(readSpan)).toEqual(whole);
        for (const [index, item] of items.entries()) {
          const read = whole[index];
          if (!read) throw new Error("there are more items than spans");
          const { attribute, ...head } = toHead(read);
          const held = new HeldSpan(item);
          expect(held).toMatchObject(head);
          for (const key of [...Object.keys(read.attributes), other]) {
            expect(held.attribute(key)).toEqual(attribute(key));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("of which the resource stands behind it has that resource", () => {
    const inSpan = new BinaryWriter().tag(5, WireType.LengthDelimited).string("late").finish();
    const inScope = new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(inSpan).finish();
    const pair = new BinaryWriter()
      .tag(1, WireType.LengthDelimited)
      .string("service.name")
      .tag(2, WireType.LengthDelimited)
      .bytes(new BinaryWriter().tag(1, WireType.LengthDelimited).string("shop").finish())
      .finish();
    const resource = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(pair).finish();
    const sender = new BinaryWriter()
      .tag(2, WireType.LengthDelimited)
      .bytes(inScope)
      .tag(1, WireType.LengthDelimited)
      .bytes(resource)
      .finish();
    const request = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(sender).finish();
    expect(itemsOf(request).map((item) => new HeldSpan(item))).toMatchObject([{ service: "shop", name: "late" }]);
  });
});

describe("a request that was weighed", () => {
  const record = {
    service: "worker",
    resource: { "service.name": "worker" },
    atMs: 1,
    body: "größer",
    eventName: "",
    severityNumber: 9,
    severityText: "INFO",
    flags: 1,
    traceId: "1".repeat(32),
    spanId: "2".repeat(16),
    attributes: { list: ["ä", 1], inner: { key: "v" } },
  };
  const spans = fc.sample(anySpan, { numRuns: 5, seed: 1 });
  const requests = [
    { schema: ExportTraceServiceRequestSchema, bytes: toTraceRequest(spans), read: readSpan },
    { schema: ExportLogsServiceRequestSchema, bytes: toLogsRequest([record, record]), read: readLog },
  ];

  test.each(requests)("can be read, whatever became of its bytes: $schema.name", ({ schema, bytes, read }) => {
    let [taken, refused] = [0, 0];
    const change = fc.record({ at: fc.nat(bytes.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), fc.nat(bytes.length), fc.boolean(), (changes, cut, isCut) => {
        const broken = bytes.slice(0, isCut ? cut : bytes.length);
        for (const { at, byte } of changes) if (at < broken.length) broken[at] = byte;
        try {
          weighProtobuf(schema, broken);
        } catch {
          refused += 1;
          return;
        }
        taken += 1;
        fromBinary(schema, broken);
        for (const item of itemsOf(broken)) read(item);
        if (schema === ExportTraceServiceRequestSchema) takeSpans(broken);
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(500);
    expect(refused).toBeGreaterThan(500);
  });

  const wrong: [what: string, bytes: number[]][] = [
    ["a field of the number 0", [0x02, 0]],
    ["a group", [0x0b, 0x0c]],
    ["a length that is cut off", [0x0a, 0x80]],
    ["a length beyond the end", [0x0a, 2, 0]],
    ["a tag of more than 32 bits", [0xff, 0xff, 0xff, 0xff, 0x7f]],
    ["a number where a message has to be", [0x08, 1]],
    ["a number of eleven bytes", [0x78, ...Array.from({ length: 10 }, () => 0x80), 0]],
  ];

  test.each(wrong)("is refused with %s", (_, bytes) => {
    expect(() => weighProtobuf(ExportTraceServiceRequestSchema, Uint8Array.from(bytes))).toThrow(/\w+ \w+/);
  });

  test("is refused when it is nested deeper than anybody reads", () => {
    const nested = (depth: number): object =>
      depth === 0 ? { stringValue: "x" } : { arrayValue: { values: [nested(depth - 1)] } };
    const body = (depth: number) => {
      const attributes = [{ key: "k", value: nested(depth) }];
      const text = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ attributes }] }] }] });
      return { encoding: "json", bytes: new TextEncoder().encode(text) } as const;
    };
    const shallow = toProtobuf(ExportTraceServiceRequestSchema, body(40));
    expect(itemsOf(shallow).map(readSpan).length).toBe(1);
    expect(() => toProtobuf(ExportTraceServiceRequestSchema, body(60))).toThrow(/nested|recursion|depth/);
  });

  test("weighs no more than what it may, and is not read further", () => {
    const many = new Uint8Array(4 * maxWeight).map((_, at) => (at % 2 === 0 ? 0x0a : 0));
    expect(weighProtobuf(ExportTraceServiceRequestSchema, many, 100)).toBeLessThan(120);
  });
});

test("keys of ids are whole, and differ", () => {
  const keys = new Set<number>();
  for (let n = 0; n < 100_000; n++) keys.add(toKey(new TextEncoder().encode(n.toString(16).padStart(32, "0"))));
  expect(keys.size).toBe(100_000);
  expect([...keys].every(Number.isSafeInteger)).toBe(true);
});
