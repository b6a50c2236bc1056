/** Ten tasks that every whole system is given, and what must be seen of them: telemetry.md, sections 2 and 6. */

import type { SpanKind } from "../../src/otlp/span.ts";
import { type MetricSeries, sortSeries } from "./metric-series.ts";
import type { TraceNode } from "./trace-tree.ts";

type Outcome = "succeeded" | "failed" | "timed_out" | "crashed";

export interface TaskCase {
  /** What is posted. */
  body: { type: string; payload: unknown; max_attempts?: number };
  /** How each attempt ends. */
  attempts: readonly Outcome[];
  status: "succeeded" | "dead";
}

const echoes = Array.from({ length: 7 }, (_, number): TaskCase => {
  return { body: { type: "echo", payload: { number } }, attempts: ["succeeded"], status: "succeeded" };
});

export const tenTasks: readonly TaskCase[] = [
  { body: { type: "sleep", payload: { ms: 20 } }, attempts: ["succeeded"], status: "succeeded" },
  { body: { type: "flaky", payload: { failures: 1 } }, attempts: ["failed", "succeeded"], status: "succeeded" },
  { body: { type: "fail", payload: {}, max_attempts: 2 }, attempts: ["failed", "failed"], status: "dead" },
  ...echoes,
];

/** The trace of such a task. */
export function expectedTree(task: TaskCase): TraceNode {
  return span("api-gateway", "SERVER", "POST /v1/tasks", [
    span("api-gateway", "CLIENT", "tasks.TaskService/CreateTask", [
      span("task-service", "SERVER", "tasks.TaskService/CreateTask", [
        span("task-service", "CLIENT", "INSERT tasks"),
        span("task-service", "PRODUCER", "send task-events", expectedAttempts(task)),
      ]),
    ]),
  ]);
}

/** The tree of `expectedTree`, which is that of a task on SQLite, in DynamoDB's words. */
export function inDynamoWords({ name, children, ...node }: TraceNode): TraceNode {
  const words: Record<string, string> = { "INSERT tasks": "PutItem tasks", "UPDATE tasks": "UpdateItem tasks" };
  return { ...node, name: words[name] ?? name, children: children.map(inDynamoWords) };
}

/** What the built-in types throw, and what stands for the error of a handler that cannot tell. */
const errorTypes: Record<Outcome, string | undefined> = {
  succeeded: undefined,
  failed: "Error",
  timed_out: "timed_out",
  crashed: "crashed",
};

function expectedAttempts({ body, attempts, status }: TaskCase): TraceNode[] {
  return attempts.map((outcome, index) => {
    const error = errorTypes[outcome];
    const attempt = { attempt: index + 1, ...(error !== undefined && { error }) };
    const isBuried = status === "dead" && index === attempts.length - 1;
    const children = [
      span("worker", "CLIENT", "UPDATE tasks"),
      { ...span("worker", "INTERNAL", `run ${body.type}`), ...attempt },
      span("worker", "CLIENT", "UPDATE tasks"),
      ...(isBuried ? [expectedBurial] : []),
    ];
    return { ...span("worker", "CONSUMER", "process task-events", children), ...attempt };
  });
}

const expectedBurial = span("worker", "PRODUCER", "send task-events-dlq", [
  span("dlq-processor", "CONSUMER", "process task-events-dlq", [span("dlq-processor", "CLIENT", "UPDATE tasks")]),
]);

function span(service: string, kind: SpanKind, name: string, children: TraceNode[] = []): TraceNode {
  return { service, kind, name, children };
}

/** The links of the trace, as `linksOf` gives them. */
export function expectedLinks({ attempts, status }: TaskCase): [name: string, linked: string[]][] {
  return [
    ...attempts.map((): [string, string[]] => ["process task-events", ["send task-events"]]),
    ...(status === "dead" ? [deadLetterLinks] : []),
  ];
}

const deadLetterLinks: [string, string[]] = ["process task-events-dlq", ["send task-events-dlq", "send task-events"]];

/** The services whose log tells of such a task. */
export function expectedServices({ status }: TaskCase): string[] {
  return ["task-service", "worker", ...(status === "dead" ? ["dlq-processor"] : [])];
}

/** The task metrics after such tasks: counters, and the counts of histograms. */
export function expectedSeries(tasks: readonly TaskCase[]): MetricSeries[] {
  const all = new Map<string, MetricSeries>();
  const count = (service: string, name: string, labels: Record<string, string>): void => {
    const series = { name, labels: { ...labels, service_name: service }, value: 0 };
    const id = JSON.stringify(series);
    const counted = all.get(id) ?? series;
    counted.value += 1;
    all.set(id, counted);
  };
  for (const { body, attempts, status } of tasks) {
    const { type: task_type } = body;
    count("task-service", "tasks_processed_total", { task_type, status: "submitted" });
    attempts.forEach((outcome, index) => {
      const labels = { task_type, status: outcome === "succeeded" ? "succeeded" : "failed" };
      count("worker", "tasks_processed_total", labels);
      count("worker", "task_processing_duration_seconds_count", labels);
      if (index < attempts.length - 1) count("worker", "tasks_processed_total", { task_type, status: "retried" });
    });
    if (status === "dead") {
      count("dlq-processor", "tasks_processed_total", { task_type, status });
      count("dlq-processor", "tasks_dead_total", { task_type, reason: "attempts_exhausted" });
    }
  }
  return sortSeries([...all.values()]);
}

/** The queues when all tasks have ended: empty. */
export const expectedDepths: readonly MetricSeries[] = sortSeries(
  [
    { service_name: "worker", queue: "task-events" },
    { service_name: "dlq-processor", queue: "task-events-dlq" },
  ].flatMap((labels) =>
    ["visible", "in_flight", "delayed"].map((state) => ({
      name: "sqs_queue_depth",
      labels: { ...labels, state },
      value: 0,
    })),
  ),
);
