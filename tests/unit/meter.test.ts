import { describe, expect, test } from "bun:test";
import type { SpanContext } from "@opentelemetry/api";
import { AggregationTemporality } from "@opentelemetry/sdk-metrics";
import { instruments } from "../../src/telemetry/metrics/instruments.ts";
import { startTestMeter } from "../support/test-meter.ts";

const { tasksProcessed, queueWait, queueDepth, processCpuTime } = instruments;
const sampled: SpanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };

describe("a counter", () => {
  test("counts for each set of labels, and for whoever asks for the same instrument", async () => {
    const { meter, samples } = startTestMeter("worker");
    meter.counter(tasksProcessed).add(1, "echo", "dead");
    meter.counter(tasksProcessed).add(2, "echo", "dead");
    meter.counter(tasksProcessed).add(1, "echo", undefined);
    expect(await samples()).toEqual([
      'tasks_processed_total{task_type="echo",status="dead",service_name="worker"} 3',
      'tasks_processed_total{task_type="echo",service_name="worker"} 1',
    ]);
  });

  test("counts what is above its limit of series in one of its own, and loses nothing", async () => {
    const { meter, samples } = startTestMeter("worker");
    const counter = meter.counter(tasksProcessed);
    for (let n = 0; n < 5000; n++) counter.add(1, `type-${n}`, "dead");
    const lines = await samples();
    expect(lines).toHaveLength(2000);
    expect(lines.at(-1)).toBe('tasks_processed_total{otel_metric_overflow="true",service_name="worker"} 3001');
  });
});

describe("a histogram", () => {
  test("counts a value up to its bound, and keeps no value that is none", async () => {
    const { meter, samples } = startTestMeter("worker");
    const histogram = meter.histogram(queueWait);
    for (const value of [0.005, 0.0051, 3601, -1, Number.NaN]) histogram.record(value, undefined, "echo");
    const lines = await samples();
    const counts = lines.map((line) => Number(line.split(" ").at(-1)));
    expect(counts.slice(0, 3)).toEqual([1, 2, 2]);
    expect(lines.slice(-3)).toEqual([
      'task_queue_wait_seconds_bucket{task_type="echo",service_name="worker",le="+Inf"} 3',
      'task_queue_wait_seconds_sum{task_type="echo",service_name="worker"} 3601.0101',
      'task_queue_wait_seconds_count{task_type="echo",service_name="worker"} 3',
    ]);
  });

  test("keeps the newest sampled span of each bucket", async () => {
    const { meter, families } = startTestMeter("worker");
    const histogram = meter.histogram(queueWait);
    const newer = { ...sampled, spanId: "00f067aa0ba902b7" };
    histogram.record(0.001, sampled, "echo");
    histogram.record(0.002, newer, "echo");
    histogram.record(0.003, { ...sampled, traceFlags: 0 }, "echo");
    histogram.record(9999, sampled, "echo");
    const [series] = (await families())[0]?.series ?? [];
    const exemplars = series && "buckets" in series ? series.buckets.map(({ exemplar }) => exemplar) : [];
    const { traceId } = sampled;
    expect(exemplars.filter((exemplar) => exemplar !== undefined)).toEqual([
      { traceId, spanId: newer.spanId, value: 0.002, atMs: expect.any(Number) },
      { traceId, spanId: sampled.spanId, value: 9999, atMs: expect.any(Number) },
    ]);
    expect([exemplars[0]?.value, exemplars.at(-1)?.value]).toEqual([0.002, 9999]);
  });
});

describe("what is observed", () => {
  test("has points while it can be seen, and none of an earlier time when it cannot", async () => {
    const { meter, samples } = startTestMeter("worker");
    let isAway = false;
    meter.observe(queueDepth, async (observe) => {
      if (isAway) throw new Error("the broker is away");
      observe(3, "task-events", "visible");
    });
    meter.observe(queueDepth, (observe) => observe(1, "task-events-dlq", "visible"));
    const other = 'sqs_queue_depth{queue="task-events-dlq",state="visible",service_name="worker"} 1';
    expect(await samples()).toEqual([
      'sqs_queue_depth{queue="task-events",state="visible",service_name="worker"} 3',
      other,
    ]);
    isAway = true;
    expect(await samples()).toEqual([other]);
  });

  test("has no points when it takes too long, and holds up nobody for ever", async () => {
    const { meter, samples } = startTestMeter("worker");
    meter.observe(queueDepth, () => new Promise(() => {}));
    meter.counter(tasksProcessed).add(1, "echo", "dead");
    expect(await samples()).toHaveLength(1);
  });
});

describe("readers", () => {
  test("each get what they want: all that was counted, or what has come since they asked last", async () => {
    const { meter, reader } = startTestMeter("worker");
    let cpuSeconds = 10;
    meter.observe(processCpuTime, (observe) => observe(cpuSeconds, "user"));
    const all = reader(AggregationTemporality.CUMULATIVE);
    const since = reader(AggregationTemporality.DELTA);
    const valuesOf = async (read: typeof all, name: string) => (await read(name)).map(({ value }) => value);
    const count = (): void => {
      meter.counter(tasksProcessed).add(2, "echo", "dead");
      meter.histogram(queueWait).record(1, undefined, "echo");
    };
    count();
    expect(await valuesOf(all, "tasks_processed")).toEqual([2]);
    expect(await valuesOf(since, "tasks_processed")).toEqual([2]);
    count();
    cpuSeconds = 13;
    expect(await valuesOf(all, "tasks_processed")).toEqual([4]);
    expect(await valuesOf(since, "task_queue_wait")).toMatchObject([{ count: 1, sum: 1 }]);
    expect(await valuesOf(all, "process.cpu.time")).toEqual([13]);
    expect(await valuesOf(since, "tasks_processed")).toEqual([0]);
  });
});
