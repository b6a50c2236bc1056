/** Every instrument of the table, on a whole system in which tasks have had every fate. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { encodeTask } from "../../src/queue/envelope.ts";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { type Instrument, instruments } from "../../src/telemetry/metrics/instruments.ts";
import { labelOf } from "../../src/telemetry/metrics/prometheus.ts";
import { liveStatuses } from "../../src/words/task.ts";
import { attemptsOfFates, deadOfFates, fateFlags, processedOfFates, runFates } from "../support/counted-fates.ts";
import { eventually } from "../support/eventually.ts";
import { startGate } from "../support/gate.ts";
import { type MetricSeries, parsePrometheus } from "../support/metric-series.ts";
import { openSqsQueue } from "../support/sqs-queue.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 120_000;

let running: TestSystem;
let series: MetricSeries[];

beforeAll(async () => {
  running = await startTestSystem(fateFlags);
  await runFates(running.url);
  await loseLeases(running);
  await dieUnknown(running);
  series = await eventually(async () => {
    const found = await scrape();
    return isCounted(found) && found;
  });
}, limitMs);
afterAll(() => running[Symbol.asyncDispose](), limitMs);

async function scrape(): Promise<MetricSeries[]> {
  return parsePrometheus(await (await fetch(`${running.adminUrl}/metrics`)).text());
}

/** The dead are counted after they are seen to be dead, and the last message is settled after its task has ended. */
function isCounted(found: readonly MetricSeries[]): boolean {
  const dead = found.filter(({ name }) => name === "tasks_dead_total").reduce((sum, { value }) => sum + value, 0);
  const claims = found.filter(({ name }) => name === "task_claims_total").map(({ labels }) => labels.result);
  const inFlight = found.find(({ name }) => name === "worker_tasks_in_flight")?.value;
  const active = found.filter(({ name }) => name === "tasks_active").reduce((sum, { value }) => sum + value, 0);
  return dead === 5 && claims.includes("ended") && claims.includes("lost") && inFlight === 0 && active === 0;
}

/** A task whose message comes twice while it runs and once more when it has ended, and which loses its lease. */
async function loseLeases(system: TestSystem): Promise<void> {
  await using gate = startGate();
  const { id } = await system.accept(gate.task());
  await gate.held(1);
  const queue = await openSqsQueue(system, "task-events");
  const again = (): Promise<void> => queue.send(encodeTask({ taskId: id, type: "http" }));
  await again();
  await eventually(async () => (await scrape()).some(({ labels }) => labels.result === "lost"));
  using db = new DatabaseSync(join(system.dataDir, databaseFile));
  db.prepare("UPDATE tasks SET claim = claim + 1, lease_until = 0 WHERE id = ?").run(id);
  await eventually(async () => (await scrape()).some(({ labels }) => labels.outcome === "lease_lost"));
  gate.open();
  await system.task(id, "60s");
  await again();
}

/** A task whose type nobody has registered when it dies: the workers that had it are gone. */
async function dieUnknown(system: TestSystem): Promise<void> {
  await using gate = startGate();
  const { id } = await system.accept({ ...gate.task(), timeout: "3s", max_attempts: 1 });
  await gate.held(1);
  using db = new DatabaseSync(join(system.dataDir, databaseFile));
  db.prepare("UPDATE tasks SET type = 'gone' WHERE id = ?").run(id);
  await system.task(id, "60s");
}

/** By the label `by`, then by task type. */
function countsOf(name: string, by: string): Record<string, Record<string, number>> {
  const counts: Record<string, Record<string, number>> = {};
  for (const { labels, value } of series.filter((each) => each.name === name)) {
    const group = labels[by] ?? "none";
    counts[group] = { ...counts[group], [labels.task_type ?? "none"]: value };
  }
  return counts;
}

