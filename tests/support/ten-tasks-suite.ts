/** What must hold of the ten tasks, however the system that ran them was put together. */

import { beforeAll, expect, test } from "bun:test";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { httpApi } from "./http-api.ts";
import { type MetricSeries, sortSeries } from "./metric-series.ts";
import type { LogLine } from "./process.ts";
import { deprecatedKeys, expectAttributes, type RpcProtocol } from "./span-attributes.ts";
import type { HttpTask } from "./system.ts";
import {
  expectedDepths,
  expectedLinks,
  expectedSeries,
  expectedServices,
  expectedTree,
  type TaskCase,
  tenTasks,
} from "./ten-tasks.ts";
import { faultsOf, linksOf, toTraceTrees } from "./trace-tree.ts";

export interface RanTask {
  case: TaskCase;
  /** As it was when it had ended. */
  task: HttpTask;
}

/** All that was seen of a system that ran the ten tasks and was stopped by SIGTERM. */
export interface TenTasksRun {
  tasks: readonly RanTask[];
  /** At least those of the tasks' traces, and those that receive and settle their messages. */
  spans: readonly ReceivedSpan[];
  /** Stdout of all processes. */
  logs: readonly LogLine[];
  /** What `/metrics` of all processes gave when all tasks had ended. */
  scraped: readonly MetricSeries[];
  exitCodes: readonly number[];
}

/** Submits the tasks all at once, and gives them as they end. */
export async function runTasks(gatewayUrl: string | undefined, cases: readonly TaskCase[]): Promise<RanTask[]> {
  const api = httpApi(gatewayUrl);
  return Promise.all(
    cases.map(async (each) => ({ case: each, task: await api.ended((await api.submit(each.body)).id) })),
  );
}

/** Whether a scrape shows that the dead task is counted and that no message is left, which follow a task's end. */
export function isSettled(scraped: readonly MetricSeries[]): boolean {
  const depths = scraped.filter(({ name }) => name === "sqs_queue_depth");
  return scraped.some(({ name }) => name === "tasks_dead_total") && depths.every(({ value }) => value === 0);
}

/** The samples that `expectedSeries` speaks of. */
export function pickTaskSeries(series: readonly MetricSeries[]): MetricSeries[] {
  const names = ["tasks_processed_total", "task_processing_duration_seconds_count", "tasks_dead_total"];
  return sortSeries(series.filter(({ name }) => names.includes(name)));
}

/** Names of the spans that belong to no task. */
export const housekeepingSpans: ReadonlySet<string> = new Set([
  "worker receive task-events",
  "worker delete task-events",
  "worker change_visibility task-events",
  "dlq-processor receive task-events-dlq",
  "dlq-processor delete task-events-dlq",
]);

function housekeepingOf(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  return spans.filter(({ service, name }) => housekeepingSpans.has(`${service} ${name}`));
}

/**
 * Runs the ten tasks once with `runTenTasks` and registers the tests of what was seen; `protocol`: what the gateway
 * speaks to the task service.
 */
