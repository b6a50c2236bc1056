/** What becomes of spans and log records is counted, each once, whatever the collector does: made = exported + dropped. */

import { afterEach, describe, expect, test } from "bun:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Link, SpanKind } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { readConfig } from "../../src/config.ts";
import { ExportLogsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { ExportMetricsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import {
  ExportTraceServiceRequestSchema,
  ExportTraceServiceResponseSchema,
} from "../../src/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { toPlainSpan } from "../../src/telemetry/spans/plain-span.ts";
import { startTelemetry, type Telemetry } from "../../src/telemetry/telemetry.ts";
import { eventually } from "../support/eventually.ts";

const limitMs = 60_000;

const timeoutVariable = "OTEL_EXPORTER_OTLP_TIMEOUT";
const timeoutBefore = process.env[timeoutVariable];
afterEach(() => {
  if (timeoutBefore === undefined) delete process.env[timeoutVariable];
  else process.env[timeoutVariable] = timeoutBefore;
});

interface Collector extends AsyncDisposable {
  url: string;
  /** Requests so far. */
  asked(): number;
}

/** `undefined` never answers. */
function startCollector(status: number | undefined): Collector {
  return startAnswering(() => (status === undefined ? new Promise(() => {}) : new Response(null, { status })));
}

function startAnswering(answer: (body: Uint8Array, path: string) => Response | Promise<Response>): Collector {
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      asked += 1;
      return answer(await request.bytes(), new URL(request.url).pathname);
    },
  });
  return { url: server.url.origin, asked: () => asked, [Symbol.asyncDispose]: () => server.stop(true) };
}

async function closedUrl(): Promise<string> {
  const collector = startCollector(200);
  await collector[Symbol.asyncDispose]();
  return collector.url;
}

/** Counts its lines: it has something to say about exports that fail, too. */
interface Exporting extends Telemetry {
  lines(): number;
  /** The line of this sentence, as often as it came. */
  linesOf(msg: string): Record<string, unknown>[];
}

/** @param giveUpMs after so long a batch is dropped that the collector has not taken; the exporters read it here */
function startExporting(url: string, giveUpMs = limitMs): Exporting {
  process.env[timeoutVariable] = String(giveUpMs);
  const { config } = readConfig({ handlers: "" }, { OTEL_EXPORTER_OTLP_ENDPOINT: url });
  const lines: string[] = [];
  const telemetry = startTelemetry("worker", config, (line) => void lines.push(line));
  return {
    ...telemetry,
    lines: () => lines.length,
    linesOf: (msg) => lines.map((line) => JSON.parse(line)).filter((line) => line.msg === msg),
  };
}

/** Half of the spans here, half as they come from a handler's thread; gives how many, with the one of the start. */
function makeSpans(telemetry: Telemetry, count: number): number {
  const exporter = new InMemorySpanExporter();
  const thread = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer("thread");
  for (let n = 0; n < count / 2; n++) {
    telemetry.tracer.startSpan("stage", { kind: SpanKind.INTERNAL }).end();
    thread.startSpan("run echo").end();
  }
  telemetry.adopt(exporter.getFinishedSpans().map(toPlainSpan));
  return count + 1;
}

function makeLogs(telemetry: Telemetry, count: number): void {
  for (let n = 0; n < count; n++) telemetry.log.info("task started");
}

/** A span whose handler has linked it to nowhere, as JavaScript lets it. */
function makeBrokenSpan(telemetry: Telemetry): void {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  // What the types forbid.
  const nowhere = { context: { traceId: 7, spanId: {}, traceFlags: 1 } } as unknown as Link;
  provider
    .getTracer("thread")
    .startSpan("run echo", { links: [nowhere] })
    .end();
  telemetry.adopt(exporter.getFinishedSpans().map(toPlainSpan));
}

/** By error type; what was exported under "". */
async function countsOf(telemetry: Telemetry, name: string): Promise<Record<string, number>> {
  const family = (await telemetry.scrape()).find((each) => each.name === name);
  const counts: [string, number][] = (family?.series ?? []).map((series) => {
    const error = series.labels.find(([label]) => label === "error_type");
    return [error?.[1] ?? "", "value" in series ? series.value : Number.NaN];
  });
  return Object.fromEntries(counts);
}

const totalOf = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, each) => sum + each, 0);

