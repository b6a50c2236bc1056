/** Brokers that speak the SQS protocol, and queues on them that are nobody else's. */

import { DeleteQueueCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { startEmbeddedBroker } from "../../src/broker/embedded.ts";
import { type Config, readConfig, type SettingName } from "../../src/config.ts";
import type { Queue, Queues, ReceivedMessage } from "../../src/queue/queue.ts";
import { openQueues } from "../../src/queue/sqs.ts";
import { key } from "../../src/telemetry/names.ts";
import { startElasticMq } from "../parts/elasticmq.ts";
import { tempFolder } from "./temp-folder.ts";
import { startTestTracing } from "./test-tracing.ts";

type Flags = Partial<Record<SettingName, string>>;

export interface Broker extends AsyncDisposable {
  /** Settings that lead to it. */
  configOf(flags: Flags): Config;
}

export async function startEmbedded(): Promise<Broker> {
  const folder = await tempFolder();
  const broker = await startEmbeddedBroker(folder.path, 0);
  return {
    configOf: (flags) => ({ ...readConfig({ handlers: "", ...flags }, {}).config, queueEndpoint: broker.endpoint }),
    [Symbol.asyncDispose]: async () => {
      await broker.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The AWS client reads its region and keys from the process's own environment. */
const awsVariables = { AWS_REGION: "elasticmq", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };

export async function startElasticMqBroker(): Promise<Broker> {
  const elasticMq = await startElasticMq();
  const before = Object.keys(awsVariables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, awsVariables);
  return {
    configOf: (flags) => {
      const env = { ...awsVariables, AWS_ENDPOINT_URL_SQS: elasticMq.url };
      return readConfig({ handlers: "", queue: "sqs", ...flags }, env).config;
    },
    [Symbol.asyncDispose]: async () => {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      await elasticMq.stop();
    },
  };
}

export interface TestQueues extends AsyncDisposable, Queues {
  config: Config;
  /** Spans of these queues, as they ended. */
  spans(): ReadableSpan[];
  /** Deletes both in the broker, as its start with nothing in it would. */
  vanish(): Promise<void>;
}

/** Opens a pair of queues of its own. */
export type OpenQueues = (flags?: Flags) => Promise<TestQueues>;

export async function openTestQueues(broker: Broker, flags: Flags = {}): Promise<TestQueues> {
  const { tracer, spans } = startTestTracing();
  const name = `tasks-${crypto.randomUUID()}`;
  const config = broker.configOf({ queueName: name, dlqName: `${name}-dlq`, ...flags });
  const queues = await openQueues(config, tracer);
  const vanish = async (): Promise<void> => {
    const client = new SQSClient({
      region: "elasticmq",
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
      ...(config.queueEndpoint !== undefined && { endpoint: config.queueEndpoint }),
    });
    for (const { spanAttributes } of [queues.tasks, queues.deadLetters]) {
      await client.send(new DeleteQueueCommand({ QueueUrl: String(spanAttributes[key.sqsQueueUrl]) }));
    }
    client.destroy();
  };
  return { ...queues, config, spans, vanish, [Symbol.asyncDispose]: async () => queues.close() };
}

export interface Taking {
  max?: number;
  waitMs?: number;
  visibilityMs?: number;
  signal?: AbortSignal;
}

/** One receive; does not wait, and hides what it gets for a minute. */
export function take(queue: Queue, taking: Taking = {}): Promise<ReceivedMessage[]> {
  return queue.receive({ max: 10, waitMs: 0, visibilityMs: 60_000, signal: new AbortController().signal, ...taking });
}

/** Receives until there are `count`; the test's own limit ends it when they never come. */
export async function takeAll(queue: Queue, count: number): Promise<ReceivedMessage[]> {
  const messages: ReceivedMessage[] = [];
  while (messages.length < count) messages.push(...(await take(queue, { waitMs: 1000 })));
  return messages;
}

/** Receives one that has to be there soon. */
export async function takeOne(queue: Queue): Promise<ReceivedMessage> {
  const [message] = await takeAll(queue, 1);
  if (!message) throw new Error("no message came");
  return message;
}
