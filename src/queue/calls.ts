/**
 * The calls to one queue. Owns their deadlines, their errors as ours, and the breaker around all but `receive`.
 *
 * The four that every task makes are one signed post in the AWS JSON protocol each: the SDK's client spends three times
 * the CPU on such a call, mostly in its middleware. The short way takes only the plain success; whatever else happens
 * (an error, a throttle, a skewed clock, expired credentials, a connection lost) is done again by the SDK's client,
 * which knows what to do about each. A send that arrived all the same is then a second copy, which the claim makes
 * harmless.
 */

import {
  type BatchResultErrorEntry,
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type Message,
  type QueueAttributeName,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
  SQSServiceException,
} from "@aws-sdk/client-sqs";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Breaker } from "../limits/breaker.ts";
import type { Clock } from "../limits/clock.ts";
import { createTimeLimit } from "../limits/time-limit.ts";
import { TaskError } from "../words/errors.ts";
import type { CallResult } from "./batcher.ts";
import type { QueueDepth } from "./queue.ts";

/** No call but a long poll may take longer; polls are known to hang for ever. */
export const callLimitMs = 10_000;
/** SQS's longest. */
const maxPollMs = 20_000;

type BatchAction = "SendMessageBatch" | "DeleteMessageBatch" | "ChangeMessageVisibilityBatch";
type Action = BatchAction | "ReceiveMessage";

/** As errors name it: alone, and with the queue. */
const verbs = {
  SendMessageBatch: ["send", "send to"],
  DeleteMessageBatch: ["delete", "delete from"],
  ChangeMessageVisibilityBatch: ["change visibility", "change visibility in"],
} as const satisfies Record<BatchAction, readonly [string, string]>;

/** An entry of a batch call. */
export interface Entry {
  /** Its members in JSON, but for its id. */
  json: string;
}

interface BatchAnswer {
  Successful?: { Id?: string | undefined; MessageId?: string | undefined }[] | undefined;
  Failed?: BatchResultErrorEntry[] | undefined;
}

export interface SqsCalls {
  /** One result for each entry, in their order; `onDone` gets the id of each message that was sent. */
  batch<E extends Entry>(
    action: BatchAction,
    entries: readonly E[],
    onDone?: (entry: E, messageId: string) => void,
  ): Promise<CallResult[]>;
  /** `json`: the members of the call but for the queue. Nothing when `signal` aborts. */
  receive(json: string, waitMs: number, signal: AbortSignal): Promise<readonly Message[]>;
  depth(): Promise<QueueDepth>;
}

export interface SqsCallsOptions {
  client: SQSClient;
  name: string;
  url: string;
  /** Where the broker listens; undefined: the queue URL's own host. */
  endpoint: string | undefined;
  /** The embedded broker checks no signature. */
  isSigned: boolean;
  clock: Clock;
  breaker: Breaker;
  /** Makes the queues again, if that is allowed. */
  remake: (() => Promise<void>) | undefined;
}

export function createSqsCalls(options: SqsCallsOptions): SqsCalls {
  const { client, url, clock, breaker } = options;
  const post = createPost(options);
  const limited = createLimited(options);
  const callLimit = createTimeLimit(callLimitMs, clock);
  const pollLimit = createTimeLimit(maxPollMs + callLimitMs, clock);
  const queue = `{"QueueUrl":${JSON.stringify(url)}`;

  /** No call to a broker that is away. */
  const guarded = <T>(doing: string, send: Send<T>): Promise<T> =>
    breaker.call(() => limited(doing, callLimit, send), { isAway: isBrokerAway });

  return {
    batch: async (action, entries, onDone) => {
      const [verb, doing] = verbs[action];
      let body = `${queue},"Entries":[`;
      for (const [n, { json }] of entries.entries()) body += `${n > 0 ? "," : ""}{"Id":"${n}",${json}}`;
      const answer = await guarded(doing, (signal) => post<BatchAnswer>(action, `${body}]}`, signal));
      const results: CallResult[] = Array(entries.length);
      for (const { Id, MessageId = "" } of answer.Successful ?? []) {
        const entry = entries[Number(Id)];
        if (!entry) continue;
        results[Number(Id)] = done;
        onDone?.(entry, MessageId);
      }
      for (const { Id, Code = "?", Message = "", SenderFault = false } of answer.Failed ?? []) {
        const error = new TaskError("unavailable", `the broker refused to ${verb}: ${Code} ${Message}`.trim());
        results[Number(Id)] = { kind: "failed", error, isFinal: SenderFault };
      }
      return results;
    },
    receive: async (json, waitMs, signal) => {
      if (signal.aborted) return [];
      const poll: Send<{ Messages?: Message[] }> = (ending) => post("ReceiveMessage", `${queue},${json}}`, ending);
      try {
        const answer = await limited("receive from", waitMs > 0 ? pollLimit : callLimit, poll, signal);
        breaker.answered();
        return answer.Messages ?? [];
      } catch (error) {
        if (signal.aborted) return [];
        throw error;
      }
    },
    depth: async () => {
      const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [visible, inFlight, delayed] });
      const { Attributes = {} } = await guarded("measure", (abortSignal) => client.send(command, { abortSignal }));
      const count = (name: QueueAttributeName): number => Number(Attributes[name] ?? 0);
      return { visible: count(visible), inFlight: count(inFlight), delayed: count(delayed) };
    },
  };
}

