import { expect, test } from "bun:test";
import { fromBinary } from "@bufbuild/protobuf";
import { type Attributes, ROOT_CONTEXT, type Tracer } from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { ExportTraceServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import {
  createSharedScopes,
  fromPlainSpan,
  type PlainSpan,
  toPlainSpan,
} from "../../src/telemetry/spans/plain-span.ts";

const resource = resourceFromAttributes({ "service.name": "worker" });
const traceId = "0af7651916cd43dd8448eb211c80319c";

/** What `work` does, and how its spans are after they have crossed, each as JSON. */
function cross(work: (tracerOf: (name: string, version?: string, schemaUrl?: string) => Tracer) => void) {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(exporter)] });
  work((name, version, schemaUrl) => provider.getTracer(name, version, schemaUrl === undefined ? {} : { schemaUrl }));
  const made = exporter.getFinishedSpans();
  const texts = made.map((span) => JSON.stringify(toPlainSpan(span)));
  const shareScope = createSharedScopes();
  return { made, read: texts.map((text) => fromPlainSpan(JSON.parse(text) as PlainSpan, resource, shareScope)) };
}

/** A span with these attributes on itself, its event and its link, before and after. */
function crossed(attributes: Attributes) {
  const link = { context: { traceId, spanId: "b7ad6b7169203331", traceFlags: 1 }, attributes };
  const { made, read } = cross((tracerOf) => {
    const span = tracerOf("test").startSpan("work", { attributes, links: [link] }, ROOT_CONTEXT);
    span.addEvent("step", attributes);
    span.end();
  });
  if (!made[0] || !read[0]) throw new Error("no span has ended");
  return { made: made[0], read: read[0] };
}

test("a span that crosses from a thread is the same there", () => {
  const attributes = { text: "a", count: -1.5, is: true, list: ["a", "b"], numbers: [1, 2] };
  const { made, read } = crossed(attributes);
  expect(read.attributes).toEqual(attributes);
  expect(read.events).toEqual(made.events);
  expect(read.links).toEqual(made.links);
  expect(read.spanContext()).toEqual(made.spanContext());
  expect([read.startTime, read.endTime, read.duration]).toEqual([made.startTime, made.endTime, made.duration]);
});

test("names that JSON does not have, as JavaScript may give them, cross as text", () => {
  // What the types forbid.
  const odd = 10n as unknown as string;
  const { read } = cross((tracerOf) => {
    const span = tracerOf(odd, odd).startSpan(odd);
    span.addEvent(odd).end();
  });
  expect(read).toMatchObject([
    {
      name: "10",
      instrumentationScope: { name: "10", version: "10" },
      events: [{ name: "10" }],
    },
  ]);
});

test("numbers that JSON does not have cross by their names, and no others change", () => {
  const given = { not: Number.NaN, most: Number.POSITIVE_INFINITY, few: [1, Number.NEGATIVE_INFINITY], one: 1 };
  const { read } = crossed(given);
  const named = { not: "NaN", most: "Infinity", few: ["1", "-Infinity"], one: 1 };
  expect(read.attributes).toEqual(named);
  expect(read.events[0]?.attributes).toEqual(named);
  expect(read.links[0]?.attributes).toEqual(named);
});

/** How many spans each scope has in one export, in the order in which they are sent. */
function sentScopes(spans: ReadableSpan[]) {
  const bytes = ProtobufTraceSerializer.serializeRequest(spans) ?? new Uint8Array();
  const { resourceSpans } = fromBinary(ExportTraceServiceRequestSchema, bytes);
  return resourceSpans.map(({ scopeSpans }) =>
    scopeSpans.map(({ scope, schemaUrl, spans }) => [scope?.name, scope?.version, schemaUrl, spans.length]),
  );
}

test("spans of one scope are exported as one group, however many came", () => {
  const { read } = cross((tracerOf) => {
    for (let n = 0; n < 100; n += 1) {
      tracerOf("shop", "1.0.0").startSpan("a").end();
      tracerOf("shop", "2.0.0").startSpan("b").end();
      tracerOf("shop", "2.0.0", "https://example.com/1").startSpan("c").end();
      tracerOf("mail").startSpan("d").end();
    }
  });
  expect(sentScopes(read)).toEqual([
    [
      ["shop", "1.0.0", "", 100],
      ["shop", "2.0.0", "", 100],
      ["shop", "2.0.0", "https://example.com/1", 100],
      ["mail", "", "", 100],
    ],
  ]);
});

test("scopes that a handler makes up without end are not all remembered, and each keeps its name", () => {
  const shareScope = createSharedScopes();
  const first = shareScope({ name: "shop" });
  const others = Array.from({ length: 1000 }, (_, n) => shareScope({ name: `made up ${n}` }));
  expect(others.map(({ name }) => name)).toEqual(others.map((_, n) => `made up ${n}`));
  const remembered = others.filter((scope) => shareScope({ ...scope }) === scope);
  // With the first, 256.
  expect(remembered.length).toBe(255);
  expect(shareScope({ name: "shop" })).toBe(first);
});
