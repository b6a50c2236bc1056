/**
 * Tasks of every fate, and what was told about them: one line for each change of state, the same over OTLP as on stdout,
 * each in a trace that has arrived too; and an event for each in `/metrics/events` and in the metrics.
 */

import { beforeAll, describe, expect, test } from "bun:test";
import type { ReceivedLog } from "../../src/otlp/log.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import type { EventsReport } from "../../src/telemetry/events.ts";
import { deadLettersAt } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { toLine } from "../support/log-records.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { type LogLine, startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 120_000;

interface Run {
  lines: readonly LogLine[];
  records: ReceivedLog[];
  spans: ReceivedSpan[];
  /** Ids of the tasks, by fate. */
  tasks: Record<keyof typeof fates, string>;
  /** The answer of `/metrics/events` and its `Cache-Control`, before the first task and after the last. */
  before: EventsReport;
  after: EventsReport;
  cacheControl: string | null;
  /** Of the metric `task_events_total`: event, and the sum over all roles. */
  counted: Map<string, number>;
}

/** What the log says of each, in the order in which it happens: level, service and message. */
const fates = {
  succeeds: ["info task-service task created", "info worker task started", "info worker task succeeded"],
  succeedsLater: [
    "info task-service task created",
    "info worker task started",
    "warn worker attempt failed, another follows",
    "info worker task started",
    "info worker task succeeded",
  ],
  timesOut: [
    "info task-service task created",
    "info worker task started",
    "warn worker attempt failed, it was the last",
    "error dlq-processor task is dead",
  ],
  diesTwice: [
    "info task-service task created",
    "info worker task started",
    "warn worker attempt failed, it was the last",
    "error dlq-processor task is dead",
    "info dlq-processor task redriven",
    "info worker task started",
    "warn worker attempt failed, it was the last",
    "error dlq-processor task is dead",
    "info task-service dead letter discarded",
  ],
  crashes: [
    "info task-service task created",
    "info worker task started",
    "warn worker attempt failed, it was the last",
    "error dlq-processor task is dead",
  ],
  neverStarts: ["info task-service task created", "info task-service task canceled"],
  isCanceled: [
    "info task-service task created",
    "info worker task started",
    "info task-service task canceled while it runs",
    "info worker task canceled while it ran",
  ],
} as const;

const expectedCounts = {
  "task.created": 7,
  "task.started": 8,
  "task.completed": 2,
  "task.failed": 4,
  "task.retried": 1,
  "task.dead": 4,
  "task.redriven": 1,
  "task.canceled": 2,
};

async function runAll(): Promise<Run> {
  const [records, spans]: [ReceivedLog[], ReceivedSpan[]] = [[], []];
  const receiver = await startReceiver(
    { host: "127.0.0.1", port: 0 },
    { logs: (more) => records.push(...more), spans: (more) => spans.push(...more) },
  );
  await using stack = new AsyncDisposableStack();
  stack.defer(() => receiver.stop());
  const flags = { retryBase: "1ms", visibilityTimeout: "2s" };
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
  let seen: Pick<Run, "tasks" | "before" | "after" | "cacheControl" | "counted">;
  let lines: readonly LogLine[];
  {
    await using running = await startTestSystem(flags, env);
    lines = running.lines;
    const before = (await eventsOf(running)).report;
    const tasks = await submitAll(running);
    await eventually(async () => {
      expect(countsOf((await eventsOf(running)).report)).toEqual(expectedCounts);
      return true;
    });
    const { report, cacheControl } = await eventsOf(running);
    seen = { tasks, before, after: report, cacheControl, counted: await countedBy(running) };
  }
  return { lines, records, spans, ...seen };
}

async function submitAll(running: TestSystem): Promise<Run["tasks"]> {
  const { accept, task } = running;
  const cancel = (id: string): Promise<Response> => fetch(`${running.url}/v1/tasks/${id}/cancel`, { method: "POST" });
  const letters = deadLettersAt(running.url);
  // Alone: who runs beside it on the thread that it ends, is started again.
  const crashes = await accept({ type: "crash", max_attempts: 1 });
  await task(crashes.id, "60s");
  const submitted = {
    crashes,
    succeeds: await accept({ type: "echo", payload: 1 }),
    succeedsLater: await accept({ type: "flaky", payload: { failures: 1 } }),
    timesOut: await accept({ type: "sleep", payload: { ms: 600_000 }, timeout: "50ms", max_attempts: 1 }),
    diesTwice: await accept({ type: "fail", payload: { fatal: true } }),
    neverStarts: await accept({ type: "echo", delay: "1h" }),
    isCanceled: await accept({ type: "sleep", payload: { ms: 600_000 }, timeout: "1h" }),
  };
  await cancel(submitted.neverStarts.id);
  await eventually(async () => (await task(submitted.isCanceled.id)).status === "running");
  await cancel(submitted.isCanceled.id);
  await task(submitted.diesTwice.id, "60s");
  await letters.redriven({ ids: [submitted.diesTwice.id] });
  for (const { id } of Object.values(submitted)) await task(id, "60s");
  await letters.discard(submitted.diesTwice.id, "seen");
  // One for each fate of the table.
  return Object.fromEntries(Object.entries(submitted).map(([fate, { id }]) => [fate, id])) as Run["tasks"];
}