const visible = "ApproximateNumberOfMessages";
const inFlight = "ApproximateNumberOfMessagesNotVisible";
const delayed = "ApproximateNumberOfMessagesDelayed";
const done: CallResult = { kind: "done" };

type Send<T> = (signal: AbortSignal) => Promise<T>;

/** Gives what makes one call with its deadline, until `signal` aborts, and throws its error as ours. */
function createLimited({ name, remake }: SqsCallsOptions) {
  return async <T>(
    doing: string,
    limit: ReturnType<typeof createTimeLimit>,
    send: Send<T>,
    signal?: AbortSignal,
  ): Promise<T> => {
    const ending = new AbortController();
    const end = (): void => ending.abort(signal?.reason);
    const stop = limit.start(() => ending.abort(new Error("the broker does not answer")));
    signal?.addEventListener("abort", end);
    try {
      return await send(ending.signal).catch(async (error: unknown) => {
        // A broker that started anew, with nothing, gets its queues again.
        if (!(error instanceof QueueDoesNotExist) || !remake) throw error;
        await remake();
        return send(ending.signal);
      });
    } catch (error) {
      throw failedTo(`${doing} the queue "${name}"`, error);
    } finally {
      stop();
      signal?.removeEventListener("abort", end);
    }
  };
}

type Post = <Answer>(action: Action, body: string, signal: AbortSignal) => Promise<Answer>;

function createPost({ client, url, endpoint, isSigned }: SqsCallsOptions): Post {
  const { hostname, port, pathname, protocol, host, origin } = new URL(endpoint ?? new URL(url).origin);
  const target = origin + pathname;
  const signer = new SignatureV4({
    service: "sqs",
    region: client.config.region,
    credentials: client.config.credentials,
    sha256: client.config.sha256,
  });

  const sign = async (headers: Record<string, string>, body: string): Promise<Record<string, string>> => {
    const request = { method: "POST", protocol, hostname, path: pathname, headers, body };
    return (await signer.sign(port ? { ...request, port: Number(port) } : request)).headers;
  };

  /** The answer of a plain success; undefined when the long way has to be taken. */
  const tryShort = async (action: Action, body: string, signal: AbortSignal): Promise<unknown> => {
    try {
      const plain = { host, "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` };
      const headers = isSigned ? await sign(plain, body) : plain;
      const answer = await fetch(target, { method: "POST", headers, body, signal });
      return answer.ok ? await answer.json() : void (await answer.body?.cancel());
    } catch (error) {
      // An abort or a deadline is the caller's own; everything else is for the SDK's client to try again and to tell.
      if (signal.aborted) throw error;
      return undefined;
    }
  };

  return async <Answer>(action: Action, body: string, signal: AbortSignal) => {
    const answer =
      (await tryShort(action, body, signal)) ?? (await longWays[action](client, body, { abortSignal: signal }));
    // The protocol's JSON has the very field names of the SDK's output, as it has those of its input.
    return answer as Answer;
  };
}

type LongWay = (sdk: SQSClient, json: string, to: { abortSignal: AbortSignal }) => Promise<unknown>;

const longWays: Record<Action, LongWay> = {
  SendMessageBatch: (sdk, json, to) => sdk.send(new SendMessageBatchCommand(JSON.parse(json)), to),
  ReceiveMessage: (sdk, json, to) => sdk.send(new ReceiveMessageCommand(JSON.parse(json)), to),
  DeleteMessageBatch: (sdk, json, to) => sdk.send(new DeleteMessageBatchCommand(JSON.parse(json)), to),
  ChangeMessageVisibilityBatch: (sdk, json, to) =>
    sdk.send(new ChangeMessageVisibilityBatchCommand(JSON.parse(json)), to),
};

/** A broker that finds fault with the call, or with its caller, is there. */
function isBrokerAway(error: unknown): boolean {
  const cause = error instanceof TaskError ? error.cause : error;
  return !(cause instanceof SQSServiceException) || (cause.$metadata.httpStatusCode ?? 500) >= 500;
}

/** An error that comes from the broker, or from the way to it, as ours. */
export function failedTo(doing: string, error: unknown): TaskError {
  if (error instanceof TaskError) return error;
  const reason = error instanceof Error ? error.message || error.name : String(error);
  return new TaskError("unavailable", `could not ${doing}: ${reason}`, { cause: error });
}
