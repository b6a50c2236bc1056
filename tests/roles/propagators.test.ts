/** What crosses the outer border when the settings say that it should not, or otherwise: one system for each. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { eventually } from "../support/eventually.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { type RecordingServer, startRecordingServer } from "../support/recording-server.ts";
import { type HttpTask, startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";

const startingMs = 60_000;
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const otherTraceId = "a".repeat(32);
const spanId = "00f067aa0ba902b7";
const everything = {
  traceparent: `00-${traceId}-${spanId}-01`,
  tracestate: "vendor=1",
  baggage: "tenant=blue",
  b3: `${otherTraceId}-${spanId}-1`,
};

let server: RecordingServer;
beforeAll(async () => {
  server = await startRecordingServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const propagated = /^(traceparent|tracestate|baggage|b3|x-b3-.*)$/;

/** The propagated headers of the call that a task makes, with the call's own span id as `SPAN`, and the task. */
async function callThrough(system: TestSystem, headers: Record<string, string>) {
  const path = `/${crypto.randomUUID()}`;
  const task = await system.accept({ type: "http", payload: { url: `${server.url}${path}` } }, headers);
  const called = Object.entries(await server.headersAt(path)).filter(([name]) => propagated.test(name));
  const plain = called.map(([name, value]) => [name, value.replace(/(?<=-)[0-9a-f]{16}(?=-)|^[0-9a-f]{16}$/, "SPAN")]);
  return { task, called: Object.fromEntries(plain) };
}

test(
  "OTEL_PROPAGATORS says what is read from callers and written to servers, breaks no trace of ours, and is warned of when it has names that are not known",
  async () => {
    const names = { OTEL_PROPAGATORS: "B3multi,xray,tracecontext,jaeger" };
    await using system = await startTestSystem({ threads: "1" }, names);
    const { task, called } = await callThrough(system, { b3: everything.b3, baggage: everything.baggage });
    expect(called).toEqual({
      traceparent: `00-${otherTraceId}-SPAN-01`,
      "x-b3-traceid": otherTraceId,
      "x-b3-spanid": "SPAN",
      "x-b3-sampled": "1",
    });
    const { trace_id, attempts } = await system.task(task.id, "20s");
    expect([trace_id, ...attempts.map((attempt) => attempt.trace_id)]).toEqual([otherTraceId, otherTraceId]);
    const warnings = system.lines.filter(({ variable }) => variable === "OTEL_PROPAGATORS");
    expect(warnings).toMatchObject([
      { level: "warn", service: "throughline", instead: expect.stringContaining("b3multi") },
    ]);
  },
  startingMs,
);

test(
  "OTEL_PROPAGATORS=none lets nothing in and nothing out, and breaks no trace of ours",
  async () => {
    await using system = await startTestSystem({ threads: "1" }, { OTEL_PROPAGATORS: "none" });
    const { task, called } = await callThrough(system, everything);
    expect(called).toEqual({});
    const { trace_id, attempts } = await system.task(task.id, "20s");
    expect([traceId, otherTraceId]).not.toContain(trace_id);
    expect(attempts.map((attempt) => attempt.trace_id)).toEqual([trace_id]);
  },
  startingMs,
);

describe.concurrent("an outside caller who is not trusted", () => {
  const spans: ReceivedSpan[] = [];
  const stack = new AsyncDisposableStack();
  let system: TestSystem;
  beforeAll(async () => {
    const receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (more) => spans.push(...more) });
    stack.defer(() => receiver.stop());
    const flags: TestFlags = { trustTraceContext: "false" };
    system = stack.use(await startTestSystem(flags, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }));
  }, startingMs);
  afterAll(() => stack.disposeAsync(), startingMs);

  const rootOf = ({ trace_id: id }: HttpTask): Promise<ReceivedSpan> =>
    eventually(() => spans.find(({ traceId, name }) => traceId === id && name === "POST /v1/tasks"));

  const callers: [what: string, headers: Record<string, string>, linked: string[]][] = [
    ["everything", { ...everything, tracestate: "vendor=1,throughline=forced" }, [traceId]],
    ["B3", { b3: `${otherTraceId}-${spanId}-1` }, [otherTraceId]],
    ["B3 that denies", { b3: "0" }, []],
    ["what is not valid", { traceparent: "garbage", tracestate: "vendor=1" }, []],
  ];
  test.each(callers)(
    "and sends %s gets a new trace, linked to his, and nothing else in",
    async (_what, headers, linked) => {
      const { task, called } = await callThrough(system, headers);
      expect(called).toEqual({ traceparent: `00-${task.trace_id}-SPAN-03` });
      expect([traceId, otherTraceId]).not.toContain(task.trace_id);
      const { parentSpanId, links } = await rootOf(task);
      expect(parentSpanId).toBeUndefined();
      expect(links).toMatchObject(linked.map((id) => ({ traceId: id, spanId })));
      expect(JSON.stringify(links)).not.toContain("vendor");
    },
  );
});
