/** What the OpenTelemetry SDK says about itself, through the real one: with an endpoint that answers as the test wants. */

import { describe, expect, test } from "bun:test";
import { diag } from "@opentelemetry/api";
import { type Config, readConfig } from "../../src/config.ts";
import { createReceiver } from "../../src/console/receiver.ts";
import { type Listener, listen } from "../../src/http/listen.ts";
import { instruments } from "../../src/telemetry/metrics/instruments.ts";
import { startTelemetry, type Telemetry } from "../../src/telemetry/telemetry.ts";

interface Line {
  level: string;
  msg: string;
  module: string;
  [field: string]: unknown;
}

interface Started extends AsyncDisposable {
  telemetry: Telemetry;
  lines: Line[];
  collector: { status: number };
}

async function start(env: Record<string, string> = {}): Promise<Started> {
  const collector = { status: 200 };
  const receive = createReceiver({});
  const listener: Listener = await listen({ host: "127.0.0.1", port: 0 }, (request, peer) =>
    collector.status === 200 ? receive(request, peer) : new Response(null, { status: collector.status }),
  );
  const config: Config = readConfig(
    { handlers: "", logLevel: "trace" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: listener.url, ...env },
  ).config;
  const lines: Line[] = [];
  const telemetry = startTelemetry("worker", config, (line) => lines.push(JSON.parse(line)));
  return {
    telemetry,
    lines,
    collector,
    [Symbol.asyncDispose]: async () => {
      await telemetry.stop();
      await listener.stop(0);
    },
  };
}

function ofSdk(lines: readonly Line[]): Line[] {
  return lines.filter(({ module }) => module === "otel");
}

describe("exports that fail", () => {
  test("are told once for each signal, and once more when they go well again", async () => {
    await using started = await start();
    const { telemetry, lines, collector } = started;
    const counter = telemetry.meter.counter(instruments.taskRedrives);
    // Not one that is worth a repetition (OTLP specification, "Retryable Response Codes").
    collector.status = 400;
    for (let n = 0; n < 3; n++) {
      telemetry.tracer.startSpan("made").end();
      telemetry.log.info("said");
      counter.add(1, "moved");
      await telemetry.flush();
    }
    collector.status = 200;
    telemetry.tracer.startSpan("made").end();
    telemetry.log.info("said");
    await telemetry.flush();
    await telemetry.flush();

    const warnings = ofSdk(lines).filter(({ level }) => level === "warn");
    const told = warnings.map(({ msg, signal, count }) => [msg, signal, count]);
    const begun = "telemetry could not be sent, what does not fit the queue is dropped";
    expect(told.filter(([msg]) => msg === begun).toSorted()).toEqual([
      [begun, "logs", 1],
      [begun, "metrics", 1],
      [begun, "traces", 1],
    ]);
    expect(warnings[0]).toMatchObject({ error: { type: expect.any(String), message: expect.any(String) } });
    const over = ofSdk(lines).filter(({ msg }) => msg === "telemetry is sent again");
    expect(over.map(({ level, signal }) => [level, signal]).toSorted()).toEqual([
      ["info", "logs"],
      ["info", "metrics"],
      ["info", "traces"],
    ]);
  });
});

test("nothing is said about telemetry that starts twice in one thread, and goes well", async () => {
  await using first = await start();
  await using second = await start();
  for (const { telemetry } of [first, second]) {
    telemetry.tracer.startSpan("made").end();
    telemetry.log.info("said");
    await telemetry.flush();
  }
  const loud = [...first.lines, ...second.lines].filter(({ level }) => level !== "debug" && level !== "trace");
  expect(loud.map(({ msg }) => msg)).toEqual(["said", "said"]);
});

describe("the SDK's own words", () => {
  test("are lines with a constant message, the same text at most twice a minute, with whatever came with it", async () => {
    await using started = await start();
    for (let n = 0; n < 100; n++) diag.warn(`out of room, ${n} dropped`, { queue: 5 });
    diag.error("broken");
    expect(ofSdk(started.lines).map(({ level, msg, text, details }) => [level, msg, text, details])).toEqual([
      ["warn", "the OpenTelemetry SDK says", "out of room, 0 dropped", [{ queue: 5 }]],
      ["warn", "the OpenTelemetry SDK says", "broken", undefined],
    ]);
  });

  test("about a line that they become are not told: that would not end", async () => {
    await using started = await start({ OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT: "1" });
    const { telemetry, lines } = started;
    telemetry.log.info("said", { a: 1, b: 2 });
    telemetry.log.info("said", { a: 1, b: 2 });
    expect(lines.map(({ msg, text }) => [msg, text])).toEqual([
      ["said", undefined],
      ["the OpenTelemetry SDK says", "Dropping extra attributes."],
      ["said", undefined],
    ]);
  });

  test.each([
    ["none", []],
    ["ERROR", ["e"]],
    ["warn", ["e", "w"]],
    ["", ["e", "w", "i"]],
    ["no such level", ["e", "w", "i"]],
    ["debug", ["e", "w", "i", "d"]],
    ["verbose", ["e", "w", "i", "d", "v"]],
    ["all", ["e", "w", "i", "d", "v"]],
  ])("are told from OTEL_LOG_LEVEL=%s", async (level, told) => {
    await using started = await start({ OTEL_LOG_LEVEL: level });
    started.lines.length = 0;
    diag.error("e");
    diag.warn("w");
    diag.info("i");
    diag.debug("d");
    diag.verbose("v");
    expect(ofSdk(started.lines).map(({ text }) => text)).toEqual(told);
  });
});
