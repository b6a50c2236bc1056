/** The console's queue before its file: bounded, and every span and log record that is dropped is counted by its reason. */

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { takeSpans } from "../../src/console/batch.ts";
import { createIntake, type Intake, observeIntake } from "../../src/console/intake.ts";
import { telemetryFileName } from "../../src/console/telemetry-database.ts";
import { type FileLimits, TelemetryFile } from "../../src/console/telemetry-file.ts";
import { systemClock } from "../../src/limits/clock.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { eventually } from "../support/eventually.ts";
import { toLogsRequest, toTraceRequest } from "../support/otlp-requests.ts";
import { span } from "../support/spans.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startTestMeter } from "../support/test-meter.ts";

const roomy: FileLimits = { retentionMs: 3_600_000, maxBytes: 64 * 1024 * 1024 };
const resource = { "service.name": "worker" };
const small = span("a".repeat(16), "worker", "run", { at: 0, ms: 1, resource });
const manySmall = (count: number): Uint8Array => toTraceRequest(Array.from({ length: count }, () => small));
const one = manySmall(1);

interface Opened extends AsyncDisposable {
  intake: Intake;
  file: TelemetryFile;
  lines: string[];
  /** As a scrape tells them: `<name> <labels>` to value. */
  scraped(): Promise<Record<string, number>>;
}

