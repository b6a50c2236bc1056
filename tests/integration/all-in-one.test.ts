/** The compiled executable with every role in one process, on embedded parts, sending all it tells to a receiver. */

import { describe, expect, test } from "bun:test";
import type { ReceivedLog } from "../../src/otlp/log.ts";
import type { ReceivedMetric } from "../../src/otlp/metric.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { eventually } from "../support/eventually.ts";
import { toLine } from "../support/log-records.ts";
import { fromOtlp, parsePrometheus, sortSeries } from "../support/metric-series.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { expectedDepths, expectedSeries, expectedTree, type TaskCase, tenTasks } from "../support/ten-tasks.ts";
import {
  isSettled,
  pickTaskSeries,
  type RanTask,
  runTasks,
  type TenTasksRun,
  testTenTasks,
} from "../support/ten-tasks-suite.ts";
import { linksOf, toTraceTrees } from "../support/trace-tree.ts";

const timeoutMs = 120_000;

/** SIGTERM follows its end at once. */
const lastTask: TaskCase = {
  body: { type: "echo", payload: "last" },
  attempts: ["succeeded"],
  status: "succeeded",
};

interface AllInOneRun extends TenTasksRun {
  /** Not one of the ten. */
  last: RanTask[];
  received: { spans: ReceivedSpan[]; logs: ReceivedLog[]; metrics: ReceivedMetric[] };
}

describe("ten tasks through one process", () => {
  let run: AllInOneRun;
  testTenTasks(async () => {
    run = await runAllInOne();
    return run;
  }, timeoutMs);

  test("what ended just before SIGTERM has arrived whole", () => {
    const traces = run.last.map(({ task }) => run.spans.filter(({ traceId }) => traceId === task.trace_id));
    expect(traces.map(toTraceTrees)).toEqual([[expectedTree(lastTask)]]);
  });

  test("every link points to a span that has arrived", () => {
    expect(linksOf(run.spans).filter(([, linked]) => linked.includes("no such span"))).toEqual([]);
  });

  test("the log arrives over OTLP as it stands on stdout", () => {
    const lines: readonly Record<string, unknown>[] = run.logs;
    expect(run.received.logs.map(toLine).toSorted(inOrder)).toEqual(lines.toSorted(inOrder));
  });

  test("the metrics arrive over OTLP, the last task counted", () => {
    const series = fromOtlp(run.received.metrics);
    expect(pickTaskSeries(series)).toEqual(expectedSeries([...tenTasks, lastTask]));
    const depths = series.filter(({ name }) => name === "sqs_queue_depth").map((each) => ({ ...each, value: 0 }));
    expect(sortSeries(depths)).toEqual([...expectedDepths]);
  });
});

async function runAllInOne(): Promise<AllInOneRun> {
  const received: AllInOneRun["received"] = { spans: [], logs: [], metrics: [] };
  const receiver = await startReceiver(
    { host: "127.0.0.1", port: 0 },
    {
      spans: (spans) => received.spans.push(...spans),
      logs: (logs) => received.logs.push(...logs),
      metrics: (metrics) => received.metrics.push(...metrics),
    },
  );
  await using stack = new AsyncDisposableStack();
  stack.defer(() => receiver.stop());
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
  const process = stack.use(await startThroughline(["--retry-base=1ms", ...freePorts], { env }));
  const { gateway_url: gatewayUrl, admin_url: adminUrl } = process.addresses;

  const tasks = await runTasks(gatewayUrl, tenTasks);
  const scraped = await eventually(async () => {
    const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
    return isSettled(series) && series;
  });
  const last = await runTasks(gatewayUrl, [lastTask]);
  const exitCodes = [await process.stop()];
  return { tasks, last, spans: received.spans, logs: process.logs(), scraped, exitCodes, received };
}

function inOrder(a: Record<string, unknown>, b: Record<string, unknown>): number {
  const keyOf = ({ time, service, msg, span_id }: Record<string, unknown>): string =>
    [time, service, msg, span_id].join(" ");
  return keyOf(a) < keyOf(b) ? -1 : 1;
}
