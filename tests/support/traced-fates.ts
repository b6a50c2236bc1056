/** Everything that can become of a task, and the traces that tell of it: whole, as they have to be. */

import type { SpanKind } from "../../src/otlp/span.ts";
import type { TraceNode } from "./trace-tree.ts";

export interface Fate {
  /** What is posted. */
  body: Record<string, unknown>;
  status: string;
  /** In the order they began. */
  trees: TraceNode[];
}

function node(service: string, kind: SpanKind, name: string, children: TraceNode[] = []): TraceNode {
  return { service, kind, name, children };
}

const update = node("worker", "CLIENT", "UPDATE tasks");

/** A request that makes a task, and what follows from it in the same trace. */
function posted(...children: TraceNode[]): TraceNode {
  return node("api-gateway", "SERVER", "POST /v1/tasks", [
    node("api-gateway", "CLIENT", "tasks.TaskService/CreateTask", [
      node("task-service", "SERVER", "tasks.TaskService/CreateTask", [
        node("task-service", "CLIENT", "INSERT tasks"),
        ...children,
      ]),
    ]),
  ]);
}

function sent(...attempts: TraceNode[]): TraceNode {
  return node("task-service", "PRODUCER", "send task-events", attempts);
}

interface AttemptEnd {
  /** Of the handler's span, and of the attempt's. */
  errors?: [run: string | undefined, process: string];
  below?: TraceNode[];
  after?: TraceNode[];
}

/** One delivery that a handler ran for. */
function attempt(type: string, number: number, { errors, below = [], after = [] }: AttemptEnd = {}): TraceNode {
  const [runError, processError] = errors ?? [];
  return {
    ...node("worker", "CONSUMER", "process task-events", [
      update,
      { ...node("worker", "INTERNAL", `run ${type}`, below), attempt: number, ...(runError && { error: runError }) },
      ...after,
    ]),
    attempt: number,
    ...(processError && { error: processError }),
  };
}

function failed(type: string, number: number, error = "Error", ...after: TraceNode[]): TraceNode {
  return attempt(type, number, { errors: [error, error], after: [update, ...after] });
}

function succeeded(type: string, number: number, ...below: TraceNode[]): TraceNode {
  return attempt(type, number, { below, after: [update] });
}

const buried = node("worker", "PRODUCER", "send task-events-dlq", [
  node("dlq-processor", "CONSUMER", "process task-events-dlq", [node("dlq-processor", "CLIENT", "UPDATE tasks")]),
]);

/** A delivery whose task had moved on. */
const ended = node("worker", "CONSUMER", "process task-events", [update]);

export function redriven(...attempts: TraceNode[]): TraceNode {
  return node("dlq-processor", "INTERNAL", "redrive tasks", [
    node("dlq-processor", "PRODUCER", "send task-events", attempts),
  ]);
}

/** Those that a task comes to by itself, whatever runs beside it. */
export const ownFates = {
  "it succeeds": {
    body: { type: "echo", payload: 1 },
    status: "succeeded",
    trees: [posted(sent(succeeded("echo", 1)))],
  },
  "it succeeds in a later attempt": {
    body: { type: "flaky", payload: { failures: 2 } },
    status: "succeeded",
    trees: [posted(sent(failed("flaky", 1), failed("flaky", 2), succeeded("flaky", 3)))],
  },
  "it uses up its attempts": {
    body: { type: "fail", payload: {}, max_attempts: 2 },
    status: "dead",
    trees: [posted(sent(failed("fail", 1), failed("fail", 2, "Error", buried)))],
  },
  "it fails for good": {
    body: { type: "fail", payload: { fatal: true } },
    status: "dead",
    trees: [posted(sent(failed("fail", 1, "FatalError", buried)))],
  },
  "it ends late, at its signal": {
    body: { type: "sleep", payload: { ms: 600_000 }, timeout: "200ms", max_attempts: 1 },
    status: "dead",
    trees: [posted(sent(attempt("sleep", 1, { errors: ["TimeoutError", "timed_out"], after: [update, buried] })))],
  },
  "it is for later": {
    body: { type: "echo", payload: 1, delay: "1s" },
    status: "succeeded",
    trees: [posted(sent(succeeded("echo", 1)))],
  },
  "its attempts have traces of their own": {
    body: { type: "linked", payload: 1 },
    status: "succeeded",
    trees: [posted(sent()), failed("linked", 1, "RangeError"), succeeded("linked", 2)],
  },
} satisfies Record<string, Fate>;

