/**
 * The store port on the role's side of the SQLite thread. Each call has a span from the call to the answer, which comes
 * after the commit; each entry of a batch has its own.
 */

import { type Context, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { type Breaker, createBreaker } from "../../limits/breaker.ts";
import { key } from "../../telemetry/names.ts";
import { type PreparedSpan, prepareSpan, type SpanForm } from "../../telemetry/spans/prepared-span.ts";
import { markFailed } from "../../telemetry/spans/tracing.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { type TaskError, toTaskError } from "../../words/errors.ts";
import type { TaskRecord } from "../../words/task.ts";
import type { AttemptStore, Ending } from "../ports/attempts.ts";
import type { Store } from "../ports/store.ts";
import type { CreateResult, TaskStore, WatchedTask } from "../ports/tasks.ts";
import { attemptSql, type ClaimAnswer, toClaimResult } from "./attempts.ts";
import { deadLetterSql } from "./dead-letters.ts";
import { createLine } from "./line.ts";
import { redriveSql } from "./redrives.ts";
import { scheduleSql } from "./schedules.ts";
import { databaseFile } from "./schema.ts";
import { sendSql } from "./sends.ts";
import type { SqliteOperations } from "./sqlite.ts";
import { taskSql } from "./tasks.ts";
import type { EntriesCall, Operation, OperationCall } from "./thread.ts";
import { timelineSql } from "./timeline.ts";
import { typeSql } from "./types.ts";

export interface SqliteClientOptions {
  port: MessagePort;
  tracer: Tracer;
  table: string;
  /** Around every call; by default one of its own, without a metric. */
  breaker?: Breaker;
}

/** The statements that stand for the calls in spans. */
function shownSql(table: string) {
  return {
    ...taskSql(table),
    ...timelineSql(table),
    ...attemptSql(table),
    ...sendSql(table),
    ...deadLetterSql(table),
    ...redriveSql(table),
    ...scheduleSql(table),
    ...typeSql(table),
  };
}

type ShownSql = ReturnType<typeof shownSql>;

function prepareSpans(tracer: Tracer, sql: ShownSql): Record<keyof ShownSql, PreparedSpan> {
  const spans = Object.entries(sql).map(([name, text]) => [name, prepareSpan(tracer, showStatement(text))]);
  // The names are those of `sql`.
  return Object.fromEntries(spans) as Record<keyof ShownSql, PreparedSpan>;
}

/** A statement begins with its operation, and names its table next, or behind the first FROM or INTO of any but an UPDATE. */
function showStatement(text: string): SpanForm {
  const [, operation = "", collection = ""] = /^(\w+)(?:(?<!UPDATE).*?\b(?:FROM|INTO))? (\w+)/.exec(text) ?? [];
  return {
    name: `${operation} ${collection}`,
    kind: SpanKind.CLIENT,
    attributes: {
      [key.dbSystemName]: "sqlite",
      [key.dbOperationName]: operation,
      [key.dbCollectionName]: collection,
      [key.dbNamespace]: databaseFile,
      [key.dbQueryText]: text,
    },
  };
}

/** The calls in their spans, of which the port is made. */
function createCalls(options: SqliteClientOptions) {
  const { port, tracer, table, breaker = createBreaker({ name: "store", side: "the store" }) } = options;
  const line = createLine(port, breaker);
  const spans = prepareSpans(tracer, shownSql(table));

  const inSpan = async <T>(statement: keyof ShownSql, context: Context, work: () => Promise<T>): Promise<T> => {
    const { span } = spans[statement].start(context);
    try {
      return await work();
    } catch (error) {
      showError(span, toTaskError(error));
      throw error;
    } finally {
      span.end();
    }
  };

  /** The border of the thread: what comes back is what the operation of that name gave. */
  const run = <O extends Operation>(op: O, ...args: Parameters<SqliteOperations[O]>) =>
    line.ask({ op, args } as OperationCall) as Promise<ReturnType<SqliteOperations[O]>>;

  /** The same in a span of its own, which shows `statement`; the context comes last, as in the port. */
  const traced =
    <O extends Operation>(op: O, statement: keyof ShownSql) =>
    (...given: [...Parameters<SqliteOperations[O]>, Context]) => {
      const args = given.slice(0, -1) as Parameters<SqliteOperations[O]>;
      // The last one by the type of this function.
      return inSpan(statement, given.at(-1) as Context, () => run(op, ...args));
    };

  /** Many entries with one question; each has a span of its own, in its own context. Never rejects. */
  const eachInSpan = async (
    statement: keyof ShownSql,
    entries: readonly { context: Context }[],
    call: EntriesCall,
  ): Promise<EntryResult<unknown>[]> => {
    if (entries.length === 0) return [];
    const started = entries.map(({ context }) => spans[statement].start(context));
    const results = await line.askEach(call);
    for (const [index, { span }] of started.entries()) {
      const result = results[index];
      if (result?.kind === "failed") showError(span, result.error);
      span.end();
    }
    return results;
  };

  return { line, inSpan, run, traced, eachInSpan };
}

type Calls = ReturnType<typeof createCalls>;

export function connectSqlite(options: SqliteClientOptions): Store {
  const calls = createCalls(options);
  const { line, run, traced } = calls;
  return {
    ...taskCalls(calls),
    ...attemptCalls(calls),
    recordDead: traced("recordDead", "die"),
    keepUnreadable: traced("keepUnreadable", "keepUnreadable"),
    listDead: traced("listDead", "dead"),
    deadGroups: traced("deadGroups", "deadGroups"),
    listUnreadable: traced("listUnreadable", "unreadable"),
    discard: traced("discard", "discard"),
    countRedrive: traced("countRedrive", "countDead"),
    startRedrive: traced("startRedrive", "insertRedrive"),
    getRedrive: traced("getRedrive", "redrive"),
    redriveOutcome: traced("redriveOutcome", "followed"),
    controlRedrive: traced("controlRedrive", "controlRedrive"),
    proposeRedrive: (limit, nowMs) => run("proposeRedrive", limit, nowMs),
    commitRedrive: traced("commitRedrive", "revive"),
    markSent: traced("markSent", "markSent"),
    takeDue: (limit, holdMs, actor) => run("takeDue", limit, holdMs, actor),
    resendAll: traced("resendAll", "resendAll"),
    countWaiting: (sentBeforeMs) => run("countWaiting", sentBeforeMs),
    resendWaiting: (sentBeforeMs, limit, nowMs) => run("resendWaiting", sentBeforeMs, limit, nowMs),
    prune: (endedBeforeMs, after, limit) => run("prune", endedBeforeMs, after, limit),
    createSchedule: traced("createSchedule", "insertSchedule"),
    getSchedule: traced("getSchedule", "schedule"),
    listSchedules: traced("listSchedules", "schedules"),
    dueSchedules: (limit, nowMs) => run("dueSchedules", limit, nowMs),
    changeSchedule: traced("changeSchedule", "changeSchedule"),
    deleteSchedule: traced("deleteSchedule", "deleteSchedule"),
    registerTypes: traced("registerTypes", "registerType"),
    listTypes: traced("listTypes", "types"),
    figures: (nowMs) => run("figures", nowMs),
    // The process has one connection, in the store's thread; several roles share it.
    connections: () => (line.unanswered() > 0 ? { active: 1, idle: 0, max: 1 } : { active: 0, idle: 1, max: 1 }),
    ping: () => run("ping"),
  };
}

function taskCalls({ line, inSpan, traced, eachInSpan }: Calls): TaskStore {
  return {
    create: async (creations) => {
      const entries = creations.map(({ task, actor }) => ({ task, actor }));
      // The border of the thread, as everywhere below: the operation of that name gave it.
      return (await eachInSpan("insert", creations, { op: "create", entries })) as EntryResult<CreateResult>[];
    },
    get: traced("get", "select"),
    timeline: traced("timeline", "timeline"),
    listTasks: traced("listTasks", "list"),
    awaitEnd: (id, waitMs, context, over) =>
      // A wait is answered with the task, as `get` is.
      inSpan(
        "select",
        context,
        () => line.ask({ op: "awaitEnd", args: [id, waitMs] }, over) as Promise<TaskRecord | undefined>,
      ),
    awaitChange: (id, seen, waitMs, context, over) =>
      // Such a wait is answered with what `watch` gives.
      inSpan(
        "select",
        context,
        () => line.ask({ op: "awaitChange", args: [id, waitMs, seen] }, over) as Promise<WatchedTask | undefined>,
      ),
    cancel: traced("cancel", "cancel"),
  };
}

function attemptCalls({ traced, eachInSpan }: Calls): AttemptStore {
  return {
    claim: async (requests) => {
      const entries = requests.map(({ id, worker, leaseMs, actor, lacksHandler }) => {
        return { id, worker, leaseMs, actor, lacksHandler };
      });
      const results = (await eachInSpan("claim", requests, { op: "claim", entries })) as EntryResult<ClaimAnswer>[];
      return results.map((result, index) => {
        if (result.kind === "failed") return result;
        // A row that cannot be read is that entry's trouble alone.
        try {
          return { kind: "done", value: toClaimResult(result.value, entries[index]?.id ?? "") };
        } catch (error) {
          return { kind: "failed", error: toTaskError(error) };
        }
      });
    },
    extend: traced("extend", "extend"),
    noteProgress: traced("noteProgress", "noteProgress"),
    finish: async (requests) => {
      const entries = requests.map(({ id, claim, ending, actor, progress }) => ({
        id,
        claim,
        ending,
        actor,
        progress,
      }));
      return (await eachInSpan("finish", requests, { op: "finish", entries })) as EntryResult<Ending["to"] | null>[];
    },
  };
}

function showError(span: Span, { code, message }: TaskError): void {
  span.setAttribute(key.dbResponseStatusCode, code);
  markFailed(span, { type: code, message });
}
