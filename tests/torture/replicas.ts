/**
 * Several processes of every role on ElasticMQ and DynamoDB Local, of which one after the other is killed and started
 * again while tasks come in. `bun tests/torture/replicas.ts --tasks 20000` runs it at length, and tells what it saw.
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { startDynamoDb } from "../parts/dynamodb.ts";
import { startElasticMq } from "../parts/elasticmq.ts";
import { freePort } from "../parts/free-port.ts";
import { awsVariables } from "../support/dynamo-store.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import type { HttpTask } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectedTree, inDynamoWords, type TaskCase } from "../support/ten-tasks.ts";
import { faultsOf, type TraceNode, toTraceTrees, withoutRepeats } from "../support/trace-tree.ts";
import { createVictim, type Victim } from "./victim.ts";

export interface ReplicasOptions {
  tasks: number;
  /** Between two kills. */
  pauseMs: number;
  rpc: "connect" | "grpc";
}

export interface ReplicasSeen {
  accepted: number;
  kills: number;
  /** How many of the accepted tasks ended as what. */
  ended: Record<string, number>;
  /** Attempts by the name of the worker's process. */
  shares: Record<string, number>;
  /** Of the tasks that came when nobody was killed any more: how many, and how many have one whole trace. */
  calm: number;
  whole: number;
  /** The faults and the trees of the first that has not. */
  broken: { faults: string[]; trees: TraceNode[] } | undefined;
}

const callers = 16;
const calmTasks = 100;
const limitMs = 600_000;
const echo: TaskCase = { body: { type: "echo", payload: 1 }, attempts: ["succeeded"], status: "succeeded" };

export async function runReplicas({ tasks, pauseMs, rpc }: ReplicasOptions): Promise<ReplicasSeen> {
  await using stack = new AsyncDisposableStack();
  const spans: ReceivedSpan[] = [];
  const receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (some) => spans.push(...some) });
  stack.defer(() => receiver.stop());
  const [dynamoDb, elasticMq] = await Promise.all([startDynamoDb(), startElasticMq()]);
  stack.use(dynamoDb);
  stack.use(elasticMq);
  const { path: logFolder } = stack.use(await tempFolder());
  const env = {
    ...awsVariables,
    AWS_ENDPOINT_URL_SQS: elasticMq.url,
    AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces`,
  };
  const journal = join(logFolder, "journal.jsonl");
  const create = (name: string, role: string, ...own: string[]): Victim => {
    const args = ["serve", `--role=${role}`, "--store=dynamodb", "--queue=sqs", "--visibility-timeout=5s"];
    const flags = ["--admin-listen=127.0.0.1:0", `--data-dir=${join(logFolder, "none")}`, ...own];
    return stack.use(createVictim({ name, args: [...args, ...flags], env, journal, logFolder }));
  };
  const pairs = await Promise.all(
    [1, 2].map(async (number) => {
      const [http, grpc, edge] = [await freePort(), await freePort(), await freePort()];
      const listens = [`--task-service-listen=127.0.0.1:${http}`, `--grpc-listen=127.0.0.1:${grpc}`];
      const url = `http://127.0.0.1:${rpc === "grpc" ? grpc : http}`;
      const asks = [`--rpc=${rpc}`, `--task-service-url=${url}`, `--gateway-listen=127.0.0.1:${edge}`];
      return {
        taskService: create(`task-service-${number}`, "task-service", ...listens),
        gateway: create(`gateway-${number}`, "gateway", ...asks),
      };
    }),
  );
  const workers = [1, 2, 3].map((number) => create(`worker-${number}`, "worker", "--threads=1"));
  const dlqs = [1, 2].map((number) => create(`dlq-${number}`, "dlq"));
  const gateways = pairs.map(({ gateway }) => gateway);
  const victims = [...pairs.map(({ taskService }) => taskService), ...workers, ...dlqs, ...gateways];
  for (const victim of victims) await victim.start();

  const loading = new AbortController();
  const killing = killInTurn(victims, pauseMs, loading.signal);
  const ids = await submitAll(gateways, tasks);
  loading.abort();
  const kills = await killing;
  const ended = await allEnded(gateways, ids);
  const calm = await allEnded(gateways, await submitCalmly(gateways));
  for (const victim of victims.toReversed()) await victim.stop();

  const traces = Map.groupBy(spans, ({ traceId }) => traceId);
  const expected = [inDynamoWords(expectedTree(echo))];
  const broken = calm
    .map(({ trace_id: traceId }) => traces.get(traceId) ?? [])
    .map((trace) => ({ faults: faultsOf(trace), trees: withoutRepeats(toTraceTrees(trace)) }))
    .filter(({ faults, trees }) => faults.length > 0 || !Bun.deepEquals(trees, expected));
  return {
    accepted: ids.length,
    kills,
    ended: countBy(ended, ({ status }) => status),
    shares: countBy(
      ended.flatMap(({ attempts }) => attempts),
      ({ worker }) =>
        workers.find(({ lives }) => lives.some((life) => life.workers.includes(worker ?? "")))?.name ?? "",
    ),
    calm: calm.length,
    whole: calm.length - broken.length,
    broken: broken[0],
  };
}