/** Once every line, and as many spans, are done with. */
async function whenCounted(telemetry: Exporting, madeSpans: number) {
  const processed = async () => ({
    spans: await countsOf(telemetry, "otel_sdk_processor_span_processed"),
    logs: await countsOf(telemetry, "otel_sdk_processor_log_processed"),
  });
  await eventually(
    async () => {
      const { spans, logs } = await processed();
      return totalOf(spans) >= madeSpans && totalOf(logs) >= telemetry.lines();
    },
    { timeoutMs: limitMs },
  );
  return processed();
}

/** How many spans, log records or points a request has. */
function countItems(body: Uint8Array, path: string): number {
  if (path === "/v1/metrics") {
    const { resourceMetrics } = fromBinary(ExportMetricsServiceRequestSchema, body);
    const metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    return metrics.reduce((sum, { data }) => sum + (data.value?.dataPoints.length ?? 0), 0);
  }
  if (path === "/v1/traces") {
    const { resourceSpans } = fromBinary(ExportTraceServiceRequestSchema, body);
    return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)).length;
  }
  const { resourceLogs } = fromBinary(ExportLogsServiceRequestSchema, body);
  return resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords)).length;
}

/** A partial success in protobuf; all signals have the same fields. */
function partialSuccess(rejected: number, errorMessage: string): Response {
  const response = create(ExportTraceServiceResponseSchema, {
    partialSuccess: { rejectedSpans: BigInt(rejected), errorMessage },
  });
  return new Response(toBinary(ExportTraceServiceResponseSchema, response).slice());
}

const page = "<!DOCTYPE html>\n<html><body>Please log in</body></html>";

