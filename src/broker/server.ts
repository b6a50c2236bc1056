/**
 * The broker over HTTP: each request is one call of SQS in its JSON protocol (`x-amz-target`, AWS JSON 1.0). Callers
 * are not authenticated: signatures are ignored.
 */

import { type Address, type Listener, listen } from "../http/listen.ts";
import {
  changeMessageVisibility,
  changeMessageVisibilityBatch,
  deleteMessage,
  deleteMessageBatch,
  receiveMessage,
  sendMessage,
  sendMessageBatch,
} from "./message-calls.ts";
import {
  createQueue,
  deleteQueue,
  getQueueAttributes,
  getQueueUrl,
  listQueues,
  purgeQueue,
  setQueueAttributes,
} from "./queue-calls.ts";
import { Queues } from "./queues.ts";
import { SqsError } from "./sqs-error.ts";
import { type Input, isInput } from "./sqs-input.ts";

type Call = (queues: Queues, input: Input, request: Request) => object | string | Promise<string>;

const originOf = (request: Request): string => new URL(request.url).origin;

const calls = new Map<string | null, Call>(
  Object.entries({
    "AmazonSQS.SendMessageBatch": sendMessageBatch,
    "AmazonSQS.ReceiveMessage": (queues, input, request) => receiveMessage(queues, input, () => request.signal),
    "AmazonSQS.DeleteMessageBatch": deleteMessageBatch,
    "AmazonSQS.ChangeMessageVisibilityBatch": changeMessageVisibilityBatch,
    "AmazonSQS.SendMessage": sendMessage,
    "AmazonSQS.DeleteMessage": deleteMessage,
    "AmazonSQS.ChangeMessageVisibility": changeMessageVisibility,
    "AmazonSQS.CreateQueue": (queues, input, request) => createQueue(queues, input, originOf(request)),
    "AmazonSQS.GetQueueUrl": (queues, input, request) => getQueueUrl(queues, input, originOf(request)),
    "AmazonSQS.ListQueues": (queues, input, request) => listQueues(queues, input, originOf(request)),
    "AmazonSQS.GetQueueAttributes": getQueueAttributes,
    "AmazonSQS.SetQueueAttributes": setQueueAttributes,
    "AmazonSQS.PurgeQueue": purgeQueue,
    "AmazonSQS.DeleteQueue": deleteQueue,
  } satisfies Record<string, Call>),
);

/** What a batch of the largest messages takes as JSON, at its worst. */
const mostBodyBytes = 8 * 1024 * 1024;

const contentType = "application/x-amz-json-1.0";
const successHeaders = { headers: { "content-type": contentType } };

async function answer(queues: Queues, request: Request): Promise<Response> {
  try {
    const call = calls.get(request.headers.get("x-amz-target"));
    if (!call) throw unknownCall(request);
    const given = call(queues, await readInput(request), request);
    const text = given instanceof Promise ? await given : given;
    return new Response(typeof text === "string" ? text : JSON.stringify(text), successHeaders);
  } catch (error) {
    return toProblem(error);
  }
}

function unknownCall(request: Request): SqsError {
  const target = request.headers.get("x-amz-target");
  const spoken = "this broker speaks the JSON protocol of SQS, whose requests name their call in x-amz-target";
  const message = target === null ? spoken : `${target} is not a call that this broker knows`;
  return new SqsError("UnknownOperation", message);
}

async function readInput(request: Request): Promise<Input> {
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  if (!(length <= mostBodyBytes)) {
    const message = `the request must tell its content-length, of ${mostBodyBytes} bytes at most`;
    throw new SqsError("SerializationException", message);
  }
  let input: unknown;
  try {
    input = await request.json();
  } catch {
    throw new SqsError("SerializationException", "the body is not JSON");
  }
  if (!isInput(input)) throw new SqsError("SerializationException", "the body is not a JSON object");
  return input;
}

function toProblem(error: unknown): Response {
  if (error instanceof SqsError) {
    const headers = { "content-type": contentType, "x-amzn-query-error": error.queryError };
    return new Response(JSON.stringify(error), { status: error.status, headers });
  }
  const message = error instanceof Error ? error.message : String(error);
  const body = { __type: "com.amazon.coral.service#InternalFailure", message };
  const headers = { "content-type": contentType, "x-amzn-query-error": "InternalFailure;Receiver" };
  return new Response(JSON.stringify(body), { status: 500, headers });
}

/** What the broker holds. */
export interface BrokerFigures {
  usedBytes: number;
  limitBytes: number;
  /** Messages that found no room. */
  refused: number;
}

export interface BrokerServer {
  listener: Listener;
  figures(): BrokerFigures;
  stop(): Promise<void>;
}

/** Calls of polls that end, and of what comes in between. */
const stopGraceMs = 1000;

interface BrokerOptions {
  /** Of all messages together. */
  limitBytes?: number;
}

export async function startBrokerServer(address: Address, options: BrokerOptions = {}): Promise<BrokerServer> {
  const alarm = createAlarm(() => queues.runDue());
  const queues = new Queues({ ...options, onEarlier: alarm.ringBy });
  const listener = await listen(address, (request) => answer(queues, request), { reserve: "inner" });
  return {
    listener,
    figures: () => ({ ...queues.room }),
    stop: async () => {
      alarm.stop();
      queues.endPolls();
      await listener.stop(stopGraceMs);
    },
  };
}

/** One timer for all that is due. `ring` gives when it is to ring next, on the monotonic clock. */
function createAlarm(ring: () => number | undefined) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let setForMs = Number.POSITIVE_INFINITY;
  const ringBy = (dueMs: number): void => {
    if (dueMs >= setForMs) return;
    clearTimeout(timer);
    setForMs = dueMs;
    timer = setTimeout(run, Math.max(0, Math.ceil(dueMs - performance.now())));
  };
  const run = (): void => {
    setForMs = Number.POSITIVE_INFINITY;
    const nextMs = ring();
    if (nextMs !== undefined) ringBy(nextMs);
  };
  return { ringBy, stop: () => clearTimeout(timer) };
}
