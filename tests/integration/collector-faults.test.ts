/**
 * A collector that refuses, hangs, is slow or busy is in nobody's way: tasks go on, what cannot be sent is dropped and
 * counted, and once the collector is well again everything arrives. Ten minutes of that at the usual pace are seconds
 * here: exports follow each other fifty times as fast, give up five times as soon, and have a hundredth of the room.
 */

import { beforeAll, describe, expect, test } from "bun:test";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { eventually } from "../support/eventually.ts";
import { type CollectorState, startFaultyCollector } from "../support/faulty-collector.ts";
import { httpApi } from "../support/http-api.ts";
import { type MetricSeries, parsePrometheus } from "../support/metric-series.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { startLoad } from "../support/steady-load.ts";
import { expectedTree, type TaskCase } from "../support/ten-tasks.ts";
import { toTraceTrees } from "../support/trace-tree.ts";

const limitMs = 180_000;
const queueSize = 600;
const pace = {
  OTEL_BSP_SCHEDULE_DELAY: "20",
  OTEL_BSP_MAX_QUEUE_SIZE: String(queueSize),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "200",
  // The exporter's own limit comes first: what it has given up was not sent.
  OTEL_BSP_EXPORT_TIMEOUT: "10000",
  OTEL_EXPORTER_OTLP_TIMEOUT: "2000",
};
/** Tasks accepted in each state, before the next one begins. */
const tasksInState = 400;
const states: readonly CollectorState[] = ["well", "away", "slow", "hanging", "busy"];

/** Metrics that are measured on spans, one observation for each. */
const measured = [
  "http_server_request_duration_seconds_count",
  "rpc_client_call_duration_seconds_count",
  "rpc_server_call_duration_seconds_count",
  "db_client_operation_duration_seconds_count",
  "messaging_client_operation_duration_seconds_count",
  "messaging_process_duration_seconds_count",
];
/** The four roles, and what starts and watches them. */
const startedServices = 5;

const echo: TaskCase = { body: { type: "echo", payload: 1 }, attempts: ["succeeded"], status: "succeeded" };

/** Of the spans of all roles. */
interface Counts {
  made: number;
  sent: number;
  dropped: number;
  waiting: number;
  mostWaiting: number;
}

async function scrape({ addresses }: ThroughlineProcess): Promise<MetricSeries[]> {
  return parsePrometheus(await (await fetch(`${addresses.admin_url}/metrics`)).text());
}

async function countsOf(process: ThroughlineProcess): Promise<Counts> {
  const series = await scrape(process);
  const named = (name: string): MetricSeries[] => series.filter((each) => each.name === name);
  const sum = (some: MetricSeries[]): number => some.reduce((total, { value }) => total + value, 0);
  const processed = named("otel_sdk_processor_span_processed_total");
  const waiting = named("otel_sdk_processor_span_queue_size");
  return {
    // Every span is measured as it ends, but for those of handlers, one for each attempt, and those of the starts.
    made: sum([...measured, "task_attempts_total"].flatMap(named)) + startedServices,
    sent: sum(processed.filter(({ labels }) => labels.error_type === undefined)),
    dropped: sum(processed.filter(({ labels }) => labels.error_type !== undefined)),
    waiting: sum(waiting),
    mostWaiting: Math.max(...waiting.map(({ value }) => value)),
  };
}

describe("a collector that fails in every way, one after the other", () => {
  const spans: ReceivedSpan[] = [];
  let accepted: number;
  let succeeded: number;
  let seen: { state: CollectorState; counts: Counts }[];
  let settled: Counts;
  let received: number;
  let after: ReceivedSpan[][];

  beforeAll(async () => {
    await using collector = await startFaultyCollector({ spans: (some) => spans.push(...some) });
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`, ...pace };
    await using process = await startThroughline([...freePorts, "--threads=1"], { env });
    const { gateway_url: url } = process.addresses;
    const load = startLoad(url, { callers: 8, bodyOf: () => ({ type: "echo", payload: 1 }) });
    seen = [];
    for (const state of states) {
      await collector.become(state);
      const before = load.accepted.length;
      await eventually(() => load.accepted.length >= before + tasksInState, { timeoutMs: limitMs });
      seen.push({ state, counts: await countsOf(process) });
    }
    await load.stop();
    accepted = load.accepted.length;
    const isDone = (): number => process.lines.filter((line) => line.includes('"msg":"task succeeded"')).length;
    await eventually(() => isDone() === accepted, { timeoutMs: limitMs });
    succeeded = isDone();
    await collector.become("well");
    settled = await eventually(
      async () => {
        const counts = await countsOf(process);
        return counts.sent + counts.dropped === counts.made && counts;
      },
      { timeoutMs: limitMs },
    );
    received = spans.length;
    const api = httpApi(url);
    const last = await Promise.all(Array.from({ length: 20 }, async () => api.ended((await api.submit(echo.body)).id)));
    await process.stop();
    after = last.map(({ trace_id: traceId }) => spans.filter((span) => span.traceId === traceId));
  }, limitMs);

  test("keeps no task from being accepted, and from succeeding", () => {
    expect(accepted).toBeGreaterThanOrEqual(states.length * tasksInState);
    expect(succeeded).toBe(accepted);
  });

  test("has no role keep more than its queue holds", () => {
    expect(seen.map(({ state }) => state)).toEqual([...states]);
    expect(Math.max(...seen.map(({ counts }) => counts.mostWaiting))).toBeLessThanOrEqual(queueSize);
  });

  test("costs spans only while it fails, and each of them is counted", () => {
    const dropped = Object.fromEntries(seen.map(({ state, counts }) => [state, counts.dropped]));
    expect(dropped.well).toBe(0);
    expect(dropped.away).toBeGreaterThan(0);
    expect(dropped.busy).toBeGreaterThan(dropped.hanging ?? 0);
    expect(settled.sent).toBe(received);
    expect(settled.sent + settled.dropped).toBe(settled.made);
    expect(settled.made).toBeGreaterThan(9 * accepted);
  });

  test("is served in full once it is well", () => {
    expect(after.map(toTraceTrees)).toEqual(after.map(() => [expectedTree(echo)]));
  });
});
