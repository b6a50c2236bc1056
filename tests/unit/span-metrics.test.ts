import { describe, expect, test } from "bun:test";
import { type Attributes, SpanKind, type Tracer } from "@opentelemetry/api";
import { AlwaysOnSampler, BasicTracerProvider, type Sampler, SamplingDecision } from "@opentelemetry/sdk-trace-base";
import * as conventions from "@opentelemetry/semantic-conventions/incubating";
import { instruments } from "../../src/telemetry/metrics/instruments.ts";
import { createSpanMetrics } from "../../src/telemetry/metrics/span-metrics.ts";
import { createTaskMetrics } from "../../src/telemetry/metrics/task-metrics.ts";
import { ownKey } from "../../src/telemetry/names.ts";
import { attemptOutcomes } from "../../src/words/task.ts";
import { startTestMeter } from "../support/test-meter.ts";

const recordOnly: Sampler = { shouldSample: () => ({ decision: SamplingDecision.RECORD }), toString: () => "record" };

function startSpanMetrics(sampler: Sampler = new AlwaysOnSampler()) {
  const { meter, samples, text } = startTestMeter("worker");
  const provider = new BasicTracerProvider({ sampler, spanProcessors: [createSpanMetrics(meter)] });
  return { tracer: provider.getTracer("test"), samples, text };
}

/** Starts with the attributes of `start`, ends half a second later with those of `end` too. */
function makeSpan(tracer: Tracer, kind: SpanKind, start: Attributes, end: Attributes = {}): void {
  const span = tracer.startSpan("any", { kind, attributes: start, startTime: 1_000_000 });
  span.setAttributes(end);
  span.end(1_000_500);
}

const http = { "http.request.method": "GET", "url.scheme": "http", "url.path": "/v1/tasks/7", "url.query": "wait=1s" };
const rpc = {
  "rpc.system.name": "connectrpc",
  "rpc.method": "tasks.TaskService/GetTask",
  "server.address": "127.0.0.1",
  "server.port": 9000,
};
const database = {
  "db.system.name": "sqlite",
  "db.namespace": "throughline.db",
  "db.collection.name": "tasks",
  "db.operation.name": "UPDATE",
  "db.query.text": "UPDATE tasks SET …",
};
const sqs = {
  "messaging.system.name": "aws.sqs",
  "messaging.destination.name": "task-events",
  "aws.sqs.queue.url": "u",
};

function operation(name: string, type: string): Attributes {
  return { ...sqs, "messaging.operation.name": name, "messaging.operation.type": type, "messaging.message.id": "m-1" };
}

const httpLabels = 'http_request_method="GET",url_scheme="http"';
const rpcLabels = 'rpc_system_name="connectrpc",rpc_method="tasks.TaskService/GetTask"';
const server = 'server_address="127.0.0.1",server_port="9000"';
const databaseLabels =
  'db_system_name="sqlite",db_namespace="throughline.db",db_collection_name="tasks",db_operation_name="UPDATE"';

function messagingLabels(name: string, type: string): string {
  return `messaging_system_name="aws.sqs",messaging_operation_name="${name}",messaging_operation_type="${type}",messaging_destination_name="task-events"`;
}