async function open(limits = roomy, isDiskLow = () => false): Promise<Opened> {
  const folder = await tempFolder();
  const file = new TelemetryFile(folder.path);
  const lines: string[] = [];
  const levels = { base: "info", modules: {} } as const;
  const writeLine = (line: string): void => void lines.push(JSON.parse(line).msg);
  const log = createLogger({ service: "console", levels, writeLine, otlp: undefined, context: ROOT_CONTEXT });
  const intake = createIntake({ file, limits, isDiskLow, clock: systemClock, log });
  const { meter, families } = startTestMeter("console");
  observeIntake(meter, intake);
  return {
    intake,
    file,
    lines,
    scraped: async () => {
      const all: Record<string, number> = {};
      for (const { name, series } of await families()) {
        for (const each of series) {
          const reason = each.labels.find(([label]) => label === "error_type")?.[1] ?? "kept";
          if ("value" in each) all[`${name} ${reason}`] = each.value;
        }
      }
      return all;
    },
    [Symbol.asyncDispose]: async () => {
      intake.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("what finds the queue full is dropped, counted and told; the door is shut meanwhile", async () => {
  await using opened = await open();
  const { intake, file, lines, scraped } = opened;
  const request = manySmall(1000);
  for (let count = 0; count < 51; count++) intake.sink.spans?.(request);
  expect(intake.isFull()).toBe(true);
  expect(lines).toEqual(["the console drops telemetry: more comes than it can keep"]);
  intake.catchUp();
  expect(intake.isFull()).toBe(false);
  expect(await scraped()).toEqual({
    "otel_sdk_processor_span_processed queue_full": 1000,
    "otel_sdk_processor_span_processed kept": 5000,
  });
  expect(intake.figures()).toEqual({ kept: 5000, dropped: 1000, waiting: 45_000 });
  intake.stop();
  expect(intake.figures()).toEqual({ kept: 50_000, dropped: 1000, waiting: 0 });
  file.close();
});

test("a span without ids belongs to no trace: it is dropped; a log record without is kept", async () => {
  await using opened = await open();
  const { intake, file, scraped } = opened;
  const { service, flags, attributes } = small;
  const log = { service, resource, flags, attributes, atMs: 1, body: "b", eventName: "", severityNumber: 9 };
  const without = [{ spanId: "" }, { traceId: "" }, { traceId: "0".repeat(32) }].map((ids) => ({ ...small, ...ids }));
  intake.sink.spans?.(toTraceRequest([small, ...without]));
  intake.sink.logs?.(toLogsRequest([{ ...log, severityText: "INFO", traceId: undefined, spanId: undefined }]));
  await eventually(() => intake.figures().waiting === 0);
  expect(await scraped()).toEqual({
    "otel_sdk_processor_span_processed no_ids": 3,
    "otel_sdk_processor_span_processed kept": 1,
    "otel_sdk_processor_log_processed kept": 1,
  });
  intake.stop();
  file.close();
});

test("what cannot be written is dropped, counted and told", async () => {
  await using opened = await open();
  const { intake, file, lines, scraped } = opened;
  file.close();
  intake.sink.spans?.(one);
  intake.catchUp();
  const [[name, count] = []] = Object.entries(await scraped());
  expect([name, count]).toEqual([expect.stringMatching(/^otel_sdk_processor_span_processed \w+$/), 1]);
  expect(name).not.toContain("kept");
  expect(lines).toEqual(["the console cannot write its file"]);
});

test("what is large counts by its size: memory is bounded, whatever came in one request", async () => {
  await using opened = await open();
  const { intake, file, scraped } = opened;
  const text = "x".repeat(100_000);
  const large = toTraceRequest(Array.from({ length: 150 }, () => ({ ...small, attributes: { text } })));
  for (let count = 0; count < 6; count++) intake.sink.spans?.(large);
  // 64 MiB, and what stood at the limit.
  expect(intake.figures()).toMatchObject({ waiting: 5 * 150 });
  expect(intake.isFull()).toBe(true);
  intake.stop();
  expect(await scraped()).toMatchObject({ "otel_sdk_processor_span_processed queue_full": 150 });
  file.close();
});

test("a file full of small rows stays within its limit when large ones come", async () => {
  const maxBytes = 4 * 1024 * 1024;
  await using opened = await open({ ...roomy, maxBytes });
  const { intake, file } = opened;
  const batch = (chars: number, length: number): Uint8Array => {
    const wide: ReceivedSpan = { ...small, attributes: { text: "x".repeat(chars) } };
    return toTraceRequest(Array.from({ length }, () => wide));
  };
  for (let count = 0; count < 500; count++) {
    intake.sink.spans?.(batch(1000, 10));
    intake.catchUp();
  }
  let most = 0;
  for (let count = 0; count < 20; count++) {
    intake.sink.spans?.(batch(4000, 200));
    await eventually(() => {
      intake.catchUp();
      most = Math.max(most, file.usedBytes());
      return intake.figures().waiting === 0;
    });
  }
  expect(most).toBeLessThan(maxBytes);
  expect(most).toBeGreaterThan(maxBytes / 4);
  expect(intake.figures()).toMatchObject({ kept: 9000, dropped: 0 });
  intake.stop();
  file.close();
});

test("a span with a text that nobody reads is kept with less of it, one that is too large is dropped", async () => {
  await using opened = await open();
  const { intake, file, scraped } = opened;
  const event = { name: "tick", atMs: 1, attributes: { n: 1 } };
  const [first, second] = ["1".repeat(32), "2".repeat(32)];
  const long = {
    ...small,
    traceId: first,
    name: "n".repeat(200_000),
    attributes: { text: "ä".repeat(1_000_000), n: 1 },
  };
  const wide = { ...small, traceId: second, events: Array.from({ length: 20_000 }, () => event) };
  intake.sink.spans?.(toTraceRequest([long, wide]));
  intake.stop();
  const [kept] = file.spansOf(first);
  expect(kept?.attributes).toEqual({ text: `${"ä".repeat(4096)}…`, n: 1 });
  expect(kept?.name).toBe(`${"n".repeat(4096)}…`);
  expect(file.spansOf(second)).toEqual([]);
  expect(await scraped()).toEqual({
    "otel_sdk_processor_span_processed too_large": 1,
    "otel_sdk_processor_span_processed kept": 1,
  });
  file.close();
});

test("while the disk has room for tasks alone nothing is written, and what comes is dropped and counted", async () => {
  let isDiskLow = true;
  await using opened = await open(roomy, () => isDiskLow);
  const { intake, file, lines, scraped } = opened;
  intake.sink.spans?.(one);
  intake.catchUp();
  expect(lines).toEqual(["the console cannot write its file"]);
  isDiskLow = false;
  intake.sink.spans?.(manySmall(2));
  intake.catchUp();
  expect(lines.at(-1)).toBe("the console writes its file again");
  expect(await scraped()).toEqual({
    "otel_sdk_processor_span_processed disk_full": 1,
    "otel_sdk_processor_span_processed kept": 2,
  });
  intake.stop();
  file.close();
});

test("a file that is damaged while it is open gives way to a new one, once, and says so", async () => {
  await using folder = await tempFolder();
  const reasons: string[] = [];
  const path = join(folder.path, telemetryFileName);
  const before = new TelemetryFile(folder.path);
  for (let batch = 0; batch < 20; batch++) {
    const spans = Array.from({ length: 500 }, () => ({ ...small, attributes: { text: "x".repeat(300) } }));
    before.add([takeSpans(toTraceRequest(spans)).batch], 1000);
  }
  before.close();
  const file = new TelemetryFile(folder.path, (reason) => reasons.push(reason));
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0x5a, 2 * 4096));
  expect(() => file.spansOf(small.traceId)).toThrow(/^the console's file was damaged: a new one takes its place/);
  expect(reasons).toEqual(["database disk image is malformed"]);
  file.add([takeSpans(one).batch], 1000);
  expect(file.spansOf(small.traceId)).toEqual([small]);
  expect(reasons.length).toBe(1);
  file.close();
});

test("a file that another process holds is not taken for a damaged one", async () => {
  await using folder = await tempFolder();
  const first = new TelemetryFile(folder.path);
  first.add([takeSpans(one).batch], 1000);
  const other = new DatabaseSync(join(folder.path, telemetryFileName));
  other.exec("BEGIN EXCLUSIVE");
  expect(() => first.add([takeSpans(one).batch], 1000)).toThrow(/locked/);
  other.exec("ROLLBACK");
  other.close();
  expect(first.spansOf(small.traceId)).toEqual([small]);
  first.close();
}, 30_000);

test("a search through many spans lets others have their turns", async () => {
  await using opened = await open();
  const { intake, file } = opened;
  for (let count = 0; count < 40; count++) {
    intake.sink.spans?.(manySmall(1000));
    intake.catchUp();
  }
  let isDone = false;
  let turns = 0;
  const takeTurns = (): void => {
    turns += 1;
    if (!isDone) setImmediate(takeTurns);
  };
  takeTurns();
  const found = await file.search({ limit: 10, operation: "no such operation" });
  isDone = true;
  expect(found).toEqual({ traces: [], isComplete: true });
  // One before it, and one after: without a pause there is no other.
  expect(turns).toBeGreaterThan(2);
});