async function eventsOf({ adminUrl }: TestSystem): Promise<{ report: EventsReport; cacheControl: string | null }> {
  const answer = await fetch(`${adminUrl}/metrics/events`);
  return { report: await answer.json(), cacheControl: answer.headers.get("cache-control") };
}

function countsOf({ events }: EventsReport): Record<string, number> {
  return Object.fromEntries(Object.entries(events).map(([event, { count }]) => [event, count]));
}

async function countedBy({ adminUrl }: TestSystem): Promise<Map<string, number>> {
  const counted = new Map<string, number>();
  for (const { name, labels, value } of parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text())) {
    if (name !== "task_events_total") continue;
    counted.set(labels.event ?? "", (counted.get(labels.event ?? "") ?? 0) + value);
  }
  return counted;
}

describe("a run of every fate", () => {
  let run: Run;
  beforeAll(async () => {
    run = await runAll();
  }, limitMs);
  const roleOf = (line = ""): string => line.split(" ")[1] ?? "";
  const byRole = (lines: readonly string[]): string[] => lines.toSorted((a, b) => roleOf(a).localeCompare(roleOf(b)));
  const linesAbout = (id: string): LogLine[] => run.lines.filter((line) => line.task_id === id);

  test.each(Object.keys(fates))("has one line for each change of state of the task that %s", (fate) => {
    const name = fate as keyof typeof fates;
    const lines = linesAbout(run.tasks[name]);
    const told = lines.filter(({ module, service }) => module === service || module === "dlq.redrive");
    // Each role's in its order: what two roles say at the same time may be written either way round.
    expect(byRole(told.map(({ level, service, msg }) => `${level} ${service} ${msg}`))).toEqual(byRole(fates[name]));
  });

  test("has the ids of the task on each of them, and the time on those that end an attempt", () => {
    const lines = Object.values(run.tasks).flatMap(linesAbout);
    const wanting = lines.filter((line) => !(line.correlation_id && line.task_type));
    expect(wanting.map(({ msg }) => msg)).toEqual([]);
    const ends = lines.filter(({ msg }) => /^(task succeeded|attempt failed|task canceled while it ran)/.test(msg));
    expect(ends.length).toBeGreaterThan(5);
    expect(ends.filter(({ elapsed_ms: ms, attempt }) => !(Number(ms) > 0 && Number(attempt) > 0))).toEqual([]);
  });

  test("has the same lines over OTLP as on stdout, field by field", () => {
    const inOrder = (a: object, b: object): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
    const sorted = (line: object): object =>
      Object.fromEntries(Object.entries(line).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    expect(run.lines.length).toBeGreaterThan(30);
    expect(run.records.map(toLine).map(sorted).toSorted(inOrder)).toEqual(run.lines.map(sorted).toSorted(inOrder));
  });

  test("has no line whose span, and so whose trace, has not arrived", () => {
    const known = new Set(run.spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`));
    const lost = run.lines.filter(({ trace_id, span_id }) => !known.has(`${trace_id} ${span_id}`));
    expect(lost.map(({ msg, service }) => `${service}: ${msg}`)).toEqual([]);
  });

  test("has every event in /metrics/events with its latency, from all roles, and before it none", () => {
    expect(run.cacheControl).toBe("no-store");
    expect(new Set(Object.values(countsOf(run.before)))).toEqual(new Set([0]));
    expect(countsOf(run.after)).toEqual(expectedCounts);
    for (const { last_at, publish_latency_ms: latency } of Object.values(run.after.events)) {
      expect(last_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(latency.mean).toBeGreaterThan(0);
      expect(latency.p95).toBeLessThanOrEqual(latency.max ?? Number.NaN);
      expect(latency.mean).toBeLessThanOrEqual(latency.max ?? Number.NaN);
    }
  });

  test("has the same counts in the metrics", () => {
    expect(Object.fromEntries(run.counted)).toEqual(expectedCounts);
  });
});
