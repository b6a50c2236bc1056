import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import fc from "fast-check";
import { readConfig, withOtlpEndpoint } from "../../src/config.ts";
import type { Listener } from "../../src/http/listen.ts";
import type { ReceivedLog } from "../../src/otlp/log.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { type LogLevel, logLevels, logLevelsOf } from "../../src/settings/parsers.ts";
import { createLogger, type Logger } from "../../src/telemetry/logs/log.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { TaskError } from "../../src/words/errors.ts";
import { anyText } from "../support/any-text.ts";
import { toLine } from "../support/log-records.ts";
import { startReceiver } from "../support/otlp-receiver.ts";

const startIds = { trace_id: "4bf92f3577b34da6a3ce929d0e0e4736", span_id: "00f067aa0ba902b7", trace_flags: 1 };
const taskIds = { trace_id: "0af7651916cd43dd8448eb211c80319c", span_id: "b7ad6b7169203331", trace_flags: 0 };

function contextOf({ trace_id, span_id, trace_flags }: typeof startIds): Context {
  return trace.setSpanContext(ROOT_CONTEXT, { traceId: trace_id, spanId: span_id, traceFlags: trace_flags });
}

interface Logged {
  log: Logger;
  /** As they are written, each with its line break. */
  lines: string[];
}

function logAt(levels: string): Logged {
  const lines: string[] = [];
  const log = createLogger({
    service: "worker",
    levels: logLevelsOf(levels),
    writeLine: (line) => lines.push(line),
    otlp: undefined,
    context: contextOf(startIds),
  });
  return { log, lines };
}

function parse(line: string | undefined): Record<string, unknown> {
  return JSON.parse(line ?? "");
}

