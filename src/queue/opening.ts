/** Finds the queues of a deployment, and creates them when they do not exist and the settings allow it. */

import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { FetchHttpHandler } from "@smithy/fetch-http-handler";
import type { Config } from "../config.ts";
import { TaskError } from "../words/errors.ts";
import { callLimitMs, toQueueError } from "./calls.ts";

/** Receives of one message before the broker itself dead-letters it: the net under a task that kills every worker. */
const receiveLimit = 100;

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
export async function findQueues(client: SQSClient, config: Config): Promise<{ tasks: string; deadLetters: string }> {
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
  const abortSignal = AbortSignal.timeout(callLimitMs);
  try {
    const found = await client.send(new GetQueueUrlCommand({ QueueName: name }), { abortSignal });
    return urlOf(found.QueueUrl, name);
  } catch (error) {
    if (!(error instanceof QueueDoesNotExist)) throw toQueueError(error, `find the queue "${name}"`);
    if (!config.createQueues) {
      throw new TaskError("unavailable", `the queue "${name}" does not exist, and --create-queues is false`);
    }
  }
  const visibility = String(Math.ceil(config.visibilityTimeout / 1000));
  try {
    const created = await client.send(
      new CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: visibility, ...attributes } }),
      { abortSignal },
    );
    return urlOf(created.QueueUrl, name);
  } catch (error) {
    throw toQueueError(error, `create the queue "${name}"`);
  }
}

function urlOf(url: string | undefined, name: string): string {
  if (url === undefined) throw new TaskError("unavailable", `the broker gave no URL for the queue "${name}"`);
  return url;
}

async function redrivePolicy(client: SQSClient, deadLetterUrl: string): Promise<string> {
  try {
    const answer = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ["QueueArn"] }),
      { abortSignal: AbortSignal.timeout(callLimitMs) },
    );
    return JSON.stringify({ deadLetterTargetArn: answer.Attributes?.QueueArn, maxReceiveCount: receiveLimit });
  } catch (error) {
    throw toQueueError(error, "ask for the ARN of the dead-letter queue");
  }
}
