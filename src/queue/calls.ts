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
  attributes(names: QueueAttributeName[]): Promise<Partial<Record<QueueAttributeName, string>>>;
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
  const { client, name, url, clock, breaker } = options;
  const post = createPost(options);
  const queue = `{"QueueUrl":${JSON.stringify(url)}`;
  const callLimit = createTimeLimit(callLimitMs, clock);
  const pollLimit = createTimeLimit(maxPollMs + callLimitMs, clock);

  /** One call with its deadline, and its error as ours. */
  const call = async <T>(
    doing: string,
    limit: typeof callLimit,
    send: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> => {
    const ending = new AbortController();
    const end = (): void => ending.abort(signal?.reason);
    const stop = limit.start(() => ending.abort(new Error("the broker does not answer")));
    signal?.addEventListener("abort", end);
    try {
      return await withQueue(() => send(ending.signal));
    } catch (error) {
      throw toQueueError(error, `${doing} the queue "${name}"`);
    } finally {
      stop();
      signal?.removeEventListener("abort", end);
    }
  };

  /** None to a broker that is away. */
  const guarded = <T>(doing: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    breaker.call(() => call(doing, callLimit, send), { isAway: isBrokerAway });

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

  const batch: SqsCalls["batch"] = async (action, entries, onDone) => {
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
  };

  return {
    batch,
    receive: async (json, waitMs, signal) => {
      if (signal.aborted) return [];
      const poll = (ending: AbortSignal) =>
        post<{ Messages?: Message[] }>("ReceiveMessage", `${queue},${json}}`, ending);
      try {
        const answer = await call("receive from", waitMs > 0 ? pollLimit : callLimit, poll, signal);
        breaker.answered();
        return answer.Messages ?? [];
      } catch (error) {
        if (signal.aborted) return [];
        throw error;
      }
    },
    attributes: async (AttributeNames) => {
      const asked = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames });
      return (await guarded("measure", (abortSignal) => client.send(asked, { abortSignal }))).Attributes ?? {};
    },
  };
}

const done: CallResult = { kind: "done" };

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
    const answer = (await tryShort(action, body, signal)) ?? (await longWays[action](client, body, signal));
    // The protocol's JSON has the very field names of the SDK's output, as it has those of its input.
    return answer as Answer;
  };
}

const longWays: Record<Action, (client: SQSClient, body: string, abortSignal: AbortSignal) => Promise<unknown>> = {
  SendMessageBatch: (client, body, abortSignal) =>
    client.send(new SendMessageBatchCommand(JSON.parse(body)), { abortSignal }),
  ReceiveMessage: (client, body, abortSignal) =>
    client.send(new ReceiveMessageCommand(JSON.parse(body)), { abortSignal }),
  DeleteMessageBatch: (client, body, abortSignal) =>
    client.send(new DeleteMessageBatchCommand(JSON.parse(body)), { abortSignal }),
  ChangeMessageVisibilityBatch: (client, body, abortSignal) =>
    client.send(new ChangeMessageVisibilityBatchCommand(JSON.parse(body)), { abortSignal }),
};

/** A broker that finds fault with the call, or with its caller, is there. */
function isBrokerAway(error: unknown): boolean {
  const cause = error instanceof TaskError ? error.cause : error;
  return !(cause instanceof SQSServiceException) || (cause.$metadata.httpStatusCode ?? 500) >= 500;
}

export function toQueueError(error: unknown, doing: string): TaskError {
  if (error instanceof TaskError) return error;
  const reason = error instanceof Error ? error.message || error.name : String(error);
  return new TaskError("unavailable", `could not ${doing}: ${reason}`, { cause: error });
}
