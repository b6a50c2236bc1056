/** Lines and records that are written by hand, beside those of the way that any fields take. */

import { afterAll, describe, expect, setSystemTime, test } from "bun:test";
import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { LoggerProvider } from "@opentelemetry/sdk-logs";
import fc from "fast-check";
import { encodeLog } from "../../src/otlp/log.ts";
import { logLevels, logLevelsOf } from "../../src/settings/parsers.ts";
import { createLogger, type Fields, type Logger } from "../../src/telemetry/logs/log.ts";
import { anyText } from "../support/any-text.ts";

const ids = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 3 };
const context = trace.setSpanContext(ROOT_CONTEXT, ids);
const other = trace.setSpanContext(ROOT_CONTEXT, { ...ids, spanId: "b7ad6b7169203331", traceFlags: 0 });

interface Written {
  log: Logger;
  lines: string[];
  /** In bytes. */
  records: string[];
  /** How many records were encoded without the SDK. */
  byHand(): number;
}

function startLog(isByHand: boolean): Written {
  const [lines, records]: [string[], string[]] = [[], []];
  let count = 0;
  const provider = new LoggerProvider({
    processors: [
      {
        onEmit: (record) => void records.push(Buffer.from(encodeLog(record).written.toBytes()).toString("hex")),
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  });
  const take = (written: { toBytes(): Uint8Array }): void => {
    count += 1;
    records.push(Buffer.from(written.toBytes()).toString("hex"));
  };
  const log = createLogger({
    service: "worker",
    levels: logLevelsOf("trace"),
    writeLine: (line) => lines.push(line),
    otlp: { logger: provider.getLogger("throughline"), take: isByHand ? take : undefined },
    context,
  });
  return { log, lines, records, byHand: () => count };
}

const names = "task_id task_type attempt token error err level msg service trace_id span_id 7 __proto__ constructor a";
const name = fc.oneof(fc.constantFrom(...names.split(" ")), anyText());
const usual = fc.oneof(fc.string({ maxLength: 40 }), fc.integer(), fc.double({ noNaN: true }), fc.boolean());
const odd = fc.oneof(
  anyText(),
  fc.double(),
  fc.constantFrom(undefined, null, "https://a:b@c.test/?sig=1", "x".repeat(400), new Error("lost"), [1, "2"], { a: 1 }),
);
const usualName = fc.constantFrom("task_id", "task_type", "attempt", "elapsed_ms", "status");
const usualFields: fc.Arbitrary<Fields> = fc.dictionary(usualName, usual, { maxKeys: 4 });
const anyFields: fc.Arbitrary<Fields> = fc.dictionary(name, fc.oneof(usual, odd), { maxKeys: 20 });
const fields = fc.oneof(usualFields, anyFields);
const said = fc.record({
  level: fc.constantFrom(...logLevels),
  msg: fc.oneof(fc.constant("task started"), anyText()),
  fields: fc.option(fields, { nil: undefined }),
});
const logged = fc.record({
  module: fc.constantFrom(undefined, "worker.pool"),
  isElsewhere: fc.boolean(),
  bound: fc.array(fields, { maxLength: 2 }),
  said: fc.array(said, { minLength: 1, maxLength: 2 }),
});

describe("a line and its record, written by hand,", () => {
  setSystemTime(new Date("2026-03-04T05:06:07.089Z"));
  afterAll(() => setSystemTime());

  test("are the same to the byte as on the way that any fields take", () => {
    const [fast, general] = [startLog(true), startLog(false)];
    fc.assert(
      fc.property(logged, (one) => {
        for (const { log, lines, records } of [fast, general]) {
          lines.length = 0;
          records.length = 0;
          let about = one.module === undefined ? log : log.module(one.module);
          if (one.isElsewhere) about = about.in(other);
          for (const bound of one.bound) about = about.with(bound);
          for (const { level, msg, fields } of one.said) about[level](msg, fields);
        }
        expect(fast.lines).toEqual(general.lines);
        expect(fast.records).toEqual(general.records);
        expect(fast.lines.length).toBe(one.said.length);
      }),
      { numRuns: 2000 },
    );
    expect(fast.byHand()).toBeGreaterThan(300);
    expect(general.byHand()).toBe(0);
  });

  test("are what JSON and OTLP say of the same fields", () => {
    const { log, lines, byHand } = startLog(true);
    const about = log.in(other).with({ task_id: "t-1", attempt: 2 });
    about.info("task succeeded", { elapsed_ms: 1.5, is_last: true, outcome: "it's done: 100 %" });
    expect(lines).toEqual([
      `${JSON.stringify({
        level: "info",
        severity_number: 9,
        time: "2026-03-04T05:06:07.089Z",
        service: "worker",
        module: "worker",
        trace_id: ids.traceId,
        span_id: "b7ad6b7169203331",
        trace_flags: 0,
        task_id: "t-1",
        attempt: 2,
        elapsed_ms: 1.5,
        is_last: true,
        outcome: "it's done: 100 %",
        msg: "task succeeded",
      })}\n`,
    ]);
    expect(byHand()).toBe(1);
  });

  test("are made in the other way when a getter of a field throws", () => {
    const { log, lines, byHand } = startLog(true);
    const fields = Object.defineProperty({ task_id: "t-1" }, "status", {
      enumerable: true,
      get: () => {
        throw new Error("not now");
      },
    });
    log.info("odd", fields);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ task_id: "t-1", status: "[unreadable]" });
    expect(byHand()).toBe(0);
  });
});
