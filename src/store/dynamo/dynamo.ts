/**
 * The store on DynamoDB: one table, two indexes, any number of processes. Every change is a conditional write of one item;
 * changes of several items that belong together are one transaction. Also creates the table, with its indexes and its time
 * to live, when it does not exist yet.
 */

import {
  CreateTableCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type GlobalSecondaryIndex,
  ResourceInUseException,
  ResourceNotFoundException,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb";
import type { Tracer } from "@opentelemetry/api";
import { type Breaker, createBreaker } from "../../limits/breaker.ts";
import { type Clock, systemClock } from "../../limits/clock.ts";
import { TaskError } from "../../words/errors.ts";
import type { Store } from "../ports/store.ts";
import { createAttemptOperations } from "./attempts.ts";
import { createDynamoCalls, createDynamoClient, type DynamoLocation } from "./calls.ts";
import { createDynamoClock } from "./clock.ts";
import { createDeadLetterOperations } from "./dead-letters.ts";
import { toStoreError } from "./errors.ts";
import { indexedAttributes, listedAttributes } from "./item.ts";
import { laneIndex, listIndex } from "./lanes.ts";
import { createRedriveOperations } from "./redrives.ts";
import { createScheduleOperations } from "./schedules.ts";
import { createSendOperations } from "./sends.ts";
import { createDynamoTable } from "./table.ts";
import { createTaskOperations } from "./tasks.ts";
import { createTypeOperations } from "./types.ts";

export interface DynamoOptions {
  location: DynamoLocation;
  tracer: Tracer;
  /** How long what has ended is kept; 0: for ever. */
  retentionMs: number;
  /** Around every call; by default one of its own, without a metric. */
  breaker?: Breaker;
  /** The machine's. */
  clock?: Clock;
}

export interface DynamoStore extends Store {
  /** The clock of every process that uses the table. */
  clock: Clock;
  close(): void;
}

/** Makes no call: a table that is not there shows with the first one. */
export function connectDynamo(options: DynamoOptions): DynamoStore {
  const { location, tracer, retentionMs } = options;
  const { breaker = createBreaker({ name: "store", side: "the store" }) } = options;
  const clock = createDynamoClock(options.clock ?? systemClock);
  const calls = createDynamoCalls({ location, tracer, breaker, clock });
  const table = createDynamoTable(calls, retentionMs);
  return {
    clock,
    ...createTaskOperations(table, clock),
    ...createAttemptOperations(table),
    ...createSendOperations(table),
    ...createDeadLetterOperations(table),
    ...createRedriveOperations(table),
    ...createScheduleOperations(table),
    ...createTypeOperations(table),
    connections: () => calls.connections(),
    ping: async () => {
      await calls.get({ Key: { pk: "types" }, ProjectionExpression: "pk" }, null);
    },
    close: () => calls.close(),
  };
}

const setupLimitMs = 120_000;
const lookEveryMs = 200;

export async function setUpDynamo(location: DynamoLocation, clock: Clock = systemClock): Promise<void> {
  const client = createDynamoClient(location);
  const abortSignal = AbortSignal.timeout(setupLimitMs);
  try {
    await makeTable(client, location.table, abortSignal);
    await untilActive(client, location.table, abortSignal, clock);
    await makeTtl(client, location.table, abortSignal);
  } catch (error) {
    throw toStoreError(error, `make the table "${location.table}"`);
  } finally {
    client.destroy();
  }
}

const lookLimitMs = 5000;

/** Whether the table is there, and of use. Rejects with the client's own error when it cannot be asked. */
export async function isDynamoSetUp(location: DynamoLocation): Promise<boolean> {
  const client = createDynamoClient(location);
  try {
    return (await statusOf(client, location.table, AbortSignal.timeout(lookLimitMs))) === "ACTIVE";
  } finally {
    client.destroy();
  }
}

const keys = ["pk", "lane", "place", "shelf"].map((AttributeName) => ({ AttributeName, AttributeType: "S" as const }));

const laneDefinition = {
  IndexName: laneIndex,
  KeySchema: [
    { AttributeName: "lane", KeyType: "HASH" },
    { AttributeName: "place", KeyType: "RANGE" },
  ],
  Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: [...indexedAttributes] },
} satisfies GlobalSecondaryIndex;

const listDefinition = {
  IndexName: listIndex,
  KeySchema: [
    { AttributeName: "shelf", KeyType: "HASH" },
    { AttributeName: "pk", KeyType: "RANGE" },
  ],
  Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: [...listedAttributes] },
} satisfies GlobalSecondaryIndex;

async function makeTable(client: DynamoDBClient, table: string, abortSignal: AbortSignal): Promise<void> {
  if (await statusOf(client, table, abortSignal)) return;
  const command = new CreateTableCommand({
    TableName: table,
    BillingMode: "PAY_PER_REQUEST",
    AttributeDefinitions: keys,
    KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
    GlobalSecondaryIndexes: [laneDefinition, listDefinition],
  });
  try {
    await client.send(command, { abortSignal });
  } catch (error) {
    // Another process makes it just now.
    if (!(error instanceof ResourceInUseException)) throw error;
  }
}

/** undefined: there is no such table. */
async function statusOf(client: DynamoDBClient, table: string, abortSignal: AbortSignal): Promise<string | undefined> {
  try {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: table }), { abortSignal });
    const indexes = Table?.GlobalSecondaryIndexes ?? [];
    if (!indexes.some(({ IndexName }) => IndexName === laneIndex)) {
      throw new TaskError("unavailable", `the table "${table}" exists and has no index "${laneIndex}": it is not ours`);
    }
    const isActive = indexes.every(({ IndexStatus }) => IndexStatus === "ACTIVE");
    return isActive ? Table?.TableStatus : "CREATING";
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function untilActive(
  client: DynamoDBClient,
  table: string,
  abortSignal: AbortSignal,
  clock: Clock,
): Promise<void> {
  while ((await statusOf(client, table, abortSignal)) !== "ACTIVE") {
    await clock.sleep(lookEveryMs, abortSignal);
    abortSignal.throwIfAborted();
  }
}

async function makeTtl(client: DynamoDBClient, table: string, abortSignal: AbortSignal): Promise<void> {
  const known = await client.send(new DescribeTimeToLiveCommand({ TableName: table }), { abortSignal });
  if (known.TimeToLiveDescription?.TimeToLiveStatus !== "DISABLED") return;
  const TimeToLiveSpecification = { AttributeName: "ttl", Enabled: true };
  try {
    await client.send(new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification }), { abortSignal });
  } catch (error) {
    // Two processes at once: the service takes one change an hour.
    const isDone = error instanceof Error && error.name === "ValidationException";
    if (!isDone) throw error;
  }
}
