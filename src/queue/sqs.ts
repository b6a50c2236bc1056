/**
 * The SQS client: the same code for the embedded broker, ElasticMQ and AWS. Owns batching, deadlines, the result of
 * every entry, and the messaging spans. `receive`, `delete` and `change_visibility` are housekeeping: each call has a
 * trace of its own, linked to the messages; an idle poll has none. A broker that is away is left alone for a while, but
 * for `receive`, whose loops pause by themselves. Long because each call stands here with its span.
 */

import {
  type BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  type MessageAttributeValue,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SQSClient,
  SQSServiceException,
} from "@aws-sdk/client-sqs";
import { type Attributes, type Link, SpanKind, type Tracer } from "@opentelemetry/api";
import { FetchHttpHandler } from "@smithy/fetch-http-handler";
import type { Config } from "../config.ts";
import { type Breaker, createBreaker } from "../limits/breaker.ts";
import { type Clock, systemClock } from "../limits/clock.ts";
import { type Carrier, fromCarrier, spanContextOf, toCarrier } from "../telemetry/context/propagation.ts";
import { key } from "../telemetry/names.ts";
import { preciseNowMs, toHrTime } from "../telemetry/spans/span-start.ts";
import { housekeeping, inSpan, markFailed, startSpan } from "../telemetry/spans/tracing.ts";
import type { EntryResult } from "../words/entry-result.ts";
import { TaskError, toTaskError } from "../words/errors.ts";
import { type CallResult, createBatcher } from "./batcher.ts";
import { createFastSqs } from "./fast-sqs.ts";
import type { OutgoingMessage, Queue, Queues, ReceivedMessage, ReceiveRequest, Sending, Settling } from "./queue.ts";

/** No call but a long poll may take longer; polls are known to hang for ever. */
const callLimitMs = 10_000;

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
  const open = (name: string, url: string): Queue =>
    createSqsQueue({
      client,
      name,
      url,
      endpoint: config.queueEndpoint,
      isSigned: config.queue === "sqs",
      tracer,
      clock,
      breaker,
      remake: config.createQueues ? remake : undefined,
    });
  return {
    tasks: open(config.queueName, urls.tasks),
    deadLetters: open(config.dlqName, urls.deadLetters),
    close: () => client.destroy(),
  };
}

