/**
 * The store port on the role's side of the SQLite thread. Calls made in one turn of the event loop leave as one
 * message; each has a span from the call to the answer, which comes after the commit.
 */

import { type Attributes, type Context, SpanKind, type Tracer } from "@opentelemetry/api";
import { type ErrorCode, type Failure, TaskError } from "../errors.ts";
import type { TaskRecord, TaskType, TimelineEntry } from "../task.ts";
import { key } from "../telemetry/names.ts";
import { markFailed, startSpan } from "../telemetry/tracing.ts";
import { databaseFile, sqlFor } from "./sqlite-sql.ts";
import type { StoreAnswer, StoreCall, StoreQuestion } from "./sqlite-thread.ts";
import type { ClaimResult, CreateResult, DeathResult, DueTask, Store } from "./store.ts";

interface Pending {
  settle(value: unknown): void;
  fail(failure: Failure): void;
}

/** A call that the store's thread has not answered after this long will not be answered. */
const answerLimitMs = 30_000;

export interface SqliteClientOptions {
  port: MessagePort;
  tracer: Tracer;
  table: string;
}

export function connectSqlite({ port, tracer, table }: SqliteClientOptions): Store {
  const pending = new Map<number, Pending>();
  const sql = sqlFor(table);
  let lastNumber = 0;
  let outgoing: StoreQuestion[] = [];

  port.onmessage = (event: MessageEvent<StoreAnswer[]>) => {
    for (const answer of event.data) {
      const caller = pending.get(answer.number);
      pending.delete(answer.number);
      if ("failure" in answer) caller?.fail(answer.failure);
      else caller?.settle(answer.value);
    }
  };

  const post = (): void => {
    const questions = outgoing;
    outgoing = [];
    port.postMessage(questions);
  };

  /** The border of the thread: what comes back is what `perform` gave for the same operation. */
  const ask = <T>(call: StoreCall): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const number = ++lastNumber;
      const limit = call.op === "awaitEnd" ? call.waitMs + answerLimitMs : answerLimitMs;
      const timer = setTimeout(() => {
        pending.delete(number);
        reject(new TaskError("unavailable", `the store did not answer ${call.op} within ${limit} ms`));
      }, limit);
      pending.set(number, {
        settle: (value) => {
          clearTimeout(timer);
          resolve(value as T);
        },
        fail: (failure) => {
          clearTimeout(timer);
          reject(new TaskError(failure.type as ErrorCode, failure.message));
        },
      });
      outgoing.push({ number, call });
      if (outgoing.length === 1) queueMicrotask(post);
    });

  const attributesOf = (operation: string, queryText: string): Attributes => ({
    [key.dbSystemName]: "sqlite",
    [key.dbOperationName]: operation,
    [key.dbCollectionName]: table,
    [key.dbNamespace]: databaseFile,
    [key.dbQueryText]: queryText,
  });

  const traced = async <T>(operation: string, text: string, context: Context, call: StoreCall): Promise<T> => {
    const attributes = attributesOf(operation, text);
    const { span } = startSpan(tracer, `${operation} ${table}`, context, { kind: SpanKind.CLIENT, attributes });
    try {
      return await ask<T>(call);
    } catch (error) {
      // Only `TaskError`s come out of `ask`.
      const { code, message } = error as TaskError;
      span.setAttribute(key.dbResponseStatusCode, code);
      markFailed(span, { type: code, message });
      throw error;
    } finally {
      span.end();
    }
  };

  /** The span's own ids become those of the timeline entry: the caller's actor is that of its span. */
  return {
    create: (task, actor, context) =>
      traced<CreateResult>("INSERT", sql.insert, context, { op: "create", task, actor }),
    get: (id, context) => traced<TaskRecord | undefined>("SELECT", sql.select, context, { op: "get", id }),
    timeline: (id, context) => traced<TimelineEntry[]>("SELECT", sql.timeline, context, { op: "timeline", id }),
    awaitEnd: (id, waitMs, context) =>
      traced<TaskRecord | undefined>("SELECT", sql.select, context, { op: "awaitEnd", id, waitMs }),
    claim: (request, context) => traced<ClaimResult>("UPDATE", sql.claim, context, { op: "claim", request }),
    extend: (leases, leaseMs, nowMs, context) =>
      traced<string[]>("UPDATE", sql.extend, context, { op: "extend", leases, leaseMs, nowMs }),
    finish: (request, context) => traced<boolean>("UPDATE", sql.finish, context, { op: "finish", request }),
    recordDead: (report, context) => traced<DeathResult>("UPDATE", sql.die, context, { op: "recordDead", report }),
    keepUnreadable: (message, context) =>
      traced<void>("INSERT", sql.keepUnreadable, context, { op: "keepUnreadable", message }),
    markSent: (ids, context) => traced<void>("UPDATE", sql.markSent, context, { op: "markSent", ids }),
    takeDue: (limit, holdMs, actor) => ask<DueTask[]>({ op: "takeDue", limit, holdMs, actor }),
    resendAll: (context) => traced<void>("UPDATE", sql.resendAll, context, { op: "resendAll" }),
    registerTypes: (types, context) =>
      traced<void>("INSERT", sql.registerType, context, { op: "registerTypes", types }),
    listTypes: (context) => traced<TaskType[]>("SELECT", sql.types, context, { op: "listTypes" }),
    ping: () => ask<void>({ op: "ping" }),
  };
}
