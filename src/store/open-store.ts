/** Opens the store that the settings ask for. */

import type { Tracer } from "@opentelemetry/api";
import type { Config } from "../config.ts";
import type { Breaker } from "../limits/breaker.ts";
import { type Clock, systemClock } from "../limits/clock.ts";
import { TaskError } from "../words/errors.ts";
import type { DynamoLocation } from "./dynamo/calls.ts";
import type { Store } from "./ports/store.ts";
import { connectSqlite } from "./sqlite/client.ts";
import { databaseFile } from "./sqlite/sql.ts";

export interface OpenedStore {
  store: Store;
  /** The clock of the times that it keeps. */
  clock: Clock;
  /** What its connections lead to, as their metrics name it. */
  pool: string;
  close(): void;
}

export interface OpenStoreOptions {
  /** A line to the thread of the SQLite file; undefined on any other store. */
  port: MessagePort | undefined;
  tracer: Tracer;
  breaker?: Breaker;
}

export async function openStore(config: Config, options: OpenStoreOptions): Promise<OpenedStore> {
  const { port, tracer, breaker } = options;
  const given = { tracer, ...(breaker && { breaker }) };
  switch (config.store) {
    case "sqlite": {
      if (!port) throw new TaskError("internal", "there is no line to the store's thread");
      const store = connectSqlite({ port, table: config.table, ...given });
      return { store, clock: systemClock, pool: databaseFile, close: () => port.close() };
    }
    case "dynamodb": {
      // Its client is large: only who needs it loads it.
      const { connectDynamo } = await import("./dynamo/dynamo.ts");
      const store = connectDynamo({ location: dynamoLocation(config), retentionMs: config.taskRetention, ...given });
      return { store, clock: store.clock, pool: `dynamodb/${config.table}`, close: () => store.close() };
    }
  }
}

/** Makes what the store needs and does not have yet. */
export async function prepareStore(config: Config): Promise<void> {
  if (config.store !== "dynamodb") return;
  const { setUpDynamo } = await import("./dynamo/setup.ts");
  await setUpDynamo(dynamoLocation(config));
}

/** Whether nothing of that is missing. Rejects when the store cannot be asked. */
export async function isStorePrepared(config: Config): Promise<boolean> {
  if (config.store !== "dynamodb") return true;
  const { isDynamoSetUp } = await import("./dynamo/setup.ts");
  return isDynamoSetUp(dynamoLocation(config));
}

function dynamoLocation({ table, awsRegion = "", storeEndpoint }: Config): DynamoLocation {
  return { table, region: awsRegion, endpoint: storeEndpoint };
}
