import { describe, expect, test } from "bun:test";
import { instruments } from "../../src/telemetry/metrics/instruments.ts";
import { formatFor, mergeFamilies, toMetricsText } from "../../src/telemetry/metrics/prometheus.ts";
import { createTaskMetrics, observeConnections } from "../../src/telemetry/metrics/task-metrics.ts";
import { startTestMeter } from "../support/test-meter.ts";

const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };

describe("one service's metrics as text 0.0.4", () => {
  test("are named as a collector would name them, with the service on every series", async () => {
    const { meter, text } = startTestMeter("worker");
    const metrics = createTaskMetrics(meter);
    metrics.processed("echo", "submitted");
    metrics.processed("echo", "submitted");
    metrics.processed("fail", "dead");
    metrics.processingDuration("echo", "succeeded", 70, span);
    const labels = 'task_type="echo",status="succeeded",service_name="worker"';
    const bucket = (le: string, count: number): string =>
      `task_processing_duration_seconds_bucket{${labels},le="${le}"} ${count}`;
    expect((await text()).split("\n")).toEqual([
      "# HELP tasks_processed_total Tasks submitted, succeeded, dead, canceled; attempts failed, retried",
      "# TYPE tasks_processed_total counter",
      'tasks_processed_total{task_type="echo",status="submitted",service_name="worker"} 2',
      'tasks_processed_total{task_type="fail",status="dead",service_name="worker"} 1',
      "# HELP task_processing_duration_seconds Time a handler took for one attempt",
      "# TYPE task_processing_duration_seconds histogram",
      bucket("0.01", 0),
      bucket("0.05", 0),
      bucket("0.1", 1),
      bucket("0.5", 1),
      bucket("1", 1),
      bucket("5", 1),
      bucket("30", 1),
      bucket("+Inf", 1),
      `task_processing_duration_seconds_sum{${labels}} 0.07`,
      `task_processing_duration_seconds_count{${labels}} 1`,
      "",
    ]);
  });

  test("have the unit in the name, before the word that tells a counter", async () => {
    const { meter, samples } = startTestMeter("worker");
    meter.observe(instruments.processCpuTime, (observe) => observe(1.5, "user"));
    meter.observe(instruments.processMemory, (observe) => observe(1024));
    meter.observe(instruments.tasksInFlight, (observe) => observe(2));
    expect(await samples()).toEqual([
      'process_cpu_time_seconds_total{cpu_mode="user",service_name="worker"} 1.5',
      'process_memory_usage_bytes{service_name="worker"} 1024',
      'worker_tasks_in_flight{service_name="worker"} 2',
    ]);
  });

  test("say of no gauge that it is one when its name ends as a histogram's does", async () => {
    const { meter, text } = startTestMeter("worker");
    observeConnections(meter, "throughline.db", () => ({ active: 1, idle: 0, max: 1 }));
    expect(await text()).toContain("\n# TYPE db_client_connection_count untyped\n");
    expect(await text("openmetrics")).toContain("\n# TYPE db_client_connection_count unknown\n");
  });

  test("escape what would end a label or its line", async () => {
    const { meter, samples } = startTestMeter("worker");
    meter.counter(instruments.taskClaims).add(1, 'a"b\\c\nd');
    expect(await samples()).toEqual([String.raw`task_claims_total{result="a\"b\\c\nd",service_name="worker"} 1`]);
  });
});

describe("one service's metrics as OpenMetrics", () => {
  test("have families without the word of their samples, canonical bounds, exemplars and an end", async () => {
    const { meter, text } = startTestMeter("worker");
    const metrics = createTaskMetrics(meter);
    metrics.processed("echo", "dead");
    metrics.processingDuration("echo", "failed", 2000, span);
    const lines = (await text("openmetrics")).split("\n");
    const labels = 'task_type="echo",status="failed",service_name="worker"';
    expect(lines.slice(0, 3)).toEqual([
      "# HELP tasks_processed Tasks submitted, succeeded, dead, canceled; attempts failed, retried",
      "# TYPE tasks_processed counter",
      'tasks_processed_total{task_type="echo",status="dead",service_name="worker"} 1',
    ]);
    expect(lines).toContain(`task_processing_duration_seconds_bucket{${labels},le="1.0"} 0`);
    const exemplar = `{trace_id="${span.traceId}",span_id="${span.spanId}"} 2 `;
    const bucket = lines.filter((line) => line.includes(" # "));
    expect(bucket.map((line) => line.replace(/\d+\.\d{3}$/, ""))).toEqual([
      `task_processing_duration_seconds_bucket{${labels},le="5.0"} 1 # ${exemplar}`,
    ]);
    expect(lines.slice(-2)).toEqual(["# EOF", ""]);
  });

  test.each([
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1",
      "openmetrics",
    ],
    ["text/plain;version=0.0.4, application/openmetrics-text; version=1.0.0; q=0.5", "openmetrics"],
    ["application/openmetrics-text;q=0, text/plain", "prometheus"],
    ["text/plain", "prometheus"],
    ["*/*", "prometheus"],
    [null, "prometheus"],
  ] as const)("are answered to %p: %s", (accept, format) => {
    expect(formatFor(accept)).toBe(format);
  });
});

describe("several services' metrics in one text", () => {
  test("have one HELP and one TYPE for a name, and all its series after them", async () => {
    const [worker, dlq] = [startTestMeter("worker"), startTestMeter("dlq-processor")];
    createTaskMetrics(worker.meter).processed("fail", "failed");
    worker.meter.observe(instruments.tasksInFlight, (observe) => observe(2));
    createTaskMetrics(dlq.meter).processed("fail", "dead");
    createTaskMetrics(dlq.meter).dead("fail", "fatal");
    const families = mergeFamilies([await worker.families(), [], await dlq.families()]);
    expect(toMetricsText(families, "prometheus").split("\n")).toEqual([
      "# HELP tasks_processed_total Tasks submitted, succeeded, dead, canceled; attempts failed, retried",
      "# TYPE tasks_processed_total counter",
      'tasks_processed_total{task_type="fail",status="failed",service_name="worker"} 1',
      'tasks_processed_total{task_type="fail",status="dead",service_name="dlq-processor"} 1',
      "# HELP worker_tasks_in_flight Tasks that a worker has claimed and not settled",
      "# TYPE worker_tasks_in_flight gauge",
      'worker_tasks_in_flight{service_name="worker"} 2',
      "# HELP tasks_dead_total Tasks that became dead letters, by reason",
      "# TYPE tasks_dead_total counter",
      'tasks_dead_total{task_type="fail",reason="fatal",service_name="dlq-processor"} 1',
      "",
    ]);
  });

  test("are nothing when nothing was measured", () => {
    expect(toMetricsText(mergeFamilies([[], []]), "prometheus")).toBe("");
    expect(toMetricsText([], "openmetrics")).toBe("# EOF\n");
  });
});