describe("tasks are counted", () => {
  test("by what became of them, each once", () => {
    const { submitted, succeeded, failed, dead } = processedOfFates;
    expect(countsOf("tasks_processed_total", "status")).toEqual({
      ...processedOfFates,
      // With the task that lost its lease, and the one whose type was lost.
      submitted: { ...submitted, http: 3 },
      succeeded: { ...succeeded, http: 2 },
      failed: { ...failed, http: 1 },
      dead: { ...dead, _other: 1 },
    });
  });

  test("by the reason that they died of", () => {
    const { attempts_exhausted: exhausted } = deadOfFates;
    expect(countsOf("tasks_dead_total", "reason")).toEqual({
      ...deadOfFates,
      attempts_exhausted: { ...exhausted, _other: 1 },
    });
  });

  test("by how their attempts ended, a lost lease too", () => {
    expect(countsOf("task_attempts_total", "outcome")).toEqual({
      ...attemptsOfFates,
      succeeded: { ...attemptsOfFates.succeeded, http: 2 },
      timed_out: { ...attemptsOfFates.timed_out, http: 1 },
      lease_lost: { http: 1 },
    });
  });

  test("as claimed, and once more by the redrive", () => {
    const countOf = (name: string, result: string) =>
      series.find((each) => each.name === name && each.labels.result === result)?.value;
    // Thirteen attempts of the fates, two of the task that lost its lease, one of that whose type was lost.
    expect(countOf("task_claims_total", "won")).toBe(16);
    expect(countOf("schedule_ticks_total", "fired")).toBe(1);
    expect(countOf("task_redrives_total", "moved")).toBe(1);
  });
});

describe("tasks are timed", () => {
  test.each([
    ["task_processing_duration_seconds_count", { echo: 3, flaky: 2, http: 3, sleep: 1, crash: 1, fail: 2 }],
    ["task_queue_wait_seconds_count", { echo: 3, flaky: 2, http: 5, sleep: 2, crash: 2, fail: 2 }],
    ["task_end_to_end_duration_seconds_count", { echo: 3, flaky: 1, http: 2, sleep: 1, crash: 1, fail: 2, _other: 1 }],
  ])("%s", (name, expected) => {
    const counts: Record<string, number> = {};
    for (const { labels, value } of series.filter((each) => each.name === name)) {
      counts[labels.task_type ?? ""] = (counts[labels.task_type ?? ""] ?? 0) + value;
    }
    expect(counts).toEqual(expected);
  });
});

test("what waits, runs and is dead is told by the store, and the threads by the worker", () => {
  const valuesOf = (name: string, by: string) =>
    Object.fromEntries(series.filter((each) => each.name === name).map(({ labels, value }) => [labels[by], value]));
  expect(valuesOf("tasks_active", "status")).toEqual(Object.fromEntries(liveStatuses.map((status) => [status, 0])));
  const ages = valuesOf("task_oldest_age_seconds", "queue");
  expect(ages).toEqual({ "task-events": 0, "task-events-dlq": expect.any(Number) });
  expect(ages["task-events-dlq"]).toBeGreaterThan(0);
  expect(valuesOf("worker_threads", "state")).toEqual({ idle: 1, busy: 0, stuck: 0, condemned: 0 });
});

/** Labels that nothing of these fates gives a value to. */
const unused: Record<string, readonly string[]> = {
  "http.server.request.duration": ["error.type"],
  "db.client.operation.duration": ["db.response.status_code", "error.type", "server.address"],
  "messaging.client.operation.duration": ["error.type"],
  "messaging.client.sent.messages": ["error.type"],
  "messaging.client.consumed.messages": ["error.type"],
};

test.each(Object.values<Instrument>(instruments).map((instrument) => [instrument.name, instrument] as const))(
  "%s has the labels of the table, and no other",
  (name, instrument) => {
    const ends = { s: "_seconds", By: "_bytes" }[instrument.unit] ?? "";
    const family = labelOf(name) + ends;
    const own = series.filter(
      (each) => each.name.replace(/_(total|bucket|sum|count)$/, "") === family.replace(/_count$/, ""),
    );
    const labels = new Set(own.flatMap((each) => Object.keys(each.labels)));
    const expected = instrument.labels.filter((label) => !unused[name]?.includes(label)).map(labelOf);
    const always = instrument.kind === "histogram" ? ["service_name", "le"] : ["service_name"];
    expect(labels).toEqual(new Set([...expected, ...always]));
  },
);

test("an exemplar of the processing time leads to the trace of a task", async () => {
  const headers = { accept: "application/openmetrics-text; version=1.0.0" };
  const answer = await fetch(`${running.adminUrl}/metrics`, { headers });
  expect(answer.headers.get("content-type")).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  const lines = (await answer.text()).split("\n");
  const found = lines.filter((line) => /^task_processing_duration_seconds_bucket.* # \{/.test(line));
  const traces = found.map((line) => /trace_id="(\w+)"/.exec(line)?.[1]);
  const known = new Set(running.rows("SELECT trace_id FROM tasks_timeline").map(({ trace_id: id }) => id));
  expect(traces.length).toBeGreaterThan(3);
  expect(traces.filter((id) => !known.has(id))).toEqual([]);
});
