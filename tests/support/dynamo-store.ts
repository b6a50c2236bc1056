/** Stores on one real DynamoDB Local: each test has a table of its own. */

import { DeleteTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { type Tracer, trace } from "@opentelemetry/api";
import { type Clock, systemClock } from "../../src/limits/clock.ts";
import type { DynamoLocation } from "../../src/store/dynamo/calls.ts";
import { connectDynamo, type DynamoStore, setUpDynamo } from "../../src/store/dynamo/dynamo.ts";
import { startDynamoDb } from "../parts/dynamodb.ts";
import type { TestStore } from "./sqlite-store.ts";

export const awsVariables = { AWS_REGION: "eu-west-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };

export interface DynamoPart extends AsyncDisposable {
  url: string;
  /** A table that nobody else has. */
  makeTable(): Promise<DynamoTableOfTest>;
  open(): Promise<TestStore>;
}

export interface DynamoTableOfTest extends AsyncDisposable {
  location: DynamoLocation;
  client: DynamoDBClient;
  /** `endpoint`, `table`: in place of its own. */
  connect(options?: {
    tracer?: Tracer;
    retentionMs?: number;
    endpoint?: string;
    table?: string;
    clock?: Clock;
  }): DynamoStore;
}

/** The AWS client reads its keys from the process's own environment: set until the end. */
export async function startDynamoPart(): Promise<DynamoPart> {
  const part = await startDynamoDb();
  const before = Object.keys(awsVariables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, awsVariables);
  const makeTable = () => makeTableIn(part.url);
  return {
    url: part.url,
    makeTable,
    open: async () => openStore(await makeTable()),
    [Symbol.asyncDispose]: async () => {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      await part.stop();
    },
  };
}

async function makeTableIn(endpoint: string): Promise<DynamoTableOfTest> {
  const table = `tasks_${crypto.randomUUID().replaceAll("-", "")}`;
  const location: DynamoLocation = { table, region: awsVariables.AWS_REGION, endpoint };
  await setUpDynamo(location);
  const client = new DynamoDBClient({ region: location.region, endpoint });
  const stores: DynamoStore[] = [];
  return {
    location,
    client,
    connect: ({ tracer = trace.getTracer("test"), retentionMs = 0, clock = systemClock, ...elsewhere } = {}) => {
      const store = connectDynamo({ location: { ...location, ...elsewhere }, tracer, retentionMs, clock });
      stores.push(store);
      return store;
    },
    [Symbol.asyncDispose]: async () => {
      for (const store of stores) store.close();
      await client.send(new DeleteTableCommand({ TableName: table }));
      client.destroy();
    },
  };
}

function openStore(table: DynamoTableOfTest): TestStore {
  return {
    store: table.connect(),
    connectOther: async () => table.connect(),
    reopen: async () => table.connect(),
    [Symbol.asyncDispose]: () => table[Symbol.asyncDispose](),
  };
}
