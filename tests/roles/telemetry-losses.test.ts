/** What becomes of spans and log records is counted, each once, whatever the collector does: made = exported + dropped. */

import { afterEach, describe, expect, test } from "bun:test";
import { type Link, SpanKind } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { readConfig } from "../../src/config.ts";
import { toPlainSpan } from "../../src/telemetry/plain-span.ts";
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
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      asked += 1;
      await request.arrayBuffer();
      return status === undefined ? new Promise<Response>(() => {}) : new Response(null, { status });
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
}

/** @param giveUpMs after so long a batch is dropped that the collector has not taken; the exporters read it here */
function startExporting(url: string, giveUpMs = limitMs): Exporting {
  process.env[timeoutVariable] = String(giveUpMs);
  const { config } = readConfig({ handlers: "" }, { OTEL_EXPORTER_OTLP_ENDPOINT: url });
  let lines = 0;
  const telemetry = startTelemetry("worker", config, () => {
    lines += 1;
  });
  return { ...telemetry, lines: () => lines };
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
