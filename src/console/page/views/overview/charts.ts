/** The charts of the overview: what each shows, and what is behind its points. Pure. */

import { taskStatuses } from "../../../../words/task.ts";
import type { DurationColumns, OverviewView } from "../../../overview.ts";
import { addressOf } from "../../location.ts";
import type { ChartProps, ChartSeries } from "../../parts/chart.tsx";

type ChartPlan = Omit<ChartProps, "atMs" | "stepMs">;

export function chartsOf({ rates, durations, queues, threads, active }: OverviewView): ChartPlan[] {
  return [
    {
      title: "Tasks",
      unit: "rate",
      series: [
        { name: "created", color: "--hue-1", values: rates.submitted, hrefOf: tasksMade() },
        { name: "completed", color: "--hue-2", values: rates.succeeded, hrefOf: tasksMade("succeeded") },
        { name: "failed attempts", color: "--hue-3", values: rates.failed, hrefOf: failedTraces },
        { name: "dead", color: "--hue-4", values: rates.dead, hrefOf: deadThen },
      ],
    },
    {
      title: "Queue wait",
      unit: "seconds",
      series: percentiles(durations.queue_wait, (fromMs, toMs) =>
        addressOf("/traces", { service: "worker", ...within(fromMs, toMs) }),
      ),
    },
    { title: "Run time", unit: "seconds", series: percentiles(durations.run_time, slowTraces) },
    { title: "End to end", unit: "seconds", series: percentiles(durations.end_to_end, slowTraces) },
    {
      title: "Messages in queues",
      unit: "count",
      series: queues.flatMap(({ name, visible, in_flight }, index): ChartSeries[] => [
        { name, color: hue(2 * index), values: visible, hrefOf: () => "/tasks?status=queued" },
        {
          name: `${name} in flight`,
          color: hue(2 * index + 1),
          values: in_flight,
          hrefOf: () => "/tasks?status=running",
        },
      ]),
    },
    {
      title: "Oldest that waits",
      unit: "seconds",
      series: queues.map(({ name, oldest_age }, index) => ({
        name,
        color: hue(2 * index),
        values: oldest_age,
        hrefOf: () => (index === 0 ? "/tasks?status=queued" : "/dead-letters"),
      })),
    },
    {
      title: "Threads",
      unit: "count",
      series: [
        { name: "busy", color: "--hue-1", values: threads.busy, hrefOf: () => "/tasks?status=running" },
        { name: "idle", color: "--hue-2", values: threads.idle, hrefOf: () => "/system" },
        { name: "stuck", color: "--hue-4", values: threads.stuck, hrefOf: () => "/system" },
        { name: "tasks", color: "--hue-3", values: threads.tasks, hrefOf: () => "/tasks?status=running" },
      ],
    },
    {
      title: "Tasks that have not ended",
      unit: "count",
      series: taskStatuses.flatMap((status, index): ChartSeries[] => {
        const values = active[status];
        return values ? [{ name: status, color: hue(index), values, hrefOf: () => `/tasks?status=${status}` }] : [];
      }),
    },
  ];
}

type HrefOf = NonNullable<ChartSeries["hrefOf"]>;

function percentiles({ p50, p95, p99, floor }: DurationColumns, hrefOf: HrefOf): ChartSeries[] {
  return [
    { name: "p50", color: "--hue-2", values: p50, floor, hrefOf },
    { name: "p95", color: "--hue-3", values: p95, floor, hrefOf },
    { name: "p99", color: "--hue-4", values: p99, floor, hrefOf },
  ];
}

function hue(number: number): string {
  return `--hue-${(number % 8) + 1}`;
}

function within(fromMs: number, toMs: number) {
  return { since: new Date(fromMs).toISOString(), until: new Date(toMs).toISOString() };
}

function tasksMade(status?: string): HrefOf {
  return (fromMs, toMs) => addressOf("/tasks", { status, ...within(fromMs, toMs) });
}

const deadThen: HrefOf = (fromMs, toMs) => addressOf("/dead-letters", within(fromMs, toMs));

const failedTraces: HrefOf = (fromMs, toMs) => addressOf("/traces", { error: "true", ...within(fromMs, toMs) });

/** Those that took about as long, or longer. */
const slowTraces: HrefOf = (fromMs, toMs, seconds) =>
  addressOf("/traces", { service: "worker", min_duration: almost(seconds), ...within(fromMs, toMs) });

function almost(seconds: number): string | undefined {
  const ms = Math.floor(seconds * 900);
  return ms < 1 ? undefined : `${ms}ms`;
}