async function findQueues(client: SQSClient, config: Config): Promise<{ tasks: string; deadLetters: string }> {
  const deadLetters = await findOrCreate(client, config, config.dlqName, {});
  const policy = config.createQueues ? { RedrivePolicy: await redrivePolicy(client, deadLetters) } : {};
  return { tasks: await findOrCreate(client, config, config.queueName, policy), deadLetters };
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

interface SqsQueueOptions {
  client: SQSClient;
  name: string;
  url: string;
  /** Undefined: the queue URL's own host. */
  endpoint: string | undefined;
  isSigned: boolean;
  tracer: Tracer;
  clock: Clock;
  breaker: Breaker;
  /** Makes the queues again, if that is allowed. */
  remake: (() => Promise<void>) | undefined;
}

function createSqsQueue(options: SqsQueueOptions): Queue {
  const { client, name, url, endpoint, isSigned, tracer, clock, breaker } = options;
  const fast = createFastSqs({ client, endpoint: endpoint ?? new URL(url).origin, isSigned });
  const spanAttributes = messagingAttributes(name, url, endpoint);

  const sendBatch = createBatcher<Omit<SendMessageBatchRequestEntry, "Id">, string>({
    clock,
    bytesOf: ({ MessageBody = "", MessageAttributes = {} }) =>
      Buffer.byteLength(MessageBody) + bytesOfAttributes(MessageAttributes),
    call: async (entries) => {
      const answer = await call("send to", (abortSignal) =>
        fast.send(
          "SendMessageBatch",
          new SendMessageBatchCommand({
            QueueUrl: url,
            Entries: entries.map((entry, n) => ({ Id: String(n), ...entry })),
          }),
          abortSignal,
        ),
      );
      return resultsOf(entries.length, answer, "send", ({ MessageId }) => MessageId ?? "");
    },
  });

  const deleteBatch = createBatcher<ReceivedMessage, void>({
    clock,
    bytesOf: () => 0,
    call: (messages) =>
      inSpan(tracer, `delete ${name}`, housekeeping, settleSpan("delete", messages), async () => {
        const answer = await call("delete from", (abortSignal) =>
          fast.send(
            "DeleteMessageBatch",
            new DeleteMessageBatchCommand({
              QueueUrl: url,
              Entries: messages.map(({ receipt }, n) => ({ Id: String(n), ReceiptHandle: receipt })),
            }),
            abortSignal,
          ),
        );
        return resultsOf(messages.length, answer, "delete", () => {});
      }),
  });

  const visibilityBatch = createBatcher<{ message: ReceivedMessage; delayMs: number }, void>({
    clock,
    bytesOf: () => 0,
    call: (entries) => {
      const start = settleSpan(
        "change_visibility",
        entries.map(({ message }) => message),
      );
      return inSpan(tracer, `change_visibility ${name}`, housekeeping, start, async () => {
        const answer = await call("change visibility in", (abortSignal) =>
          fast.send(
            "ChangeMessageVisibilityBatch",
            new ChangeMessageVisibilityBatchCommand({
              QueueUrl: url,
              Entries: entries.map(({ message, delayMs }, n) => ({
                Id: String(n),
                ReceiptHandle: message.receipt,
                VisibilityTimeout: Math.ceil(delayMs / 1000),
              })),
            }),
            abortSignal,
          ),
        );
        return resultsOf(entries.length, answer, "change visibility", () => {});
      });
    },
  });

  /** One call with its deadline, and its error as ours; none to a broker that is away. */
  const call = <T>(doing: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    breaker.call(
      async () => {
        try {
          return await withQueue(() => send(AbortSignal.timeout(callLimitMs)));
        } catch (error) {
          throw toQueueError(error, `${doing} the queue "${name}"`);
        }
      },
      { isAway: isBrokerAway },
    );

  /** A broker that started anew, with nothing, gets its queues again. */
  const withQueue = async <T>(send: () => Promise<T>): Promise<T> => {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof QueueDoesNotExist) || !options.remake) throw error;
      await options.remake();
      return send();
    }
  };

  const settleSpan = (operation: "delete" | "change_visibility", messages: readonly ReceivedMessage[]) => ({
    kind: SpanKind.CLIENT,
    attributes: {
      ...spanAttributes,
      [key.messagingOperationName]: operation,
      [key.messagingOperationType]: "settle",
      [key.messagingBatchMessageCount]: messages.length,
    },
    links: messages.flatMap(creationLink),
  });

  const sendOne = async ({ message, context, span: start = {} }: Sending): Promise<void> => {
    const attributes: Attributes = {
      ...spanAttributes,
      [key.messagingOperationName]: "send",
      [key.messagingOperationType]: "send",
      [key.messagingMessageBodySize]: Buffer.byteLength(message.body),
      ...(message.correlationId && { [key.messagingMessageConversationId]: message.correlationId }),
      ...start.attributes,
    };
    const links = start.links ?? [];
    const { span, context: sent } = startSpan(tracer, `send ${name}`, context, {
      kind: SpanKind.PRODUCER,
      attributes,
      links,
    });
    try {
      const id = await sendBatch({
        MessageBody: message.body,
        MessageAttributes: toMessageAttributes(attributesOf(message, toCarrier(sent))),
        ...(message.delayMs && { DelaySeconds: Math.ceil(message.delayMs / 1000) }),
      });
      span.setAttribute(key.messagingMessageId, id);
    } catch (error) {
      const { code, message: text } = toQueueError(error, `send to the queue "${name}"`);
      markFailed(span, { type: code, message: text });
      throw error;
    } finally {
      span.end();
    }
  };

  const settleOne = ({ message, hideMs }: Settling): Promise<void> =>
    hideMs === null ? deleteBatch(message) : visibilityBatch({ message, delayMs: hideMs });

  return {
    name,
    spanAttributes,
    send: (sendings) => resultsOfAll(sendings.map(sendOne)),
    settle: (settlings) => resultsOfAll(settlings.map(settleOne)),

    async receive({ max, waitMs, visibilityMs, signal }: ReceiveRequest) {
      const startMs = preciseNowMs();
      const limit = AbortSignal.timeout(waitMs + callLimitMs);
      const command = new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: max,
        WaitTimeSeconds: Math.floor(waitMs / 1000),
        VisibilityTimeout: Math.ceil(visibilityMs / 1000),
        MessageAttributeNames: ["All"],
        MessageSystemAttributeNames: ["ApproximateReceiveCount", "SentTimestamp"],
      });
      let answer: { Messages?: Message[] | undefined };
      try {
        answer = await withQueue(() => fast.send("ReceiveMessage", command, AbortSignal.any([signal, limit])));
      } catch (error) {
        if (signal.aborted) return [];
        throw toQueueError(error, `receive from the queue "${name}"`);
      }
      breaker.answered();
      const messages = (answer.Messages ?? []).map(fromMessage);
      if (messages.length > 0) {
        const attributes: Attributes = {
          ...spanAttributes,
          [key.messagingOperationName]: "receive",
          [key.messagingOperationType]: "receive",
          [key.messagingBatchMessageCount]: messages.length,
        };
        tracer
          .startSpan(
            `receive ${name}`,
            { kind: SpanKind.CLIENT, attributes, links: messages.flatMap(creationLink), startTime: toHrTime(startMs) },
            housekeeping,
          )
          .end(toHrTime(preciseNowMs()));
      }
      return messages;
    },

    async depth() {
      const answer = await call("measure", (abortSignal) =>
        client.send(
          new GetQueueAttributesCommand({
            QueueUrl: url,
            AttributeNames: [
              "ApproximateNumberOfMessages",
              "ApproximateNumberOfMessagesNotVisible",
              "ApproximateNumberOfMessagesDelayed",
            ],
          }),
          { abortSignal },
        ),
      );
      const found = answer.Attributes ?? {};
      return {
        visible: Number(found.ApproximateNumberOfMessages ?? 0),
        inFlight: Number(found.ApproximateNumberOfMessagesNotVisible ?? 0),
        delayed: Number(found.ApproximateNumberOfMessagesDelayed ?? 0),
      };
    },
  };
}

