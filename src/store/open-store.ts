/**
 * The store that the settings name: opened for a role, prepared before its first use, and read from outside of a running
 * system. Only what the setting needs is loaded.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT_CONTEXT, type Tracer, trace } from "@opentelemetry/api";
import type { Config } from "../config.ts";
import type { Breaker } from "../limits/breaker.ts";
import { type Clock, systemClock } from "../limits/clock.ts";
import { TaskError } from "../words/errors.ts";
import type { DynamoLocation } from "./dynamo/calls.ts";
import type { Store } from "./ports/store.ts";
import type { TaskStore } from "./ports/tasks.ts";
import { connectSqlite } from "./sqlite/client.ts";
import { databaseFile } from "./sqlite/schema.ts";

export type StoreSettings = Pick<
  Config,
  "store" | "dataDir" | "table" | "awsRegion" | "storeEndpoint" | "taskRetention"
>;

export interface OpenedStore {
  store: Store;
  /** The clock of the times that the store keeps. */
  clock: Clock;
  /** The name of the connection pool in the metrics. */
  pool: string;
  close(): void;
}

export interface OpenStoreOptions {
  /** A line to the thread of the SQLite file; undefined on any other store. */
  port: MessagePort | undefined;
  tracer: Tracer;
  breaker?: Breaker;
}

export async function openStore(settings: StoreSettings, options: OpenStoreOptions): Promise<OpenedStore> {
  const { port, tracer, breaker } = options;
  const { table } = settings;
  const given = { tracer, ...(breaker && { breaker }) };
  switch (settings.store) {
    case "sqlite": {
      if (!port) throw new TaskError("internal", "there is no line to the store's thread");
      const store = connectSqlite({ port, table, ...given });
      return { store, clock: systemClock, pool: databaseFile, close: () => port.close() };
    }
    case "dynamodb": {
      // The AWS client is large.
      const { connectDynamo } = await import("./dynamo/dynamo.ts");
      const store = connectDynamo({
        location: dynamoLocation(settings),
        retentionMs: settings.taskRetention,
        ...given,
      });
      return { store, clock: store.clock, pool: `dynamodb/${table}`, close: () => store.close() };
    }
  }
}

/** Creates what the store needs and does not have yet. */
export async function prepareStore(settings: StoreSettings): Promise<void> {
  if (settings.store !== "dynamodb") return;
  const { setUpDynamo } = await import("./dynamo/dynamo.ts");
  await setUpDynamo(dynamoLocation(settings));
}

/** Whether nothing of that is missing. Rejects when the store does not answer. */
export async function isStorePrepared(settings: StoreSettings): Promise<boolean> {
  if (settings.store !== "dynamodb") return true;
  const { isDynamoSetUp } = await import("./dynamo/dynamo.ts");
  return isDynamoSetUp(dynamoLocation(settings));
}

function dynamoLocation({ table, awsRegion = "", storeEndpoint }: StoreSettings): DynamoLocation {
  return { table, region: awsRegion, endpoint: storeEndpoint };
}

/**
 * The task types that have tasks waiting for an attempt, of those that `isOfInterest`: for `throughline doctor`. Changes
 * nothing; rejects when the store does not answer.
 */
export async function findLiveTypes(
  settings: StoreSettings,
  isOfInterest: (type: string) => boolean,
): Promise<string[]> {
  const types = settings.store === "sqlite" ? await liveInFile(settings) : await liveInTable(settings, isOfInterest);
  return types.filter(isOfInterest).sort();
}

const waitingStatuses = ["scheduled", "queued", "retrying"] as const;

async function liveInFile({ dataDir, table }: StoreSettings): Promise<string[]> {
  const path = join(dataDir, databaseFile);
  if (!existsSync(path)) return [];
  const { openReadOnly } = await import("./sqlite/connection.ts");
  const db = openReadOnly(path);
  try {
    const statuses = waitingStatuses.map((status) => `'${status}'`).join(", ");
    const rows = db.prepare(`SELECT DISTINCT type FROM ${table} WHERE status IN (${statuses})`).all();
    return rows.map(({ type }) => String(type));
  } finally {
    db.close();
  }
}

/** On DynamoDB at most so many types are examined: each costs a query for each waiting state. */
const maxExaminedTypes = 50;

async function liveInTable(settings: StoreSettings, isOfInterest: (type: string) => boolean): Promise<string[]> {
  const { store, close } = await openStore(settings, { port: undefined, tracer: trace.getTracer("doctor") });
  try {
    const types = (await store.listTypes(ROOT_CONTEXT)).map(({ type }) => type).filter(isOfInterest);
    const examined = types.slice(0, maxExaminedTypes);
    const waiting = await Promise.all(examined.map((type) => hasWaitingTask(store, type)));
    return examined.filter((_, index) => waiting[index]);
  } finally {
    close();
  }
}

async function hasWaitingTask(store: TaskStore, type: string): Promise<boolean> {
  const queries = waitingStatuses.map((status) => store.listTasks({ type, status }, 1, null, ROOT_CONTEXT));
  return (await Promise.all(queries)).some(({ tasks }) => tasks.length > 0);
}
