/**
 * The store on DynamoDB: one table, two indexes, any number of processes. Every change is a conditional write of one item;
 * what belongs together beyond that is one transaction.
 */

import type { Tracer } from "@opentelemetry/api";
import { type Breaker, createBreaker } from "../../limits/breaker.ts";
import { type Clock, systemClock } from "../../limits/clock.ts";
import type { Store } from "../ports/store.ts";
import { createDynamoCalls, type DynamoLocation } from "./calls.ts";
import { createDynamoClock } from "./clock.ts";
import { createDeadLetterOperations } from "./dead-letters.ts";
import { createListOperations } from "./list.ts";
import { createRedriveOperations } from "./redrive.ts";
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