function messagingAttributes(name: string, url: string, endpoint: string | undefined): Attributes {
  const { protocol, hostname, port } = new URL(endpoint ?? url);
  return {
    [key.messagingSystemName]: "aws.sqs",
    [key.messagingDestinationName]: name,
    [key.sqsQueueUrl]: url,
    [key.serverAddress]: hostname,
    [key.serverPort]: Number(port) || (protocol === "https:" ? 443 : 80),
  };
}

async function resultsOfAll(entries: readonly Promise<void>[]): Promise<EntryResult<void>[]> {
  const settled = await Promise.allSettled(entries);
  return settled.map((result) =>
    result.status === "fulfilled"
      ? { kind: "done", value: undefined }
      : { kind: "failed", error: toTaskError(result.reason) },
  );
}

interface BatchAnswer<S> {
  Successful?: S[] | undefined;
  Failed?: BatchResultErrorEntry[] | undefined;
}

/** One result for each entry: those that the broker names in neither list count as failed. */
function resultsOf<S extends { Id?: string | undefined }, R>(
  count: number,
  answer: BatchAnswer<S>,
  doing: string,
  toValue: (entry: S) => R,
): CallResult<R>[] {
  const results: (CallResult<R> | undefined)[] = Array(count).fill(undefined);
  for (const entry of answer.Successful ?? []) results[Number(entry.Id)] = { kind: "done", value: toValue(entry) };
  for (const entry of answer.Failed ?? []) {
    const reason = `${entry.Code ?? "?"} ${entry.Message ?? ""}`.trim();
    const error = new TaskError("unavailable", `the broker refused to ${doing}: ${reason}`);
    results[Number(entry.Id)] = { kind: "failed", error, isSenderFault: entry.SenderFault ?? false };
  }
  const silent = (): TaskError => new TaskError("unavailable", `the broker did not say whether it could ${doing}`);
  return results.map((result) => result ?? { kind: "failed", error: silent(), isSenderFault: false });
}

/** SQS: attributes on one message. */
const maxAttributes = 10;

/** The message's own and its trace context, and in the places that are left what it only keeps. */
function attributesOf({ attributes, kept = {} }: OutgoingMessage, carrier: Carrier): Record<string, string> {
  const own = { ...attributes, ...carrier };
  const others = Object.entries(kept).filter(([name]) => !(name in own));
  return { ...own, ...Object.fromEntries(others.slice(0, Math.max(0, maxAttributes - Object.keys(own).length))) };
}

function toMessageAttributes(attributes: Record<string, string>): Record<string, MessageAttributeValue> {
  const entries = Object.entries(attributes).filter(([, value]) => value !== "");
  return Object.fromEntries(entries.map(([name, value]) => [name, { DataType: "String", StringValue: value }]));
}

/** As SQS counts them. */
function bytesOfAttributes(attributes: Record<string, MessageAttributeValue>): number {
  let bytes = 0;
  for (const name in attributes) {
    const { DataType = "", StringValue = "" } = attributes[name] ?? {};
    bytes += Buffer.byteLength(name) + DataType.length + Buffer.byteLength(StringValue);
  }
  return bytes;
}

function fromMessage(message: Message): ReceivedMessage {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.MessageAttributes ?? {})) {
    if (value.StringValue !== undefined) attributes[name] = value.StringValue;
  }
  return {
    id: message.MessageId ?? "",
    receipt: message.ReceiptHandle ?? "",
    body: message.Body ?? "",
    attributes,
    receiveCount: Number(message.Attributes?.ApproximateReceiveCount ?? 1),
    sentAtMs: Number(message.Attributes?.SentTimestamp ?? 0),
  };
}

/**
 * A link to the span that sent the message, with the message's id: on a span of several messages, what differs from one
 * to another is an attribute of its link (semantic conventions, "Messaging spans").
 */
function creationLink(message: ReceivedMessage): Link[] {
  const context = spanContextOf(fromCarrier(message.attributes));
  return context ? [{ context, attributes: { [key.messagingMessageId]: message.id } }] : [];
}

/** A broker that finds fault with the call, or with its caller, is there. */
function isBrokerAway(error: unknown): boolean {
  const cause = error instanceof TaskError ? error.cause : error;
  return !(cause instanceof SQSServiceException) || (cause.$metadata.httpStatusCode ?? 500) >= 500;
}

function toQueueError(error: unknown, doing: string): TaskError {
  if (error instanceof TaskError) return error;
  const reason = error instanceof Error ? error.message || error.name : String(error);
  return new TaskError("unavailable", `could not ${doing}: ${reason}`, { cause: error });
}
