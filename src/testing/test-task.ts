/**
 * Runs a handler in a test's own process: the runner of the handlers' threads, the attempt with its deadline and the
 * decision what follows are those of production. Only the thread, the queue, the store and the waiting are not there.
 */

import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { parseDuration } from "../settings/parsers.ts";
import type { PlainSpan } from "../telemetry/spans/plain-span.ts";
import { toFailure } from "../words/errors.ts";
import { decide, type Outcome, type Verdict } from "../words/retry.ts";
import { newTaskId } from "../words/task-id.ts";
import type { TaskHandler } from "../worker/handlers/handler.ts";
import { type LoadedHandler, toHandler, toLoaded } from "../worker/handlers/loaded-handler.ts";
import { createBench, testConfig } from "./bench.ts";
import type { FormatSpans, TestedAttempt, TestedSpan, TestedTask, TestOptions, TestTask } from "./tested-task.ts";

const maxAttempts = 100;

/** Never rejects for what a handler does; rejects with an `Error` for a handler, or options, that are wrong. */
export const testTask: TestTask = async (handler, options = {}) => {
  const loaded = toTestable(handler, options);
  const first = options.attempt ?? 1;
  const last = first + (options.attempts ?? 1) - 1;
  if (!Number.isInteger(last) || first < 1 || last < first || last > maxAttempts) {
    throw new Error(`testTask: attempts ${first} to ${last}: expected whole numbers from 1 to ${maxAttempts}`);
  }
  const bench = createBench(loaded, {
    run: toRun(loaded, options),
    payload: JSON.stringify(options.payload ?? null),
    timeoutMs: timeoutOf(loaded, options),
    signal: options.signal,
    fetch: options.fetch,
  });
  try {
    const attempts: TestedAttempt[] = [];
    for (let number = first; ; number++) {
      const outcome = await bench.runAttempt(number);
      attempts.push(toTestedAttempt(number, outcome));
      const policy = { maxAttempts: last, baseMs: testConfig.retryBase, capMs: testConfig.retryCap };
      const status = toStatus(decide(outcome, number, policy, Math.random));
      if (status === undefined) continue;
      const { outcome: word, result, error } = toTestedAttempt(number, outcome);
      const { spans, ...seen } = bench.seen();
      return { status, outcome: word, result, error, attempts, ...seen, spans: toSpanTree(spans) };
    }
  } finally {
    bench.close();
  }
};

function toTestable(handler: TaskHandler, { type = "test" }: TestOptions): LoadedHandler {
  const found = toHandler(handler);
  if (!found) throw new Error("testTask: the handler has no function run(task, ctx)");
  try {
    return toLoaded(found, type);
  } catch (error) {
    throw new Error(`testTask: the handler does not load: ${toFailure(error).message}`);
  }
}

function toRun({ type }: LoadedHandler, options: TestOptions) {
  const { id = newTaskId(), correlationId = newTaskId(), metadata = {} } = options;
  return { taskId: id, type: options.type ?? type, correlationId, metadata };
}

function timeoutOf({ timeoutMs }: LoadedHandler, { timeout }: TestOptions): number {
  if (timeout === undefined) return timeoutMs ?? testConfig.taskTimeout;
  try {
    return parseDuration(timeout);
  } catch (error) {
    throw new Error(`testTask: timeout "${timeout}": ${toFailure(error).message}`);
  }
}

/** undefined: another attempt follows. */
function toStatus(verdict: Verdict): TestedTask["status"] | undefined {
  switch (verdict.kind) {
    case "succeed":
      return "succeeded";
    case "retry":
      return undefined;
    case "cancel":
      return "canceled";
    case "bury":
    case "return":
    case "drop":
      return "dead";
  }
}

function toTestedAttempt(number: number, outcome: Outcome): TestedAttempt {
  const none = { number, result: undefined, error: undefined, fatal: false, retryAfterMs: undefined };
  switch (outcome.kind) {
    case "succeeded":
      return { ...none, outcome: "succeeded", result: JSON.parse(outcome.result) };
    case "failed": {
      const { error, fatal, retryAfterMs } = outcome;
      return { ...none, outcome: "failed", error, fatal, retryAfterMs };
    }
    case "timed_out":
    case "canceled":
      return { ...none, outcome: outcome.kind, error: outcome.error };
    // There is no thread that could end, and no lease that could be lost.
    case "crashed":
    case "interrupted":
    case "lease_lost":
      return { ...none, outcome: "failed", error: outcome.error };
  }
}

const kinds: Record<SpanKind, TestedSpan["kind"]> = {
  [SpanKind.INTERNAL]: "internal",
  [SpanKind.SERVER]: "server",
  [SpanKind.CLIENT]: "client",
  [SpanKind.PRODUCER]: "producer",
  [SpanKind.CONSUMER]: "consumer",
};

const codes: Record<SpanStatusCode, TestedSpan["status"]["code"]> = {
  [SpanStatusCode.UNSET]: "unset",
  [SpanStatusCode.OK]: "ok",
  [SpanStatusCode.ERROR]: "error",
};

/** In the order in which they started. A span whose parent has not ended is a root. */
function toSpanTree(spans: readonly PlainSpan[]): TestedSpan[] {
  const ids = new Set(spans.map(({ context }) => context.spanId));
  const ordered = spans.toSorted((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]);
  const childrenOf = (parentId: string): TestedSpan[] =>
    ordered.filter(({ parent }) => parent?.spanId === parentId).map(toTestedSpan);
  const toTestedSpan = ({ name, kind, attributes, events, status, context }: PlainSpan): TestedSpan => ({
    name,
    kind: kinds[kind],
    attributes: { ...attributes },
    events: events.map((event) => ({ name: event.name, attributes: { ...event.attributes } })),
    status: { code: codes[status.code], ...(status.message !== undefined && { message: status.message }) },
    children: childrenOf(context.spanId),
  });
  return ordered.filter(({ parent }) => parent === undefined || !ids.has(parent.spanId)).map(toTestedSpan);
}

/** Spans as lines of text, each below its parent: `run send-email`, then `└─ POST  error: 503`. */
export const formatSpans: FormatSpans = (spans) => spans.flatMap((span) => [lineOf(span), ...below(span)]).join("\n");

function below({ children }: TestedSpan): string[] {
  return children.flatMap((child, n) => {
    const isLast = n === children.length - 1;
    return [
      `${isLast ? "└─" : "├─"} ${lineOf(child)}`,
      ...below(child).map((line) => `${isLast ? "  " : "│ "} ${line}`),
    ];
  });
}

function lineOf({ name, status, events }: TestedSpan): string {
  const error = status.code === "error" ? `  error: ${status.message ?? "no message"}` : "";
  const names = events.length > 0 ? `  [${events.map((event) => event.name).join(", ")}]` : "";
  return `${name}${error}${names}`;
}