describe("spans and log records are counted", () => {
  test(
    "as exported when the collector takes them",
    async () => {
      await using collector = startCollector(200);
      const telemetry = startExporting(collector.url);
      const made = makeSpans(telemetry, 3000);
      makeLogs(telemetry, 2000);
      await telemetry.flush();
      expect(await whenCounted(telemetry, made)).toEqual({ spans: { "": made }, logs: { "": telemetry.lines() } });
      expect(await countsOf(telemetry, "otel_sdk_exporter_span_exported")).toEqual({ "": made });
      expect(await countsOf(telemetry, "otel_sdk_exporter_log_exported")).toEqual({ "": telemetry.lines() });
      await telemetry.stop();
    },
    limitMs,
  );

  test("as exported, but for one that cannot be written, which spoils no other", async () => {
    await using collector = startCollector(200);
    const telemetry = startExporting(collector.url);
    const before = makeSpans(telemetry, 10);
    const lines = telemetry.lines();
    makeBrokenSpan(telemetry);
    expect(telemetry.lines()).toBe(lines + 1);
    makeSpans(telemetry, 10);
    await telemetry.flush();
    expect(await whenCounted(telemetry, before + 10)).toMatchObject({ spans: { "": before + 10 } });
    await telemetry.stop();
  });

  test.each<[title: string, status: number | undefined, reason: string]>([
    ["refuses them as they are", 400, "400"],
    ["has no room for them for as long as they are tried", 503, "retryable_status"],
    ["never answers", undefined, "timeout"],
  ])(
    "as dropped, with the reason, when it %s",
    async (_, status, reason) => {
      await using collector = startCollector(status);
      const telemetry = startExporting(collector.url, 1000);
      const made = makeSpans(telemetry, 1000);
      makeLogs(telemetry, 600);
      const counted = await whenCounted(telemetry, made);
      expect(counted).toEqual({ spans: { [reason]: made }, logs: { [reason]: telemetry.lines() } });
      expect(totalOf(await countsOf(telemetry, "otel_sdk_exporter_span_exported"))).toBe(made);
      expect(collector.asked()).toBeGreaterThan(0);
    },
    limitMs,
  );

  type Answer = (count: number, path: string) => Response;
  test.each<[title: string, answer: Answer, reason: string]>([
    ["rejects all of them with 200", (count) => partialSuccess(count, "quota exceeded"), "rejected"],
    ["says that it rejects more than there are", () => partialSuccess(1e9, ""), "rejected"],
    [
      "answers 200 with a page",
      () => new Response(page, { headers: { "content-type": "text/html" } }),
      "invalid_response",
    ],
    ["answers 200 with a page after a blank line", () => new Response(`\r\n\n${page}`), "invalid_response"],
    ["answers 200 with a word", () => new Response("Accepted"), "invalid_response"],
    ["answers 200 with a line of text", () => new Response("\nHello, and welcome back"), "invalid_response"],
    ["answers 200 with JSON that is cut", () => new Response('{"partialSuccess":{'), "invalid_response"],
  ])(
    "as dropped, with the reason, when it %s",
    async (_, answer, reason) => {
      await using collector = startAnswering((body, path) => answer(countItems(body, path), path));
      const telemetry = startExporting(collector.url);
      const made = makeSpans(telemetry, 1000);
      makeLogs(telemetry, 600);
      await telemetry.flush();
      const counted = await whenCounted(telemetry, made);
      expect(counted.spans).toEqual({ [reason]: made });
      expect(Object.keys(counted.logs)).toEqual([reason]);
      expect(await countsOf(telemetry, "otel_sdk_exporter_span_exported")).toEqual({ [reason]: made });
      const told = telemetry.linesOf("telemetry could not be sent, what does not fit the queue is dropped");
      expect(told.map(({ signal }) => signal).toSorted()).toEqual(["logs", "metrics", "traces"]);
    },
    limitMs,
  );

  const inJson = (count: number, path: string): Response => {
    const fields: Record<string, string> = { "/v1/traces": "rejectedSpans", "/v1/logs": "rejectedLogRecords" };
    const field = fields[path] ?? "rejectedDataPoints";
    return Response.json({ partialSuccess: { [field]: String(Math.floor(count / 4)), errorMessage: "too old" } });
  };
  test.each<[title: string, answer: Answer, share: number]>([
    ["a half", (count) => partialSuccess(Math.floor(count / 2), "quota exceeded"), 2],
    ["a quarter, in JSON", inJson, 4],
    ["none, with a warning", () => partialSuccess(0, "quota nearly exceeded"), Number.POSITIVE_INFINITY],
  ])(
    "each as what became of it when it rejects %s",
    async (_, answer, share) => {
      let rejectedSpans = 0;
      await using collector = startAnswering((body, path) => {
        const count = countItems(body, path);
        if (path === "/v1/traces") rejectedSpans += Math.floor(count / share);
        return answer(count, path);
      });
      const telemetry = startExporting(collector.url);
      const made = makeSpans(telemetry, 1000);
      await telemetry.flush();
      const { spans } = await whenCounted(telemetry, made);
      const expected = { "": made - rejectedSpans, ...(rejectedSpans > 0 && { rejected: rejectedSpans }) };
      expect(spans).toEqual(expected);
      expect(await countsOf(telemetry, "otel_sdk_exporter_span_exported")).toEqual(expected);
      const told = telemetry.linesOf("the collector answered with a partial success");
      expect(told.find(({ signal }) => signal === "traces")).toMatchObject({
        level: "warn",
        collector_message: expect.stringMatching(/quota|too old/),
      });
      // However many batches it was.
      expect(told.filter(({ signal }) => signal === "traces").length).toBe(1);
    },
    limitMs,
  );

  test(
    "as dropped when nobody listens there",
    async () => {
      const telemetry = startExporting(await closedUrl(), 1000);
      const made = makeSpans(telemetry, 1000);
      makeLogs(telemetry, 600);
      const { spans, logs } = await whenCounted(telemetry, made);
      expect([totalOf(spans), totalOf(logs)]).toEqual([made, telemetry.lines()]);
      expect(Object.keys({ ...spans, ...logs })).toEqual([expect.stringMatching(/^(ECONNREFUSED|ConnectionRefused)$/)]);
    },
    limitMs,
  );

  test(
    "as dropped for want of room, and what had room is exported whole by one flush",
    async () => {
      await using collector = startCollector(200);
      const telemetry = startExporting(collector.url);
      const made = makeSpans(telemetry, 70_000);
      makeLogs(telemetry, 40_000);
      await telemetry.flush();
      const { spans, logs } = await whenCounted(telemetry, made);
      expect([totalOf(spans), totalOf(logs)]).toEqual([made, telemetry.lines()]);
      expect([Object.keys(spans).toSorted(), Object.keys(logs).toSorted()]).toEqual([
        ["", "queue_full"],
        ["", "queue_full"],
      ]);
      // The queue, and the batch that was under way when it was full.
      expect([spans[""], logs[""]]).toEqual([65_536 + 512, 32_768 + 512]);
      await telemetry.stop();
    },
    limitMs,
  );
});
