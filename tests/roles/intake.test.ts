/** The console's queue before its file: bounded, and every span and log record that is dropped is counted by its reason. */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { systemClock } from "../../src/clock.ts";
import { createIntake, type Intake } from "../../src/console/intake.ts";
import { observeIntake } from "../../src/console/intake-metrics.ts";
import { TelemetryFile } from "../../src/console/telemetry-file.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { eventually } from "../support/eventually.ts";
import { span } from "../support/spans.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startTestMeter } from "../support/test-meter.ts";

const limits = { retentionMs: 3_600_000, maxBytes: 64 * 1024 * 1024 };
const small = span("a".repeat(16), "worker", "run", { at: 0, ms: 1 });

interface Opened extends AsyncDisposable {
  intake: Intake;
  file: TelemetryFile;
  lines: string[];
  /** As a scrape tells them: `<name> <labels>` to value. */
  scraped(): Promise<Record<string, number>>;
}

async function open(): Promise<Opened> {
  const folder = await tempFolder();
  const file = new TelemetryFile(folder.path);
  const lines: string[] = [];
  const levels = { base: "info", modules: {} } as const;
  const writeLine = (line: string): void => void lines.push(JSON.parse(line).msg);
  const log = createLogger({ service: "console", levels, writeLine, otlp: undefined, context: ROOT_CONTEXT });
  const intake = createIntake({ file, limits, clock: systemClock, log });
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
  intake.sink.spans?.(Array.from({ length: 50_010 }, () => small));
  expect(intake.isFull()).toBe(true);
  expect(lines).toEqual(["the console drops telemetry: more comes than it can keep"]);
  intake.catchUp();
  expect(intake.isFull()).toBe(false);
  expect(await scraped()).toEqual({
    "otel_sdk_processor_span_processed queue_full": 10,
    "otel_sdk_processor_span_processed kept": 1000,
  });
  expect(intake.figures()).toEqual({ kept: 1000, dropped: 10, waiting: 49_000 });
  intake.stop();
  expect(intake.figures()).toEqual({ kept: 50_000, dropped: 10, waiting: 0 });
  file.close();
});

test("a span without ids belongs to no trace: it is dropped; a log record without is kept", async () => {
  await using opened = await open();
  const { intake, file, scraped } = opened;
  const { service, resource, flags, attributes } = small;
  const log = { service, resource, flags, attributes, atMs: 1, body: "b", eventName: "", severityNumber: 9 };
  intake.sink.spans?.([small, { ...small, spanId: "" }, { ...small, traceId: "" }]);
  intake.sink.logs?.([{ ...log, severityText: "INFO", traceId: undefined, spanId: undefined }]);
  await eventually(() => intake.figures().waiting === 0);
  expect(await scraped()).toEqual({
    "otel_sdk_processor_span_processed no_ids": 2,
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
  intake.sink.spans?.([small]);
  intake.catchUp();
  const [[name, count] = []] = Object.entries(await scraped());
  expect([name, count]).toEqual([expect.stringMatching(/^otel_sdk_processor_span_processed \w+$/), 1]);
  expect(name).not.toContain("kept");
  expect(lines).toEqual(["the console cannot write its file"]);
});