export function testTenTasks(
  runTenTasks: () => Promise<TenTasksRun>,
  timeoutMs: number,
  protocol: RpcProtocol = "connect",
): void {
  let run: TenTasksRun;
  beforeAll(async () => {
    run = await runTenTasks();
  }, timeoutMs);

  const spansOf = ({ task }: RanTask): ReceivedSpan[] => run.spans.filter(({ traceId }) => traceId === task.trace_id);

  const expectTrees = (isMeant: (each: TaskCase) => boolean): void => {
    const meant = run.tasks.filter((ran) => isMeant(ran.case));
    expect(meant.map((ran) => toTraceTrees(spansOf(ran)))).toEqual(meant.map((ran) => [expectedTree(ran.case)]));
  };

  test("each task ends as it was made to", () => {
    const ends = run.tasks.map(({ task }) => ({
      status: task.status,
      attempts: task.attempts.map((it) => it.outcome),
    }));
    expect(ends).toEqual(tenTasks.map(({ status, attempts }) => ({ status, attempts: [...attempts] })));
  });

  test("a task that succeeds is one trace through gateway, task service and worker", () => {
    expectTrees(({ attempts, status }) => status === "succeeded" && attempts.length === 1);
  });

  test("the second attempt of a task is the sibling of the first, whose failure marks only its own spans", () => {
    expectTrees(({ attempts, status }) => status === "succeeded" && attempts.length === 2);
  });

  test("the trace of a task that dies goes on below its last attempt to the dead-letter processor", () => {
    expectTrees(({ status }) => status === "dead");
  });

  test("no trace has a second root, an orphan, or a span that runs backwards or starts before its parent", () => {
    expect(run.tasks.flatMap((ran) => faultsOf(spansOf(ran)))).toEqual([]);
  });

  test("each delivery is linked to the span that sent it, a dead letter to both", () => {
    expect(run.tasks.map((ran) => linksOf(spansOf(ran)))).toEqual(tenTasks.map(expectedLinks));
  });

  test("receiving and settling have traces of their own, linked to the send of each message", () => {
    const spans = housekeepingOf(run.spans);
    expect(new Set(spans.map(({ service, name }) => `${service} ${name}`))).toEqual(new Set(housekeepingSpans));
    expect(spans.filter(({ parentSpanId }) => parentSpanId !== undefined)).toEqual([]);
    const sizes = spans.map(({ attributes }) => attributes["messaging.batch.message_count"]);
    expect(spans.map(({ links }) => links.length)).toEqual(sizes.map(Number));
    const linked = linksOf(spans, run.spans).map(([name, names]) => [name.replace(/^\w+/, "send"), ...new Set(names)]);
    expect(linked.filter(([send, ...names]) => names.length !== 1 || names[0] !== send)).toEqual([]);
  });

  test("every span carries the attributes of its kind, and its service's resource", () => {
    expectAttributes([...run.tasks.flatMap(spansOf), ...housekeepingOf(run.spans)], protocol);
  });

  test("no span carries a deprecated attribute", async () => {
    const deprecated = await deprecatedKeys();
    expect(deprecated).toContain("messaging.system");
    const keys = new Set(run.spans.flatMap(({ attributes }) => Object.keys(attributes)));
    expect(keys.intersection(deprecated)).toEqual(new Set());
  });

  test("every log line has a trace", () => {
    expect(run.logs.filter(({ trace_id }) => !/^(?!0+$)[0-9a-f]{32}$/.test(String(trace_id)))).toEqual([]);
  });

  test("every service's lines about a task carry its trace and its correlation id", () => {
    const told = run.tasks.map(({ task }) => {
      const lines = run.logs.filter(({ task_id }) => task_id === task.id);
      return {
        services: new Set(lines.map(({ service }) => service)),
        traces: new Set(lines.map(({ trace_id }) => trace_id)),
        correlations: new Set(lines.map(({ correlation_id }) => correlation_id)),
      };
    });
    expect(told).toEqual(
      run.tasks.map(({ case: each, task }) => ({
        services: new Set(expectedServices(each)),
        traces: new Set([task.trace_id]),
        correlations: new Set([task.correlation_id]),
      })),
    );
  });

  test("a scrape counts every task, and the queues are empty", () => {
    expect(pickTaskSeries(run.scraped)).toEqual(expectedSeries(tenTasks));
    expect(sortSeries(run.scraped.filter(({ name }) => name === "sqs_queue_depth"))).toEqual([...expectedDepths]);
  });

  test("a scrape has the buckets of the processing time", () => {
    const buckets = run.scraped.filter(({ name }) => name === "task_processing_duration_seconds_bucket");
    const bounds = new Set(buckets.map(({ labels }) => labels.le));
    expect(bounds).toEqual(new Set(["0.01", "0.05", "0.1", "0.5", "1", "5", "30", "+Inf"]));
  });

  test("SIGTERM ends each process with exit code 0", () => {
    expect(run.exitCodes.filter((code) => code !== 0)).toEqual([]);
  });
}
