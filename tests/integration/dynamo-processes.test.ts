/**
 * Roles as processes of the compiled executable that share nothing but ElasticMQ and DynamoDB Local, two of those that
 * may be several: each task is one trace, in Jaeger as everywhere.
 */

import { expect, test } from "bun:test";
import { startDynamoDb } from "../parts/dynamodb.ts";
import { startElasticMq } from "../parts/elasticmq.ts";
import { startJaeger } from "../parts/jaeger.ts";
import { awsVariables } from "../support/dynamo-store.ts";
import { eventually } from "../support/eventually.ts";
import { spansOfTrace } from "../support/jaeger-spans.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectedTree, inDynamoWords, tenTasks } from "../support/ten-tasks.ts";
import { runTasks } from "../support/ten-tasks-suite.ts";
import { faultsOf, toTraceTrees } from "../support/trace-tree.ts";

describeWith(
  "dynamodb",
  "elasticmq",
  "jaeger",
)("processes on SQS and DynamoDB", () => {
  test.each([
    ["connect", "connectrpc", "task_service_url"],
    ["grpc", "grpc", "grpc_url"],
  ])(
    "end ten tasks as they should over %s, each one whole trace, and leave no folder behind",
    async (rpc, system, address) => {
      await using stack = new AsyncDisposableStack();
      const [dynamoDb, elasticMq, jaeger] = await Promise.all([startDynamoDb(), startElasticMq(), startJaeger()]);
      for (const part of [dynamoDb, elasticMq, jaeger]) stack.use(part);
      const { path } = stack.use(await tempFolder());
      const env = {
        ...awsVariables,
        AWS_ENDPOINT_URL_SQS: elasticMq.url,
        AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url,
        OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpUrl,
      };
      const start = async (role: string, ...flags: string[]): Promise<ThroughlineProcess> => {
        const shared = ["--store=dynamodb", "--queue=sqs", `--data-dir=${path}/none`, "--retry-base=1ms"];
        const args = [`--role=${role}`, ...shared, ...freePorts, ...flags];
        return stack.use(await startThroughline(args, { env }));
      };
      // All at once, as an orchestrator does: whoever comes first makes the table and the queues.
      const inner = await Promise.all(
        ["task-service", "task-service", "worker", "worker", "dlq"].map((role) => start(role)),
      );
      const url = inner[0]?.addresses[address];
      const gateway = await start("gateway", `--rpc=${rpc}`, `--task-service-url=${url}`);

      const tasks = await runTasks(gateway.addresses.gateway_url, tenTasks);

      const told = tasks.map(({ task }) => [task.status, task.attempts.map(({ outcome }) => outcome)]);
      expect(told).toEqual(tenTasks.map(({ status, attempts }) => [status, [...attempts]]));
      const exitCodes: number[] = [];
      for (const process of [gateway, ...inner.toReversed()]) exitCodes.push(await process.stop());
      expect(exitCodes).toEqual(Array(6).fill(0));
      for (const { case: each, task } of tasks) {
        await eventually(async () => {
          const spans = await spansOfTrace(jaeger.url, task.trace_id);
          expect(faultsOf(spans)).toEqual([]);
          expect(toTraceTrees(spans)).toEqual([inDynamoWords(expectedTree(each))]);
          const systems = spans.flatMap(({ attributes }) => attributes["rpc.system.name"] ?? []);
          expect(systems).toEqual([system, system]);
          return true;
        });
      }
      expect(await Array.fromAsync(new Bun.Glob("**").scan({ cwd: path, onlyFiles: false }))).toEqual([]);
    },
    120_000,
  );
});