describe("a span that ends is measured, with its error's type and nothing that has no bound", () => {
  test.each<[string, SpanKind, Attributes, Attributes, string]>([
    [
      "an HTTP request",
      SpanKind.SERVER,
      http,
      { "http.route": "/v1/tasks/{id}", "http.response.status_code": 503, "error.type": "unavailable" },
      `http_server_request_duration_seconds_sum{${httpLabels},http_route="/v1/tasks/{id}",http_response_status_code="503",error_type="unavailable",service_name="worker"} 0.5`,
    ],
    [
      "an RPC, answered",
      SpanKind.SERVER,
      rpc,
      { "rpc.status_code": "not_found", "error.type": "not_found", task_id: "t-1" },
      `rpc_server_call_duration_seconds_sum{${rpcLabels},rpc_status_code="not_found",error_type="not_found",${server},service_name="worker"} 0.5`,
    ],
    [
      "an RPC, called",
      SpanKind.CLIENT,
      rpc,
      { "rpc.status_code": "ok" },
      `rpc_client_call_duration_seconds_sum{${rpcLabels},rpc_status_code="ok",${server},service_name="worker"} 0.5`,
    ],
    [
      "a statement",
      SpanKind.CLIENT,
      database,
      { "db.response.status_code": "unavailable", "error.type": "unavailable" },
      `db_client_operation_duration_seconds_sum{${databaseLabels},db_response_status_code="unavailable",error_type="unavailable",service_name="worker"} 0.5`,
    ],
    [
      "a send",
      SpanKind.PRODUCER,
      operation("send", "send"),
      { "error.type": "unavailable" },
      `messaging_client_operation_duration_seconds_sum{${messagingLabels("send", "send")},error_type="unavailable",service_name="worker"} 0.5`,
    ],
    [
      "what processes a message",
      SpanKind.CONSUMER,
      operation("process", "process"),
      { "error.type": "SmtpRefused" },
      `messaging_process_duration_seconds_sum{${messagingLabels("process", "process")},error_type="SmtpRefused",service_name="worker"} 0.5`,
    ],
  ])("%s", async (_, kind, start, end, sum) => {
    const { tracer, samples } = startSpanMetrics();
    makeSpan(tracer, kind, start, end);
    expect((await samples()).filter((line) => line.includes("_sum{"))).toEqual([sum]);
  });

  test("also when it is not sampled, without an exemplar then", async () => {
    const [sampled, other] = [startSpanMetrics(), startSpanMetrics(recordOnly)];
    for (const { tracer } of [sampled, other]) makeSpan(tracer, SpanKind.CLIENT, database);
    expect(await other.samples()).toEqual(await sampled.samples());
    expect(await sampled.text("openmetrics")).toContain(" # {trace_id=");
    expect(await other.text("openmetrics")).not.toContain(" # {trace_id=");
  });

  test("and a stage of our own is not", async () => {
    const { tracer, samples } = startSpanMetrics();
    makeSpan(tracer, SpanKind.INTERNAL, { ...database, ...http });
    expect((await samples()).filter((line) => line.includes("_sum{"))).toEqual([]);
  });
});

test("messages are counted as they are sent and as they come", async () => {
  const { tracer, samples } = startSpanMetrics();
  makeSpan(tracer, SpanKind.PRODUCER, operation("send", "send"));
  makeSpan(tracer, SpanKind.CLIENT, { ...operation("receive", "receive"), "messaging.batch.message_count": 7 });
  makeSpan(tracer, SpanKind.CLIENT, { ...operation("delete", "settle"), "messaging.batch.message_count": 7 });
  makeSpan(tracer, SpanKind.CONSUMER, operation("process", "process"));
  expect((await samples()).filter((line) => line.includes("_messages_total{"))).toEqual([
    `messaging_client_sent_messages_total{${messagingLabels("send", "send")},service_name="worker"} 1`,
    `messaging_client_consumed_messages_total{${messagingLabels("receive", "receive")},service_name="worker"} 7`,
  ]);
});

test("requests are active from their start to their end, under a method that the conventions know", async () => {
  const { tracer, samples } = startSpanMetrics();
  const active = async () => (await samples()).filter((line) => line.startsWith("http_server_active_requests"));
  const attributes = { ...http, "http.request.method": "BREW" };
  const spans = [1, 2].map(() => tracer.startSpan("BREW", { kind: SpanKind.SERVER, attributes }));
  const labels = 'http_request_method="_OTHER",url_scheme="http",service_name="worker"';
  expect(await active()).toEqual([`http_server_active_requests{${labels}} 2`]);
  for (const span of spans) span.end();
  expect(await active()).toEqual([`http_server_active_requests{${labels}} 0`]);
});

test("what handlers call their errors cannot grow the number of series for ever", async () => {
  const { tracer, samples } = startSpanMetrics();
  for (let n = 0; n < 300; n++) {
    makeSpan(tracer, SpanKind.CONSUMER, operation("process", "process"), { "error.type": `Error${n}` });
  }
  const counts = (await samples()).filter((line) => line.includes("_count{"));
  expect(counts).toHaveLength(101);
  expect(counts.at(-1)).toContain('error_type="_OTHER",service_name="worker"} 200');
});