describe("a line", () => {
  test("is a JSON object with its time, level, message, service, module and the start's trace", () => {
    const { log, lines } = logAt("info");
    log.warn("attempt failed", { retry_in_ms: 500 });
    expect(lines.map(parse)).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        level: "warn",
        severity_number: 13,
        msg: "attempt failed",
        service: "worker",
        module: "worker",
        ...startIds,
        retry_in_ms: 500,
      },
    ]);
  });

  test("carries the fields and the trace of what it is about", () => {
    const { log, lines } = logAt("info");
    const taskLog = log.in(contextOf(taskIds)).with({ task_id: "t1", attempt: 1 }).module("worker.pool");
    taskLog.info("task started");
    taskLog.info("task succeeded", { elapsed_ms: 1.5 });
    log.info("worker receives");
    const about = { level: "info", severity_number: 9, service: "worker" };
    expect(lines.map(parse).map(({ time: _, ...line }) => line)).toEqual([
      { ...about, module: "worker.pool", ...taskIds, task_id: "t1", attempt: 1, msg: "task started" },
      {
        ...about,
        module: "worker.pool",
        ...taskIds,
        task_id: "t1",
        attempt: 1,
        elapsed_ms: 1.5,
        msg: "task succeeded",
      },
      { ...about, module: "worker", ...startIds, msg: "worker receives" },
    ]);
  });

  test("keeps its trace when it is about something that has none", () => {
    const { log, lines } = logAt("info");
    log.in(ROOT_CONTEXT).info("sweep failed");
    expect(parse(lines[0])).toMatchObject(startIds);
  });

  test("has each level's number of OpenTelemetry", () => {
    const { log, lines } = logAt("trace");
    for (const level of logLevels) log[level]("said");
    expect(lines.map(parse).map(({ level, severity_number }) => [level, severity_number])).toEqual([
      ["trace", 1],
      ["debug", 5],
      ["info", 9],
      ["warn", 13],
      ["error", 17],
    ]);
  });

  test("shows an error as a plain object with its causes", () => {
    const { log, lines } = logAt("info");
    const cause = new TypeError("fetch failed");
    log.error("send failed", { error: new TaskError("unavailable", "the broker is away", { cause }) });
    expect(parse(lines[0]).error).toEqual({
      type: "unavailable",
      message: "the broker is away",
      stack: expect.stringContaining("log.test.ts"),
      causes: ["TypeError: fetch failed"],
    });
  });

  test("is one line and the same text again, whatever a user wrote", () => {
    const { log, lines } = logAt("info");
    fc.assert(
      fc.property(anyText(), anyText(), (said, value) => {
        lines.length = 0;
        log.info(said, { value, nested: { list: [value] } });
        expect(lines.length).toBe(1);
        expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
        const text = value.toWellFormed();
        const written = { msg: said.toWellFormed(), value: text, nested: { list: [text] }, ...startIds };
        expect(parse(lines[0])).toMatchObject(written);
        // Not as an escape either, which readers in other languages refuse.
        expect(lines[0]).not.toMatch(/\\ud[89a-f]/i);
      }),
    );
  });

  test("is there also for fields that have no JSON", () => {
    const { log, lines } = logAt("info");
    const round: Record<string, unknown> = { name: "round" };
    round.self = round;
    log.info("odd", { round, big: 5n, huge: 2n ** 60n, nothing: undefined, not: Number.NaN });
    expect(parse(lines[0])).toMatchObject({
      round: { name: "round", self: "[circular]" },
      big: 5,
      huge: "1152921504606846976",
      not: "NaN",
    });
  });

  test("keeps no character that could end it, or be obeyed by a terminal, as it is", () => {
    const { log, lines } = logAt("info");
    const text = "a\nb\r\u0085c\u2028d\u2029e\u001b[31mf\u009b31m\u007f\u0000g";
    log.info(text, { [text]: text });
    expect(lines[0]).toMatch(/^[ -~]*\n$/);
    expect(parse(lines[0])).toMatchObject({ msg: text, [text]: text });
  });

  test("is never longer than 64 KiB, and says where it was cut", () => {
    const { log, lines } = logAt("info");
    const texts = [
      "x".repeat(1_000_000),
      "\u0000".repeat(1_000_000),
      "\u2028".repeat(1_000_000),
      "€".repeat(1_000_000),
    ];
    for (const text of texts) {
      lines.length = 0;
      log.with({ task_id: "t1" }).error(text, { text, list: Array(1000).fill(text), error: new Error(text) });
      expect(lines.length).toBe(1);
      expect(Buffer.byteLength(lines[0] ?? "")).toBeLessThanOrEqual(65_536);
      const { msg, ...line } = parse(lines[0]);
      expect(msg).toEndWith("[cut]");
      expect(line).toMatchObject({ level: "error", severity_number: 17, task_id: "t1", ...startIds });
      expect(JSON.stringify(line)).toContain("[cut]");
    }
  });

  test("has no secret in its message, its fields or its error", () => {
    const { log, lines } = logAt("info");
    const url = "https://user:pass@example.com/?token=abc";
    log
      .with({ queue_endpoint: url })
      .info(`asked ${url}`, { headers: { authorization: "abc" }, error: new TaskError("unavailable", url) });
    expect(lines[0]).not.toMatch(/pass|abc/);
    expect(parse(lines[0])).toMatchObject({
      msg: "asked https://REDACTED:REDACTED@example.com/?token=REDACTED",
      queue_endpoint: "https://REDACTED:REDACTED@example.com/?token=REDACTED",
      headers: { authorization: "REDACTED" },
    });
  });

  test("does not let a field replace what it is about", () => {
    const { log, lines } = logAt("info");
    const forged = { time: "0", level: "error", severity_number: 17, msg: "forged", service: "gateway", module: "m" };
    log.with({ task_id: "t1" }).info("said", { ...forged, trace_id: undefined, span_id: "0", task_id: "t2", kept: 1 });
    const { time, ...line } = parse(lines[0]);
    expect(time).not.toBe("0");
    expect(line).toEqual({
      level: "info",
      severity_number: 9,
      msg: "said",
      service: "worker",
      module: "worker",
      ...startIds,
      task_id: "t1",
      kept: 1,
    });
    expect(lines[0]?.match(/"(level|msg|time|trace_id)":/g)?.length).toBe(4);
  });
});

describe("the level", () => {
  const levels = "warn,worker=info,worker.pool=debug,worker.pool.slot=error,queue=trace";
  const cases: [module: string, lowest: LogLevel][] = [
    ["gateway", "warn"],
    ["worker", "info"],
    ["worker.lease", "info"],
    ["worker.pool", "debug"],
    ["worker.pool.thread", "debug"],
    ["worker.pool.slot", "error"],
    ["workers", "warn"],
    ["queue", "trace"],
  ];

  test.each(cases)("of %s is %s: that of the longest name which has one", (module, lowest) => {
    const { log, lines } = logAt(levels);
    const moduleLog = log.module(module);
    for (const level of logLevels) moduleLog[level]("said");
    const told = logLevels.slice(logLevels.indexOf(lowest));
    expect(lines.map((line) => parse(line).level)).toEqual([...told]);
    expect(logLevels.filter((level) => moduleLog.isEnabled(level))).toEqual([...told]);
  });
});