/** What the handler does besides: a span of its own, and a call inside it. */
export function nestedFate(url: string): Fate {
  const lookUp = node("worker", "INTERNAL", "look up", [node("worker", "CLIENT", "GET")]);
  return {
    body: { type: "nested", payload: { url } },
    status: "succeeded",
    trees: [posted(sent(succeeded("nested", 1, lookUp)))],
  };
}

/** It comes as the only task of a batch. */
export const batchFate: Fate = {
  body: { type: "echo", payload: 1 },
  status: "succeeded",
  trees: [
    node("api-gateway", "SERVER", "POST /v1/tasks/batch", [
      node("api-gateway", "CLIENT", "tasks.TaskService/CreateTasks", [
        node("task-service", "SERVER", "tasks.TaskService/CreateTasks", [
          node("task-service", "INTERNAL", "create task", [
            node("task-service", "CLIENT", "INSERT tasks"),
            sent(succeeded("echo", 1)),
          ]),
        ]),
      ]),
    ]),
  ],
};

/** A schedule makes it at its tick. */
export const scheduledFate: Fate = {
  body: { type: "echo", payload: 1 },
  status: "succeeded",
  trees: [
    node("task-service", "INTERNAL", "fire schedule", [
      node("task-service", "CLIENT", "UPDATE tasks_schedules"),
      sent(succeeded("echo", 1)),
    ]),
  ],
};

/** Those in which somebody has a hand. */
export const handledFates = {
  canceledBefore: {
    body: { type: "echo", payload: 1, delay: "1h" },
    status: "canceled",
    trees: [posted()],
  },
  canceledWhileRunning: {
    body: { type: "sleep", payload: { ms: 600_000 } },
    status: "canceled",
    trees: [posted(sent(attempt("sleep", 1, { errors: ["AbortError", "canceled"], after: [update] })))],
  },
  /** Another worker took it, and ended it. */
  lost: {
    body: { type: "sleep", payload: { ms: 600_000 } },
    status: "succeeded",
    trees: [posted(sent(attempt("sleep", 1, { errors: ["AbortError", "lease_lost"] }), ended))],
  },
  redrivenTwice: {
    body: { type: "fail", payload: { fatal: true } },
    status: "dead",
    trees: [
      posted(sent(failed("fail", 1, "FatalError", buried))),
      redriven(failed("fail", 1, "FatalError", buried)),
      redriven(failed("fail", 1, "FatalError", buried)),
    ],
  },
  /** By the broker, after too many receives, while it still waited. */
  movedByBroker: {
    body: { type: "echo", payload: 1, delay: "1h" },
    status: "dead",
    trees: [posted(), node("dlq-processor", "CONSUMER", "process task-events-dlq", buried.children[0]?.children)],
  },
} satisfies Record<string, Fate>;

/** Those that take their thread along. */
export const violentFates = {
  "it ends its thread": {
    body: { type: "crash", payload: {}, max_attempts: 1 },
    status: "dead",
    trees: [posted(sent(attempt("crash", 1, { errors: ["crashed", "crashed"], after: [update, buried] })))],
  },
  "it never yields": {
    body: { type: "spin", payload: {}, timeout: "200ms", max_attempts: 1 },
    status: "dead",
    trees: [posted(sent(attempt("spin", 1, { errors: ["timed_out", "timed_out"], after: [update, buried] })))],
  },
} satisfies Record<string, Fate>;

/** It runs when its worker is told to stop at once. */
export const interruptedFate: Fate = {
  body: { type: "sleep", payload: { ms: 600_000 } },
  status: "queued",
  trees: [posted(sent(attempt("sleep", 1, { errors: ["AbortError", "interrupted"], after: [update] })))],
};

/** A message that is none of ours, put on the queue by somebody without a trace. */
export const unreadableTree: TraceNode = {
  ...node("worker", "CONSUMER", "process task-events", [
    node("worker", "PRODUCER", "send task-events-dlq", [
      node("dlq-processor", "CONSUMER", "process task-events-dlq", [
        node("dlq-processor", "CLIENT", "INSERT tasks_unreadable"),
      ]),
    ]),
  ]),
  error: "invalid_argument",
};
