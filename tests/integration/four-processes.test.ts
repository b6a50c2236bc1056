/** The four roles as four processes of the compiled executable, with ElasticMQ between them and Jaeger beside them. */

import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { startElasticMq } from "../parts/elasticmq.ts";
import { type JaegerPart, startJaeger } from "../parts/jaeger.ts";
import { eventually } from "../support/eventually.ts";
import { spansOfOperation, spansOfTrace } from "../support/jaeger-spans.ts";
import { type MetricSeries, parsePrometheus } from "../support/metric-series.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import type { RpcProtocol } from "../support/span-attributes.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectedTree, tenTasks } from "../support/ten-tasks.ts";
import {
  housekeepingSpans,
  isSettled,
  type RanTask,
  runTasks,
  type TenTasksRun,
  testTenTasks,
} from "../support/ten-tasks-suite.ts";
import type { TraceNode } from "../support/trace-tree.ts";

const timeoutMs = 120_000;

describeWith("elasticmq", "jaeger")("ten tasks through four processes", () => {
  testTenTasks(() => runFourProcesses("connect"), timeoutMs);
});

describeWith("elasticmq", "jaeger")("ten tasks through four processes, two of which speak gRPC", () => {
  testTenTasks(() => runFourProcesses("grpc"), timeoutMs, "grpc");
});

async function runFourProcesses(protocol: RpcProtocol): Promise<TenTasksRun> {
  await using stack = new AsyncDisposableStack();
  const [elasticMq, jaeger] = await Promise.all([startElasticMq(), startJaeger()]);
  stack.use(elasticMq);
  stack.use(jaeger);
  const { path: dataDir } = stack.use(await tempFolder());
  const env = {
    AWS_ENDPOINT_URL_SQS: elasticMq.url,
    AWS_REGION: "elasticmq",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpUrl,
  };
  const start = async (role: string, ...flags: string[]): Promise<ThroughlineProcess> => {
    const args = [`--role=${role}`, "--queue=sqs", `--data-dir=${dataDir}`, "--retry-base=1ms", ...freePorts, ...flags];
    return stack.use(await startThroughline(args, { env }));
  };
  const taskService = await start("task-service");
  const worker = await start("worker");
  const dlq = await start("dlq");
  const { task_service_url: connectUrl, grpc_url: grpcUrl } = taskService.addresses;
  const taskServiceUrl = protocol === "grpc" ? grpcUrl : connectUrl;
  const gateway = await start("gateway", `--rpc=${protocol}`, `--task-service-url=${taskServiceUrl}`);
  const processes = [gateway, worker, dlq, taskService];

  const tasks = await runTasks(gateway.addresses.gateway_url, tenTasks);
  const scraped = await eventually(async () => {
    const series = await scrape(processes);
    return isSettled(series) && series;
  });
  const exitCodes: number[] = [];
  for (const process of processes) exitCodes.push(await process.stop());
  const spans = await spansIn(jaeger, tasks);
  return { tasks, spans, logs: processes.flatMap((process) => process.logs()), scraped, exitCodes };
}

async function scrape(processes: readonly ThroughlineProcess[]): Promise<MetricSeries[]> {
  const texts = processes.map(async ({ addresses }) => (await fetch(`${addresses.admin_url}/metrics`)).text());
  return (await Promise.all(texts)).flatMap(parsePrometheus);
}

/** Jaeger puts away what it was sent after it has answered: asks until nothing is missing, or gives what there is. */
async function spansIn({ url }: JaegerPart, tasks: readonly RanTask[]): Promise<ReceivedSpan[]> {
  let spans: ReceivedSpan[] = [];
  await eventually(async () => {
    const traces = await Promise.all(tasks.map(({ task }) => spansOfTrace(url, task.trace_id)));
    const others = await Promise.all(
      housekeepingNames().map(([service, name]) => spansOfOperation(url, service, name)),
    );
    spans = [...traces, ...others].flat();
    return (
      others.every((found) => found.length > 0) &&
      tasks.every((ran, index) => traces[index]?.length === sizeOf(expectedTree(ran.case)))
    );
  }).catch(() => {});
  return spans;
}

function housekeepingNames(): [service: string, name: string][] {
  return [...housekeepingSpans].map((span) => [span.slice(0, span.indexOf(" ")), span.slice(span.indexOf(" ") + 1)]);
}

function sizeOf({ children }: TraceNode): number {
  return children.reduce((size, child) => size + sizeOf(child), 1);
}
