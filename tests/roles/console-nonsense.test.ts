/**
 * Telemetry comes from anybody's programs. Whatever a span says of its times, parents, ids and attributes, the console
 * keeps it, answers for it, and the command line draws it.
 */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import fc from "fast-check";
import { readConfig } from "../../src/config.ts";
import { logsOfView, spansOfView, type TaskTraceView } from "../../src/console/task-trace-view.ts";
import { createConsole } from "../../src/console.ts";
import { systemClock } from "../../src/limits/clock.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { renderWaterfall } from "../../src/terminal/waterfall.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;
const peer = { address: "127.0.0.1" };
const taskId = "some-task";

/** Few of them, so that they meet: parents in circles, links to themselves, ids that are there twice. */
const idOf = (chars: number) => fc.constantFrom(...["1", "2", "3"].map((digit) => digit.repeat(chars)));
const anyText = fc.string({ unit: "binary", maxLength: 30 });
const nano = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  fc.constantFrom("0", "1700000000000000000"),
);
const double = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom("NaN", "Infinity"));
const keys = fc.constantFrom(
  "attempt",
  "error.type",
  "exception.message",
  "messaging.destination.name",
  "messaging.message.id",
  "throughline.queue_wait_ms",
  "__proto__",
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.record({ stringValue: anyText }),
    fc.record({ intValue: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
    fc.record({ doubleValue: double }),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie("value"), { maxLength: 3 }) }) }),
    fc.constant({}),
  ),
}));
const attributes = fc.array(fc.record({ key: fc.oneof(anyText, keys), value }), { maxLength: 6 });
const span = fc.record({
  traceId: idOf(32),
  spanId: idOf(16),
  parentSpanId: fc.oneof(idOf(16), fc.constant("")),
  name: anyText,
  kind: fc.integer({ min: 0, max: 7 }),
  startTimeUnixNano: nano,
  endTimeUnixNano: nano,
  attributes: attributes.map((others) => [...others, { key: "task_id", value: { stringValue: taskId } }]),
  events: fc.array(fc.record({ name: fc.constantFrom("exception", "tick"), timeUnixNano: nano, attributes }), {
    maxLength: 2,
  }),
  links: fc.array(fc.record({ traceId: idOf(32), spanId: idOf(16), attributes }), { maxLength: 2 }),
  status: fc.record({ code: fc.integer({ min: 0, max: 3 }), message: anyText }),
});
const logRecord = fc.record({ timeUnixNano: nano, traceId: idOf(32), spanId: idOf(16), body: value, attributes });

test(
  "no span and no log record is too strange to be kept, asked for and drawn",
  async () => {
    await using folder = await tempFolder();
    const levels = { base: "info", modules: {} } as const;
    const told: string[] = [];
    const writeLine = (line: string): void => void told.push(line);
    const log = createLogger({ service: "console", levels, writeLine, otlp: undefined, context: ROOT_CONTEXT });
    const limits = { retentionMs: 3_600_000, maxBytes: 64 * 1024 * 1024 };
    const telemetry = { log, startContext: ROOT_CONTEXT };
    const { config } = readConfig({}, {});
    const own = createConsole({ folder: folder.path, limits, clock: systemClock, config, telemetry });
    const send = async (signal: string, body: object): Promise<number> => {
      const headers = { "content-type": "application/json" };
      const request = new Request(`http://x/v1/${signal}`, { method: "POST", headers, body: JSON.stringify(body) });
      return (await own.receive(request, peer)).status;
    };
    const ask = async (path: string): Promise<Response> => own.query(new Request(`http://x${path}`), peer);

    await fc.assert(
      fc.asyncProperty(
        fc.array(span, { minLength: 1, maxLength: 6 }),
        fc.array(logRecord, { maxLength: 3 }),
        attributes,
        async (spans, logRecords, resource) => {
          const from = { resource: { attributes: resource } };
          expect(await send("traces", { resourceSpans: [{ ...from, scopeSpans: [{ spans }] }] })).toBe(200);
          expect(await send("logs", { resourceLogs: [{ ...from, scopeLogs: [{ logRecords }] }] })).toBe(200);
          expect((await ask("/v1/traces?limit=200")).status).toBe(200);
          expect((await ask(`/v1/traces/${spans[0]?.traceId}`)).status).toBe(200);
          const answer = await ask(`/v1/tasks/${taskId}/trace`);
          expect(answer.status).toBe(200);
          const view: TaskTraceView = await answer.json();
          const lines = renderWaterfall(spansOfView(view), { width: 80, color: false, logs: logsOfView(view) });
          expect(lines.length).toBeGreaterThan(3);
        },
      ),
      { numRuns: 100 },
    );
    expect(told).toEqual([]);
    own.stop();
  },
  limitMs,
);
