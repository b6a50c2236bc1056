/**
 * The calls to one DynamoDB table. Owns the client, the deadline of each call, the breaker around it, its CLIENT span,
 * and what its errors mean. A failed condition is an answer, with the current item; it is no failure.
 */

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  BatchGetCommand,
  type BatchGetCommandInput,
  type BatchGetCommandOutput,
  DynamoDBDocumentClient,
  GetCommand,
  type GetCommandInput,
  PutCommand,
  type PutCommandInput,
  QueryCommand,
  type QueryCommandInput,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from "@aws-sdk/lib-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { type Attributes, type Context, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { FetchHttpHandler } from "@smithy/fetch-http-handler";
import type { Connections } from "../../http/health.ts";
import type { Breaker } from "../../limits/breaker.ts";
import { createAdmission, createSemaphore, type Semaphore } from "../../limits/concurrency.ts";
import { key } from "../../telemetry/names.ts";
import { markFailed, startSpan } from "../../telemetry/spans/tracing.ts";
import type { DynamoClock } from "./clock.ts";
import {
  conditionException,
  conditionFailed,
  isConflict,
  nameOf,
  reasonsOf,
  serviceErrorOf,
  toStoreError,
} from "./errors.ts";
import { createFastDynamo, type FastAnswer, type FastOperation } from "./fast-calls.ts";

/** Where the table is. */
export interface DynamoLocation {
  table: string;
  region: string;
  /** undefined: AWS's own in that region. */
  endpoint: string | undefined;
}

/** The context of a call's span; null: it has none. */
export type Caller = Context | null;

/** An item as it is: what it is of, its key tells. */
export type Item = Record<string, unknown>;

export type WriteResult =
  /** The item after the write, if the call asked for it. */
  | { kind: "done"; item: Item | undefined }
  /** The condition was not met: the item as it is; undefined when there is none. */
  | { kind: "refused"; item: Item | undefined };

export type TransactResult =
  | { kind: "done" }
  /** For each part of it, in order, whether its condition was met, and the item if it was not. */
  | { kind: "refused"; parts: { isMet: boolean; item: Item | undefined }[] };

type Input<T> = Omit<T, "TableName" | "ReturnConsumedCapacity">;
export type UpdateInput = Input<UpdateCommandInput>;
export type QueryInput = Input<QueryCommandInput>;
type BatchKeys = Omit<NonNullable<BatchGetCommandInput["RequestItems"]>[string], "Keys">;
export type TransactItems = NonNullable<TransactWriteCommandInput["TransactItems"]>;

export interface DynamoCalls {
  readonly table: string;
  get(input: Input<GetCommandInput>, caller: Caller): Promise<Item | undefined>;
  put(input: Input<PutCommandInput>, caller: Caller): Promise<WriteResult>;
  update(input: UpdateInput, caller: Caller): Promise<WriteResult>;
  /** One page. */
  query(input: QueryInput, caller: Caller): Promise<{ items: Item[]; count: number; next: Item | undefined }>;
  /** Those of the keys that are there, in any order. Any number of keys, each once. */
  batchGet(keys: readonly string[], options: BatchKeys, caller: Caller): Promise<Item[]>;
  transact(items: TransactItems, caller: Caller): Promise<TransactResult>;
  connections(): Connections;
  close(): void;
}

export interface DynamoCallsOptions {
  location: DynamoLocation;
  tracer: Tracer;
  breaker: Breaker;
  clock: DynamoClock;
}

/** No call may take longer, with all that the SDK does to repeat it. */
const callLimitMs = 10_000;
/** Of one call, by the SDK, with its own back-off: throttling and connections that were lost. */
const sdkAttempts = 4;
/** Calls at once: half of what Bun's `fetch` carries for all threads of a process. */
const maxConnections = 128;
const maxUnanswered = 10_000;
/** Another transaction on the same item is over within milliseconds. */
const conflictAttempts = 12;
const conflictPauseMs = 10;
/** DynamoDB, "BatchGetItem". */
const batchSize = 100;
/** Keys that the service left for later, for it had read too much or was throttled. */
const batchAttempts = 8;

interface Answer {
  ConsumedCapacity?: unknown;
  /** A condition was not met. */
  isRefused?: boolean;
  $metadata?: { requestId?: string | undefined };
}

/** The client: also of what makes the table. */
export function createDynamoClient({ region, endpoint }: DynamoLocation): DynamoDBClient {
  return new DynamoDBClient({
    requestHandler: new FetchHttpHandler({ keepAlive: true }),
    region,
    maxAttempts: sdkAttempts,
    ...(endpoint !== undefined && { endpoint }),
  });
}