test("what handlers call their errors takes no series of the ends that have names of ours, nor of other calls", async () => {
  const { tracer, samples } = startSpanMetrics();
  const died = (type: string): void =>
    makeSpan(tracer, SpanKind.CONSUMER, operation("process", "process"), { "error.type": type });
  for (let n = 0; n < 300; n++) died(`Error${n}`);
  const fixed = ["timed_out", "crashed", "interrupted", "lease_lost", "canceled", "failed", "unavailable", "internal"];
  for (const type of fixed) died(type);
  makeSpan(tracer, SpanKind.CLIENT, rpc, { "error.type": "UNAVAILABLE" });
  makeSpan(tracer, SpanKind.CLIENT, database, { "error.type": "SQLITE_FULL" });
  const counts = (await samples()).filter((line) => line.includes("_count{"));
  for (const type of [...fixed, "UNAVAILABLE", "SQLITE_FULL"]) {
    expect(counts.filter((line) => line.includes(`error_type="${type}"`) && line.endsWith(" 1"))).toHaveLength(1);
  }
});

test("a label is cut at a hundred characters, between pairs, and what is the same then is one series", async () => {
  const { tracer, samples } = startSpanMetrics();
  for (const type of ["e".repeat(101), `${"e".repeat(300)}!`, `${"p".repeat(98)}😀😀`, "😀".repeat(500)]) {
    makeSpan(tracer, SpanKind.CONSUMER, operation("process", "process"), { "error.type": type });
  }
  const counts = (await samples()).filter((line) => line.includes("_count{"));
  const types = counts.map((line) => [/error_type="([^"]*)"/.exec(line)?.[1], line.split(" ").at(-1)]);
  expect(types).toEqual([
    [`${"e".repeat(99)}…`, "2"],
    [`${"p".repeat(98)}…`, "1"],
    [`${"😀".repeat(49)}…`, "1"],
  ]);
});

test("task types that are many leave each outcome its series", async () => {
  const { meter, samples } = startTestMeter("worker");
  const metrics = createTaskMetrics(meter);
  for (let n = 0; n < 3000; n++) for (const outcome of attemptOutcomes) metrics.attempted(`type-${n}`, outcome);
  metrics.attempted("_other", "timed_out");
  const lines = await samples();
  expect(lines).toHaveLength(201 * attemptOutcomes.length);
  expect(lines.filter((line) => line.includes('task_type="_other"')).map((line) => line.split(" ").at(-1))).toEqual(
    attemptOutcomes.map((outcome) => (outcome === "timed_out" ? "2801" : "2800")),
  );
  meter.counter(instruments.tasksProcessed).add(1, "t".repeat(128), "dead");
  expect((await samples()).at(0) ?? "").not.toContain("t".repeat(100));
});

describe("the instruments' table", () => {
  const all = Object.values(instruments);
  const known = new Set(Object.entries(conventions).map(([name, value]) => `${name.split("_")[0]} ${value}`));

  test("has no two of one name, no unit and no total in a name", () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    expect(all.filter(({ name }) => /total|seconds|bytes|_ms\b/.test(name))).toEqual([]);
  });

  test("has names with dots, and labels with dots, of the conventions only", () => {
    const names = all.map(({ name }) => name).filter((name) => name.includes("."));
    expect(names.filter((name) => !known.has(`METRIC ${name}`))).toEqual([]);
    const labels = all.flatMap(({ labels }) => [...labels]).filter((label) => label.includes("."));
    expect(labels.filter((label) => !known.has(`ATTR ${label}`))).toEqual([]);
  });

  test("has no label with a value for each task", () => {
    const perTask: string[] = [ownKey.taskId, ownKey.correlationId, ownKey.workerId, "messaging.message.id"];
    expect(all.filter(({ labels }) => labels.some((label: string) => perTask.includes(label)))).toEqual([]);
  });

  test("has buckets for histograms, in their order, and for nothing else", () => {
    for (const instrument of all) {
      const buckets: readonly number[] = "buckets" in instrument ? instrument.buckets : [];
      expect(buckets.length > 0).toBe(instrument.kind === "histogram");
      expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
    }
  });
});
