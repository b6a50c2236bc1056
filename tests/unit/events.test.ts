import { expect, test } from "bun:test";
import fc from "fast-check";
import { readConfig } from "../../src/config.ts";
import { createEvents, domainEvents, type EventsFigures, toEventsReport } from "../../src/telemetry/events.ts";
import { toMetricsText } from "../../src/telemetry/metrics/prometheus.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { parsePrometheus } from "../support/metric-series.ts";

const { config } = readConfig({ handlers: "" }, {});

const nowMs = 1_700_000_000_000.5;

/** Figures of a role that has published `task.created` with these latencies. */
function figuresOf(latenciesMs: readonly number[]): EventsFigures {
  const { meter } = startTelemetry("worker", config, () => {});
  const events = createEvents(meter, () => nowMs);
  for (const ms of latenciesMs) events.publish("task.created", nowMs - ms);
  return events.figures();
}

test("events that did not happen have a count of 0 and nothing else", () => {
  const nothing = { count: 0, last_at: null, publish_latency_ms: { mean: null, p95: null, max: null } };
  const report = { events: Object.fromEntries(domainEvents.map((event) => [event, nothing])) };
  expect<unknown>(toEventsReport([])).toEqual(report);
  expect<unknown>(toEventsReport([figuresOf([]), figuresOf([])])).toEqual(report);
});

test("the roles of a process are one report: counts, the last time, mean, 95th percentile and maximum", () => {
  const all = Array.from({ length: 100 }, (_, n) => 1000 + n);
  const { events } = toEventsReport([figuresOf(all.slice(0, 30)), figuresOf([]), figuresOf(all.slice(30))]);
  expect(events["task.created"]).toEqual({
    count: 100,
    last_at: "2023-11-14T22:13:20.000Z",
    // A bucket is a tenth wide, and no percentile is above the maximum.
    publish_latency_ms: { mean: 1049.5, p95: 1099, max: 1099 },
  });
  expect(events["task.dead"].count).toBe(0);
});

test("a clock that was put back, or a change of long ago, is counted all the same", () => {
  const { events } = toEventsReport([figuresOf([-60_000, 10 * 86_400_000])]);
  expect(events["task.created"]).toMatchObject({
    count: 2,
    publish_latency_ms: { mean: 5 * 86_400_000, max: 10 * 86_400_000 },
  });
});

test("the 95th percentile is at most a tenth above the true one", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1000, max: 100_000 }), { minLength: 1, maxLength: 60 }), (latencies) => {
      const { p95, max } = toEventsReport([figuresOf(latencies)]).events["task.created"].publish_latency_ms;
      const sorted = latencies.toSorted((a, b) => a - b);
      const truth = sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 0;
      expect(p95).toBeGreaterThanOrEqual(truth);
      expect(p95).toBeLessThanOrEqual(truth * 1.1);
      expect(max).toBe(sorted.at(-1) ?? null);
    }),
  );
});

test("each event is counted and timed in the metrics", async () => {
  const telemetry = startTelemetry("worker", config, () => {});
  telemetry.events.publish("task.created", Date.now());
  telemetry.events.publish("task.dead", Date.now() - 60_000);
  telemetry.events.publish("task.dead", Date.now());
  const series = parsePrometheus(toMetricsText(await telemetry.scrape(), "prometheus"));
  const valuesOf = (wanted: string, labels: Record<string, string> = {}) =>
    series
      .filter(({ name, labels: own }) => name === wanted && Object.entries(labels).every(([l, v]) => own[l] === v))
      .map(({ labels: { event }, value }) => [event, value]);
  expect(valuesOf("task_events_total")).toEqual([
    ["task.created", 1],
    ["task.dead", 2],
  ]);
  expect(valuesOf("task_event_propagation_seconds_bucket", { le: "5" })).toEqual([
    ["task.created", 1],
    ["task.dead", 1],
  ]);
  await telemetry.stop();
});
