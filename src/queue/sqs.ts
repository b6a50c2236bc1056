/**
 * The queues on any endpoint that speaks the protocol of SQS: the embedded broker, ElasticMQ and AWS. Finds or
 * creates the queues, and puts the parts together.
 */

import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { Tracer } from "@opentelemetry/api";
import { FetchHttpHandler } from "@smithy/fetch-http-handler";
import type { Config } from "../config.ts";
import { type Breaker, createBreaker } from "../limits/breaker.ts";
import { type Clock, systemClock } from "../limits/clock.ts";
import { TaskError } from "../words/errors.ts";
import { callLimitMs, createSqsCalls, failedTo } from "./calls.ts";
import { createReceive, createSettle } from "./deliveries.ts";
import { prepareMessagingSpans } from "./messaging-spans.ts";
import type { Queue, Queues } from "./queue.ts";
import { createSend } from "./send.ts";

/** Receives of one message before the broker itself dead-letters it: the net under a task that kills every worker. */
const receiveLimit = 100;

export interface OpenOptions {
  clock?: Clock;
  /** Around every call but `receive`; one of its own by default. */
  breaker?: Breaker;
}

/** Opens both queues, and creates them when they do not exist and the settings allow it. */
export async function openQueues(config: Config, tracer: Tracer, options: OpenOptions = {}): Promise<Queues> {
  const { clock = systemClock, breaker = createBreaker({ name: "queue", side: "the queue" }) } = options;
  const client = createClient(config);
  const urls = await findQueues(client, config).catch((error: unknown) => {
    client.destroy();
    throw error;
  });
  let remaking: Promise<unknown> | undefined;
  const remake = async (): Promise<void> => {
    remaking ??= findQueues(client, config).finally(() => {
      remaking = undefined;
    });
    await remaking;
  };
  const open = (name: string, url: string): Queue => {
    const endpoint = config.queueEndpoint;
    const isSigned = config.queue === "sqs";
    const parts = { client, name, url, endpoint, isSigned, clock, breaker };
    const calls = createSqsCalls({ ...parts, remake: config.createQueues ? remake : undefined });
    const spans = prepareMessagingSpans(tracer, parts);
    return {
      name,
      spanAttributes: spans.attributes,
      send: createSend(calls, spans, clock),
      receive: createReceive(calls, spans),
      settle: createSettle(calls, spans, clock),
      depth: calls.depth,
    };
  };
  return {
    tasks: open(config.queueName, urls.tasks),
    deadLetters: open(config.dlqName, urls.deadLetters),
    close: () => client.destroy(),
  };
}

/** The client with which everything here talks to the broker. */
export function createClient(config: Config): SQSClient {
  const { queueEndpoint } = config;
  return new SQSClient({
    requestHandler: new FetchHttpHandler({ keepAlive: true }),
    md5: false,
    maxAttempts: 3,
    ...(queueEndpoint !== undefined && { endpoint: queueEndpoint, useQueueUrlAsEndpoint: false }),
    ...(config.queue === "embedded" && {
      region: "us-east-1",
      credentials: { accessKeyId: "embedded", secretAccessKey: "embedded" },
    }),
  });
}

/** The URLs of both queues. */
async function findQueues(client: SQSClient, config: Config): Promise<{ tasks: string; deadLetters: string }> {
  const deadLetters = await findOrCreate(client, config, config.dlqName, {});
  const policy = config.createQueues ? { RedrivePolicy: await redrivePolicy(client, deadLetters) } : {};
  return { tasks: await findOrCreate(client, config, config.queueName, policy), deadLetters };
}

async function findOrCreate(
  client: SQSClient,
  config: Config,
  name: string,
  attributes: Record<string, string>,
): Promise<string> {
  const options = { abortSignal: AbortSignal.timeout(callLimitMs) };
  let doing = "find";
  try {
    const found = await client.send(new GetQueueUrlCommand({ QueueName: name }), options).catch((error: unknown) => {
      if (!(error instanceof QueueDoesNotExist)) throw error;
      if (!config.createQueues) {
        throw new TaskError("unavailable", `the queue "${name}" does not exist, and --create-queues is false`);
      }
      doing = "create";
      const VisibilityTimeout = String(Math.ceil(config.visibilityTimeout / 1000));
      const Attributes = { VisibilityTimeout, ...attributes };
      return client.send(new CreateQueueCommand({ QueueName: name, Attributes }), options);
    });
    if (found.QueueUrl === undefined) throw new Error("the broker gave no URL for it");
    return found.QueueUrl;
  } catch (error) {
    throw failedTo(`${doing} the queue "${name}"`, error);
  }
}

async function redrivePolicy(client: SQSClient, deadLetterUrl: string): Promise<string> {
  try {
    const command = new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ["QueueArn"] });
    const answer = await client.send(command, { abortSignal: AbortSignal.timeout(callLimitMs) });
    return JSON.stringify({ deadLetterTargetArn: answer.Attributes?.QueueArn, maxReceiveCount: receiveLimit });
  } catch (error) {
    throw failedTo("ask for the ARN of the dead-letter queue", error);
  }
}
