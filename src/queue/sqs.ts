/**
 * The queues on any endpoint that speaks the protocol of SQS: the embedded broker, ElasticMQ and AWS. Puts the named
 * parts together: finding the queues, the calls, and what becomes of messages with each.
 */

import type { Tracer } from "@opentelemetry/api";
import type { Config } from "../config.ts";
import { type Breaker, createBreaker } from "../limits/breaker.ts";
import { type Clock, systemClock } from "../limits/clock.ts";
import { createSqsCalls, type SqsCalls } from "./calls.ts";
import { prepareMessagingSpans } from "./messaging-spans.ts";
import { createClient, findQueues } from "./opening.ts";
import type { Queue, QueueDepth, Queues } from "./queue.ts";
import { createReceive } from "./receive.ts";
import { createSend } from "./send.ts";
import { createSettle } from "./settle.ts";

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
      depth: () => depthOf(calls),
    };
  };
  return {
    tasks: open(config.queueName, urls.tasks),
    deadLetters: open(config.dlqName, urls.deadLetters),
    close: () => client.destroy(),
  };
}

async function depthOf(calls: SqsCalls): Promise<QueueDepth> {
  const found = await calls.attributes([
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
  ]);
  return {
    visible: Number(found.ApproximateNumberOfMessages ?? 0),
    inFlight: Number(found.ApproximateNumberOfMessagesNotVisible ?? 0),
    delayed: Number(found.ApproximateNumberOfMessagesDelayed ?? 0),
  };
}
