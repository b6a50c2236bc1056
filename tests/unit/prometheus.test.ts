import { describe, expect, test } from "bun:test";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { createTaskMetrics, observeQueueDepth } from "../../src/telemetry/metrics.ts";
import { mergePrometheusTexts, toPrometheusText } from "../../src/telemetry/prometheus.ts";

/** Collects when it is asked. */
class TestReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** A service's meter, and its text. */
function startMetrics(service: string) {
  const reader = new TestReader();
  const resource = resourceFromAttributes({ "service.name": service, "process.pid": 42 });
  const meter = new MeterProvider({ resource, readers: [reader] }).getMeter("test");
  return { meter, scrape: async () => toPrometheusText((await reader.collect()).resourceMetrics) };
}

function seriesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("one service's metrics", () => {
  test("are named as a collector would name them, with the service on every series", async () => {
    const { meter, scrape } = startMetrics("worker");
    const metrics = createTaskMetrics(meter);
    metrics.processed("echo", "submitted");
    metrics.processed("echo", "submitted");
    metrics.processed("fail", "dead");
    metrics.dead("fail", "fatal");
    metrics.processingDuration("echo", "succeeded", 70);
    const labels = 'task_type="echo",status="succeeded",service_name="worker"';
    const bucket = (le: string, count: number): string =>
      `task_processing_duration_seconds_bucket{${labels},le="${le}"} ${count}`;
    expect((await scrape()).split("\n")).toEqual([
      "# HELP tasks_processed_total Tasks, by what became of them",
      "# TYPE tasks_processed_total counter",
      'tasks_processed_total{task_type="echo",status="submitted",service_name="worker"} 2',
      'tasks_processed_total{task_type="fail",status="dead",service_name="worker"} 1',
      "# HELP task_processing_duration_seconds Time a handler took for one attempt",
      "# TYPE task_processing_duration_seconds histogram",
      `task_processing_duration_seconds_count{${labels}} 1`,
      `task_processing_duration_seconds_sum{${labels}} 0.07`,
      bucket("0.01", 0),
      bucket("0.05", 0),
      bucket("0.1", 1),
      bucket("0.5", 1),
      bucket("1", 1),
      bucket("5", 1),
      bucket("30", 1),
      bucket("+Inf", 1),
      "# HELP tasks_dead_total Tasks that became dead letters",
      "# TYPE tasks_dead_total counter",
      'tasks_dead_total{task_type="fail",reason="fatal",service_name="worker"} 1',
      "",
    ]);
  });

  test("have the unit in the name, before the word that tells a counter", async () => {
    const { meter, scrape } = startMetrics("worker");
    meter.createCounter("process_cpu_time", { unit: "s" }).add(1.5);
    meter.createGauge("process_memory_usage", { unit: "By" }).record(1024);
    meter.createGauge("worker_threads", { unit: "{thread}" }).record(2);
    expect(seriesOf(await scrape())).toEqual([
      'process_cpu_time_seconds_total{service_name="worker"} 1.5',
      'process_memory_usage_bytes{service_name="worker"} 1024',
      'worker_threads{service_name="worker"} 2',
    ]);
  });

  test("tell the depth of each queue that can be asked", async () => {
    const { meter, scrape } = startMetrics("worker");
    observeQueueDepth(meter, { name: "task-events", depth: async () => ({ visible: 3, inFlight: 2, delayed: 1 }) });
    const away = async () => {
      throw new Error("the broker is away");
    };
    observeQueueDepth(meter, { name: "task-events-dlq", depth: away });
    expect(seriesOf(await scrape())).toEqual([
      'sqs_queue_depth{queue="task-events",state="visible",service_name="worker"} 3',
      'sqs_queue_depth{queue="task-events",state="in_flight",service_name="worker"} 2',
      'sqs_queue_depth{queue="task-events",state="delayed",service_name="worker"} 1',
    ]);
  });
});

describe("several services' metrics in one text", () => {
  test("have one HELP and one TYPE for a name, and all its series after them", async () => {
    const [worker, dlq] = [startMetrics("worker"), startMetrics("dlq-processor")];
    createTaskMetrics(worker.meter).processed("fail", "failed");
    worker.meter.createGauge("worker_threads", { description: "Handler threads" }).record(2);
    createTaskMetrics(dlq.meter).processed("fail", "dead");
    createTaskMetrics(dlq.meter).dead("fail", "fatal");
    expect(mergePrometheusTexts([await worker.scrape(), await dlq.scrape()]).split("\n")).toEqual([
      "# HELP tasks_processed_total Tasks, by what became of them",
      "# TYPE tasks_processed_total counter",
      'tasks_processed_total{task_type="fail",status="failed",service_name="worker"} 1',
      'tasks_processed_total{task_type="fail",status="dead",service_name="dlq-processor"} 1',
      "",
      "# HELP worker_threads Handler threads",
      "# TYPE worker_threads gauge",
      'worker_threads{service_name="worker"} 2',
      "",
      "# HELP tasks_dead_total Tasks that became dead letters",
      "# TYPE tasks_dead_total counter",
      'tasks_dead_total{task_type="fail",reason="fatal",service_name="dlq-processor"} 1',
      "",
    ]);
  });

  test("are the same as one when the others have none", async () => {
    const { meter, scrape } = startMetrics("worker");
    createTaskMetrics(meter).dead("fail", "fatal");
    const text = await scrape();
    const empty = await startMetrics("gateway").scrape();
    expect(mergePrometheusTexts(["", empty, text])).toBe(text);
    expect(mergePrometheusTexts([])).toBe("");
  });
});