test("a span that leaves shows no secret that somebody put on it", async () => {
  const spans: ReceivedSpan[] = [];
  const listener = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (more) => spans.push(...more) });
  const { config } = readConfig({ handlers: "", redactKeys: "iban" }, {});
  const telemetry = startTelemetry("worker", withOtlpEndpoint(config, listener.url), () => {});
  const attributes = { iban: "DE00", "my.password": "x", "url.full": "https://a:b@c.test/", attempt: 1 };
  telemetry.tracer.startSpan("made", { attributes }).end();
  await telemetry.stop();
  await listener.stop();
  expect(spans.find(({ name }) => name === "made")?.attributes).toEqual({
    iban: "REDACTED",
    "my.password": "REDACTED",
    "url.full": "https://REDACTED:REDACTED@c.test/",
    attempt: 1,
  });
});

describe("the trace of a role's start", () => {
  test("arrives whatever share of traces is kept, so that the lines which carry it lead somewhere", async () => {
    const spans: ReceivedSpan[] = [];
    const listener = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (more) => spans.push(...more) });
    const { config } = readConfig({ handlers: "", environment: "production" }, {});
    const lines: Record<string, unknown>[] = [];
    for (let n = 0; n < 30; n++) {
      const telemetry = startTelemetry("worker", withOtlpEndpoint(config, listener.url), (line) =>
        lines.push(parse(line)),
      );
      telemetry.log.info("worker receives");
      await telemetry.stop();
    }
    await listener.stop();
    expect(spans.map(({ name, traceId, spanId, flags }) => [name, traceId, spanId, flags & 1])).toEqual(
      lines.map(({ trace_id, span_id }) => ["start worker", String(trace_id), String(span_id), 1]),
    );
    expect(lines.length).toBe(30);
    expect(new Set(lines.map(({ trace_flags: flags }) => flags))).toEqual(new Set([3]));
  });

  test("is left to the sampler that somebody has chosen", async () => {
    const lines: Record<string, unknown>[] = [];
    const before = process.env.OTEL_TRACES_SAMPLER;
    process.env.OTEL_TRACES_SAMPLER = "always_off";
    const { config } = readConfig({ handlers: "" }, { OTEL_TRACES_SAMPLER: "always_off" });
    const telemetry = startTelemetry("worker", config, (line) => lines.push(parse(line)));
    if (before === undefined) delete process.env.OTEL_TRACES_SAMPLER;
    else process.env.OTEL_TRACES_SAMPLER = before;
    telemetry.log.info("worker receives");
    await telemetry.stop();
    expect(lines).toMatchObject([{ trace_flags: 2, trace_id: expect.stringMatching(/^(?!0+$)[0-9a-f]{32}$/) }]);
  });
});

describe("the record that leaves by OTLP", () => {
  const logs: ReceivedLog[] = [];
  let receiver: Listener;
  beforeAll(async () => {
    receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, { logs: (more) => logs.push(...more) });
  });
  afterAll(() => receiver.stop());

  test("says what its line says, with the trace of the role's start or of the task", async () => {
    const { config } = readConfig({ handlers: "", logLevel: "debug" }, {});
    const lines: Record<string, unknown>[] = [];
    const telemetry = startTelemetry("worker", withOtlpEndpoint(config, receiver.url), (line) =>
      lines.push(parse(line)),
    );
    telemetry.log.trace("not told");
    telemetry.log.info("ready", {
      roles: ["worker"],
      addresses: { admin_url: "http://x" },
      elapsed_ms: 1.5,
      none: null,
    });
    const cause = new AggregateError([new TypeError("first"), new Error("second")], "both");
    telemetry.log.in(contextOf(taskIds)).error("task is dead", { error: new RangeError("two\nlines", { cause }) });
    telemetry.log.module("worker.pool").debug("thread ended", { "user key \n": 'a "text"\u0000' });
    await telemetry.stop();

    expect(lines.map(({ level }) => level)).toEqual(["info", "error", "debug"]);
    expect(lines.every(({ trace_id }) => /^[0-9a-f]{32}$/.test(String(trace_id)))).toBe(true);
    expect<unknown>(logs.map(toLine)).toEqual(lines);
    expect(logs[1]?.attributes).toEqual({
      service: "worker",
      module: "worker",
      "exception.type": "RangeError",
      "exception.message": "two\nlines",
      "exception.stacktrace": expect.stringContaining("log.test.ts"),
      "throughline.error.cause_chain": ["AggregateError: both", "TypeError: first", "Error: second"],
    });
    expect(new Set(logs.map(({ service }) => service))).toEqual(new Set(["worker"]));
  });
});