/** Each task with a key of its own, asked for again, at another gateway, until it is accepted. */
async function submitAll(gateways: readonly Victim[], count: number): Promise<string[]> {
  const ids: string[] = [];
  const keys = Array.from({ length: count }, () => crypto.randomUUID()).values();
  const caller = async (number: number): Promise<void> => {
    for (const key of keys) {
      for (let turn = number; ; turn++) {
        const id = await submitOnce(gateways[turn % gateways.length]?.addresses()?.gateway_url, key);
        if (id !== undefined) {
          ids.push(id);
          break;
        }
        await Bun.sleep(50);
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
  return ids;
}

/** Without keys, as most people do: the usual trace. Begins when no gateway thinks any more that its task service is away. */
async function submitCalmly(gateways: readonly Victim[]): Promise<string[]> {
  for (const gateway of gateways) {
    const isCalm = async () => (await fetch(`${gateway.addresses()?.gateway_url}/v1/tasks?limit=1`)).ok;
    await eventually(isCalm, { timeoutMs: limitMs });
  }
  const apis = gateways.map((gateway) => httpApi(gateway.addresses()?.gateway_url));
  const submitted = Array.from({ length: calmTasks }, (_, number) => apis[number % apis.length]?.submit(echo.body));
  return (await Promise.all(submitted)).map((task) => task?.id ?? "");
}

async function submitOnce(gatewayUrl: string | undefined, key: string): Promise<string | undefined> {
  if (gatewayUrl === undefined) return undefined;
  const headers = { "content-type": "application/json", "idempotency-key": key };
  try {
    const answer = await fetch(`${gatewayUrl}/v1/tasks`, { method: "POST", headers, body: JSON.stringify(echo.body) });
    const { id } = await answer.json();
    return answer.ok ? id : undefined;
  } catch {
    // It was killed, or is not up again.
    return undefined;
  }
}

/** Kills one after the other, and starts each again; gives how many. */
async function killInTurn(victims: readonly Victim[], pauseMs: number, until: AbortSignal): Promise<number> {
  let kills = 0;
  while (!until.aborted) {
    await Bun.sleep(pauseMs);
    const victim = victims[kills % victims.length];
    if (until.aborted || !victim) break;
    await victim.kill();
    await victim.start();
    kills += 1;
  }
  return kills;
}

async function allEnded(gateways: readonly Victim[], ids: readonly string[]): Promise<HttpTask[]> {
  const api = httpApi(gateways[0]?.addresses()?.gateway_url);
  const ended: HttpTask[] = [];
  const left = ids.values();
  const reader = async (): Promise<void> => {
    for (const id of left) ended.push(await eventually(() => api.ended(id), { timeoutMs: limitMs }));
  };
  await Promise.all(Array.from({ length: callers }, reader));
  return ended;
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { tasks: { type: "string", default: "20000" }, rpc: { type: "string", default: "connect" } },
  });
  await compiledExecutable();
  const startMs = performance.now();
  const rpc = values.rpc === "grpc" ? "grpc" : "connect";
  const seen = await runReplicas({ tasks: Number(values.tasks), pauseMs: 2000, rpc });
  process.stdout.write(
    `${JSON.stringify(seen, undefined, 2)}\n${((performance.now() - startMs) / 1000).toFixed(0)} s\n`,
  );
}
