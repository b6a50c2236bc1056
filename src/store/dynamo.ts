/**
 * The store on DynamoDB: one table, two indexes, any number of processes. Every change is a conditional write of one item;
 * what belongs together beyond that is one transaction.
 */

import type { Tracer } from "@opentelemetry/api";
import { type Breaker, createBreaker } from "../breaker.ts";
import { type Clock, systemClock } from "../clock.ts";
import { createDynamoCalls, type DynamoLocation } from "./dynamo-calls.ts";
import { createDynamoClock } from "./dynamo-clock.ts";
import { createDeadLetterOperations } from "./dynamo-dead-letters.ts";
import { createListOperations } from "./dynamo-list.ts";
import { createRedriveOperations } from "./dynamo-redrive.ts";
import { createScheduleOperations } from "./dynamo-schedules.ts";
import { createSendOperations } from "./dynamo-sends.ts";
import { createDynamoTable } from "./dynamo-table.ts";
import { createTaskOperations } from "./dynamo-tasks.ts";
import { createTypeOperations } from "./dynamo-types.ts";
import type { Store } from "./store.ts";

export interface DynamoOptions {
  location: DynamoLocation;
  tracer: Tracer;
  /** How long what has ended is kept; 0: for ever. */
  retentionMs: number;
  /** Around every call; one of its own when nobody watches it. */
  breaker?: Breaker;
  /** The machine's. */
  clock?: Clock;
}

export interface DynamoStore extends Store {
  /** What all who use the table go by. */
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
    ...createSendOperations(table),
    ...createListOperations(table),
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