export function createDynamoCalls(options: DynamoCallsOptions): DynamoCalls {
  const { location, clock } = options;
  const { table } = location;
  const plain = createDynamoClient(location);
  const fast = createFastDynamo(plain, location.endpoint, clock);
  const client = DynamoDBDocumentClient.from(plain, { marshallOptions: { removeUndefinedValues: true } });
  const semaphore = createSemaphore(maxConnections);
  const call = createCall(options, semaphore);
  const common = { TableName: table, ReturnConsumedCapacity: "TOTAL" } as const;

  /** A call on one item, by the short way if that is enough. */
  const callItem = (
    operation: FastOperation,
    caller: Caller,
    input: object,
    sendBySdk: (abortSignal: AbortSignal) => Promise<FastAnswer>,
  ): Promise<WriteResult> =>
    call(
      operation,
      caller,
      async (abortSignal) => (await fast.send(operation, input, abortSignal)) ?? (await sendBySdk(abortSignal)),
      ({ item, isRefused }): WriteResult => ({ kind: isRefused ? "refused" : "done", item }),
      refusedWrite,
    );

  const batchOnce = async (keys: readonly string[], given: BatchKeys, caller: Caller): Promise<Item[]> => {
    const found: Item[] = [];
    let left: BatchGetCommandInput["RequestItems"] = { [table]: { ...given, Keys: keys.map((pk) => ({ pk })) } };
    for (let attempt = 1; left !== undefined && Object.keys(left).length > 0; attempt++) {
      const RequestItems: BatchGetCommandInput["RequestItems"] = left;
      if (attempt > batchAttempts) throw toStoreError(new Error("keys were left unread"), `BatchGetItem in "${table}"`);
      if (attempt > 1) await clock.sleep(Math.random() * conflictPauseMs * 2 ** attempt);
      left = await call<BatchGetCommandOutput, BatchGetCommandInput["RequestItems"]>(
        "BatchGetItem",
        caller,
        (abortSignal) =>
          client.send(new BatchGetCommand({ RequestItems, ReturnConsumedCapacity: "TOTAL" }), { abortSignal }),
        ({ Responses, UnprocessedKeys }) => {
          found.push(...(Responses?.[table] ?? []));
          return UnprocessedKeys;
        },
      );
    }
    return found;
  };

  return {
    table,
    get: async (input, caller) => {
      const all = { ...input, ...common };
      const given = await callItem("GetItem", caller, all, async (abortSignal) => {
        const { Item, ...rest } = await client.send(new GetCommand(all), { abortSignal });
        return { item: Item, isRefused: false, ...rest };
      });
      return given.item;
    },
    put: async (input, caller) => {
      const all = { ...input, ...common, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const;
      const given = await callItem("PutItem", caller, all, async (abortSignal) => {
        const { Attributes: _, ...rest } = await client.send(new PutCommand(all), { abortSignal });
        return { item: undefined, isRefused: false, ...rest };
      });
      return given.kind === "refused" ? given : { kind: "done", item: input.Item };
    },
    update: (input, caller) => {
      const all = { ...input, ...common, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const;
      return callItem("UpdateItem", caller, all, async (abortSignal) => {
        const { Attributes, ...rest } = await client.send(new UpdateCommand(all), { abortSignal });
        return { item: Attributes, isRefused: false, ...rest };
      });
    },
    query: (input, caller) =>
      call(
        "Query",
        caller,
        (abortSignal) => client.send(new QueryCommand({ ...input, ...common }), { abortSignal }),
        ({ Items, Count, LastEvaluatedKey }) => ({ items: Items ?? [], count: Count ?? 0, next: LastEvaluatedKey }),
      ),
    batchGet: async (keys, given, caller) => {
      const batches = Array.from({ length: Math.ceil(keys.length / batchSize) }, (_, n) =>
        keys.slice(n * batchSize, (n + 1) * batchSize),
      );
      return (await Promise.all(batches.map((batch) => batchOnce(batch, given, caller)))).flat();
    },
    transact: (TransactItems, caller) =>
      call<Answer, TransactResult>(
        "TransactWriteItems",
        caller,
        (abortSignal) =>
          client.send(new TransactWriteCommand({ TransactItems, ReturnConsumedCapacity: "TOTAL" }), { abortSignal }),
        () => ({ kind: "done" }),
        refusedTransaction,
      ),
    // The runtime does not report the idle connections that it keeps open.
    connections: () => ({ active: semaphore.active(), idle: 0, max: semaphore.limit }),
    close: () => client.destroy(),
  };
}

/** Sends one call: bounded, with a deadline, behind the breaker, in a span, repeated while another transaction conflicts. */
function createCall({ location, tracer, breaker, clock }: DynamoCallsOptions, semaphore: Semaphore) {
  const { table } = location;
  const admit = createAdmission(maxUnanswered, "calls that wait for the store");
  const spans = showOperations(location);

  /** One call: `answer` of what came back, `refused` of a condition that was not met. */
  const call = async <Out extends Answer, T>(
    operation: Operation,
    caller: Caller,
    send: (abortSignal: AbortSignal) => Promise<Out>,
    answer: (out: Out) => T,
    refused?: (error: unknown) => T | undefined,
  ): Promise<T> => {
    const { name, attributes } = spans[operation];
    const span = caller && startSpan(tracer, name, caller, { kind: SpanKind.CLIENT, attributes }).span;
    try {
      const out = await sendGuarded(operation, send);
      if (span) tellAnswer(span, out);
      return answer(out);
    } catch (error) {
      const status = serviceErrorOf(error);
      if (status) span?.setAttribute(key.dbResponseStatusCode, status);
      const given = refused?.(error);
      if (given !== undefined) return given;
      const failure = toStoreError(error, `${operation} in the table "${table}"`);
      if (span) markFailed(span, { type: failure.code, message: failure.message });
      throw failure;
    } finally {
      span?.end();
    }
  };

  const sendGuarded = <Out>(operation: Operation, send: (abortSignal: AbortSignal) => Promise<Out>): Promise<Out> =>
    admit(() =>
      breaker.call(() => {
        const limit = AbortSignal.timeout(callLimitMs);
        return semaphore.run(async () => {
          for (let attempt = 1; ; attempt++) {
            try {
              // The deadline may have passed while it waited for a connection.
              limit.throwIfAborted();
              return await send(limit);
            } catch (error) {
              if (!isConflict(error) || attempt === conflictAttempts) {
                throw toCallError(error, `${operation} in the table "${table}"`);
              }
            }
            await clock.sleep(Math.random() * conflictPauseMs * attempt);
          }
        });
      }),
    );

  return call;
}

const operations = ["GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem", "TransactWriteItems"] as const;
type Operation = (typeof operations)[number];

function showOperations({ table, region, endpoint }: DynamoLocation) {
  const { hostname, port, protocol } = new URL(endpoint ?? `https://dynamodb.${region}.amazonaws.com`);
  const common: Attributes = {
    [key.dbSystemName]: "aws.dynamodb",
    [key.dbCollectionName]: table,
    [key.dynamoTableNames]: [table],
    [key.cloudRegion]: region,
    [key.serverAddress]: hostname,
    [key.serverPort]: Number(port) || (protocol === "https:" ? 443 : 80),
  };
  const shown = operations.map((name) => [
    name,
    { name: `${name} ${table}`, attributes: { ...common, [key.dbOperationName]: name } },
  ]);
  // The names are those of `operations`.
  return Object.fromEntries(shown) as Record<Operation, { name: string; attributes: Attributes }>;
}

function tellAnswer(span: Span, { ConsumedCapacity: consumed, $metadata, isRefused }: Answer): void {
  if (isRefused) span.setAttribute(key.dbResponseStatusCode, conditionException);
  if (consumed) {
    const all = Array.isArray(consumed) ? consumed : [consumed];
    span.setAttribute(
      key.dynamoConsumedCapacity,
      all.map((one) => JSON.stringify(one)),
    );
  }
  if ($metadata?.requestId) span.setAttribute(key.awsRequestId, $metadata.requestId);
}

/** A failed condition does not mean that the store is away; any other error becomes a store error. */
function toCallError(error: unknown, doing: string): unknown {
  return isRefusal(error) ? error : toStoreError(error, doing);
}

function isRefusal(error: unknown): boolean {
  return nameOf(error) === conditionException || reasonsOf(error).some(({ Code }) => Code === conditionFailed);
}

function refusedWrite(error: unknown): WriteResult | undefined {
  if (!isRefusal(error)) return undefined;
  return { kind: "refused", item: itemOf(error) };
}

function refusedTransaction(error: unknown): TransactResult | undefined {
  if (!isRefusal(error)) return undefined;
  const parts = reasonsOf(error).map((reason) => ({
    isMet: reason.Code !== conditionFailed,
    item: itemOf(reason),
  }));
  return { kind: "refused", parts };
}

/** The document client leaves the items of errors as they came over the wire. */
function itemOf(error: unknown): Item | undefined {
  if (typeof error !== "object" || error === null || !("Item" in error) || !error.Item) return undefined;
  return unmarshall(error.Item as Parameters<typeof unmarshall>[0]);
}

/** `#name` in any of the expressions, as the attribute that it stands for. */
export function namesIn(...expressions: string[]): Record<string, string> {
  const names = expressions.flatMap((text) => text.match(/#\w+/g) ?? []);
  return Object.fromEntries(names.map((name) => [name, name.slice(1)]));
}
