import { expect, test } from "bun:test";
import { type Attributes, ROOT_CONTEXT } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { fromPlainSpan, type PlainSpan, toPlainSpan } from "../../src/telemetry/plain-span.ts";

const resource = resourceFromAttributes({ "service.name": "worker" });
const traceId = "0af7651916cd43dd8448eb211c80319c";

/** A span with these attributes on itself, its event and its link, as it is after it has crossed as JSON. */
function crossed(attributes: Attributes) {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const link = { context: { traceId, spanId: "b7ad6b7169203331", traceFlags: 1 }, attributes };
  const span = provider.getTracer("test").startSpan("work", { attributes, links: [link] }, ROOT_CONTEXT);
  span.addEvent("step", attributes);
  span.end();
  const [made] = exporter.getFinishedSpans();
  if (!made) throw new Error("no span has ended");
  const text = JSON.stringify(toPlainSpan(made));
  return { made, read: fromPlainSpan(JSON.parse(text) as PlainSpan, resource) };
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

test("numbers that JSON does not have cross by their names, and no others change", () => {
  const given = { not: Number.NaN, most: Number.POSITIVE_INFINITY, few: [1, Number.NEGATIVE_INFINITY], one: 1 };
  const { read } = crossed(given);
  const named = { not: "NaN", most: "Infinity", few: ["1", "-Infinity"], one: 1 };
  expect(read.attributes).toEqual(named);
  expect(read.events[0]?.attributes).toEqual(named);
  expect(read.links[0]?.attributes).toEqual(named);
});
