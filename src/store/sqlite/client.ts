/**
 * The store port on the role's side of the SQLite thread. Calls made in one turn of the event loop leave as one
 * message; each has a span from the call to the answer, which comes after the commit.
 */

import { type Context, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { type Breaker, createBreaker } from "../../limits/breaker.ts";
import { systemClock } from "../../limits/clock.ts";
import { createAdmission } from "../../limits/concurrency.ts";
import { createTimeLimit } from "../../limits/time-limit.ts";
import { key } from "../../telemetry/names.ts";
import { type PreparedSpan, prepareSpan, type SpanForm } from "../../telemetry/spans/prepared-span.ts";
import { markFailed } from "../../telemetry/spans/tracing.ts";
import { type Batch, createBatchedPost, readBatch } from "../../threads/batched-post.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { type ErrorCode, TaskError, toTaskError } from "../../words/errors.ts";
import type { TaskRecord } from "../../words/task.ts";
import type { Ending } from "../ports/attempts.ts";
import type { Store } from "../ports/store.ts";
import type { CreateResult, WatchedTask } from "../ports/tasks.ts";
import { attemptSql, type ClaimAnswer, toClaimResult } from "./attempts.ts";
import { deadLetterSql } from "./dead-letters.ts";
import { redriveSql } from "./redrives.ts";
import { scheduleSql } from "./schedules.ts";
import { databaseFile } from "./schema.ts";
import { sendSql } from "./sends.ts";
import type { SqliteOperations } from "./sqlite.ts";
import { taskSql } from "./tasks.ts";
import type {
  EntriesCall,
  EntryAnswer,
  Operation,
  OperationCall,
  Refusal,
  StoreAnswer,
  StoreCall,
  StoreQuestion,
  WaitCall,
} from "./thread.ts";
import { timelineSql } from "./timeline.ts";
import { typeSql } from "./types.ts";

interface Pending {
  settle(value: unknown): void;
  fail(error: TaskError): void;
}

/** A call that the store's thread has not answered after this long will not be answered. */
const answerLimitMs = 30_000;

/** Calls without an answer: several seconds of work for the store's thread. */
const maxUnanswered = 10_000;

/**
 * The thread does not answer, or not before another process gives the lock back. A statement or a write that is refused,
 * as with a full disk, leaves all else that can be asked.
 */
class StoreAwayError extends TaskError {}

function toError({ failure, isAway }: Refusal): TaskError {
  const Kind = isAway ? StoreAwayError : TaskError;
  // A failure of the store's thread comes of a `TaskError`.
  return new Kind(failure.type as ErrorCode, failure.message);
}

function isStoreAway(error: unknown): boolean {
  return error instanceof StoreAwayError;
}

function isWait(call: StoreCall): call is WaitCall {
  return call.op === "awaitEnd" || call.op === "awaitChange";
}

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

interface Line {
  /** `over`: the caller of a wait has gone. */
  ask(call: StoreCall, over?: AbortSignal): Promise<unknown>;
  unanswered(): number;
}

/** Calls to the store's thread: bounded, each with a time limit, behind the breaker. */
function createLine(port: MessagePort, breaker: Breaker): Line {
  const admit = createAdmission(maxUnanswered, "calls that wait for the store");
  const pending = new Map<number, Pending>();
  const answerLimit = createTimeLimit(answerLimitMs, systemClock);
  let lastNumber = 0;

  port.onmessage = (event: MessageEvent<Batch>) => {
    for (const { number, answer } of readBatch<StoreAnswer>(event.data)) {
      const caller = pending.get(number);
      pending.delete(number);
      if ("failure" in answer) caller?.fail(toError(answer));
      else caller?.settle(answer.value);
    }
  };

  const post = createBatchedPost<StoreQuestion>((batch) => port.postMessage(batch));

  /** The longest wait is no trial: a ping goes before it. */
  const probe = (): Promise<unknown> => send({ op: "ping", args: [] });

  const ask = (call: StoreCall, over?: AbortSignal): Promise<unknown> => {
    const guard = isWait(call) ? { isAway: isStoreAway, probe } : { isAway: isStoreAway };
    return admit(() => breaker.call(() => (over && isWait(call) ? sendUntil(call, over) : send(call)), guard));
  };

  /** A wait that may end before its time. */
  const sendUntil = async (call: WaitCall, over: AbortSignal): Promise<unknown> => {
    const answered = send(call);
    const number = lastNumber;
    const tellOver = (): void => post({ number: ++lastNumber, call: { op: "waitOver", args: [call.args[0], number] } });
    if (over.aborted) tellOver();
    over.addEventListener("abort", tellOver);
    try {
      return await answered;
    } finally {
      over.removeEventListener("abort", tellOver);
    }
  };

  const startLimit = (call: StoreCall, onOver: (limitMs: number) => void): (() => void) => {
    if (!isWait(call)) return answerLimit.start(() => onOver(answerLimitMs));
    const limitMs = call.args[1] + answerLimitMs;
    const timer = setTimeout(() => onOver(limitMs), limitMs);
    return () => clearTimeout(timer);
  };

  const send = (call: StoreCall): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const number = ++lastNumber;
      const stopLimit = startLimit(call, (limitMs) => {
        pending.delete(number);
        reject(new StoreAwayError("unavailable", `the store did not answer ${call.op} within ${limitMs} ms`));
      });
      pending.set(number, {
        settle: (value) => {
          stopLimit();
          resolve(value);
        },
        fail: (error) => {
          stopLimit();
          reject(error);
        },
      });
      post({ number, call });
    });

  return { ask, unanswered: () => pending.size };
}

export function connectSqlite(options: SqliteClientOptions): Store {
  const { port, tracer, table, breaker = createBreaker({ name: "store", side: "the store" }) } = options;
  const { ask, unanswered } = createLine(port, breaker);
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
    ask({ op, args } as OperationCall) as Promise<ReturnType<SqliteOperations[O]>>;

  /** The same in a span of its own, which shows `statement`; the context comes last, as in the port. */
  const traced =
    <O extends Operation>(op: O, statement: keyof ShownSql) =>
    (...given: [...Parameters<SqliteOperations[O]>, Context]) => {
      const args = given.slice(0, -1) as Parameters<SqliteOperations[O]>;
      // The last one by the type of this function.
      return inSpan(statement, given.at(-1) as Context, () => run(op, ...args));
    };

  /** Many entries with one question; each has a span of its own, in its own context. Never rejects. */
  const askEach = async (
    statement: keyof ShownSql,
    entries: readonly { context: Context }[],
    call: EntriesCall,
  ): Promise<EntryResult<unknown>[]> => {
    if (entries.length === 0) return [];
    const started = entries.map(({ context }) => spans[statement].start(context));
    const results = await answersTo(call);
    for (const [index, { span }] of started.entries()) {
      const result = results[index];
      if (result?.kind === "failed") showError(span, result.error);
      span.end();
    }
    return results;
  };

  const answersTo = async (call: EntriesCall): Promise<EntryResult<unknown>[]> => {
    try {
      // The border of the thread: such a call is answered for each of its entries.
      const answers = (await ask(call)) as EntryAnswer[];
      return answers.map((answer) =>
        "failure" in answer ? { kind: "failed", error: toError(answer) } : { kind: "done", value: answer.value },
      );
    } catch (thrown) {
      const error = toTaskError(thrown);
      return call.entries.map(() => ({ kind: "failed", error }));
    }
  };

  return {
    create: async (creations) => {
      const entries = creations.map(({ task, actor }) => ({ task, actor }));
      // The border of the thread, as everywhere below: the operation of that name gave it.
      return (await askEach("insert", creations, { op: "create", entries })) as EntryResult<CreateResult>[];
    },
    get: traced("get", "select"),
    timeline: traced("timeline", "timeline"),
    listTasks: traced("listTasks", "list"),
    awaitEnd: (id, waitMs, context, over) =>
      // A wait is answered with the task, as `get` is.
      inSpan(
        "select",
        context,
        () => ask({ op: "awaitEnd", args: [id, waitMs] }, over) as Promise<TaskRecord | undefined>,
      ),
    awaitChange: (id, seen, waitMs, context, over) =>
      // Such a wait is answered with what `watch` gives.
      inSpan(
        "select",
        context,
        () => ask({ op: "awaitChange", args: [id, waitMs, seen] }, over) as Promise<WatchedTask | undefined>,
      ),
    claim: async (requests) => {
      const entries = requests.map(({ id, worker, leaseMs, actor, lacksHandler }) => {
        return { id, worker, leaseMs, actor, lacksHandler };
      });
      const results = (await askEach("claim", requests, { op: "claim", entries })) as EntryResult<ClaimAnswer>[];
      return results.map((result, index) => {
        if (result.kind === "failed") return result;
        return { kind: "done", value: toClaimResult(result.value, entries[index]?.id ?? "") };
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
      return (await askEach("finish", requests, { op: "finish", entries })) as EntryResult<Ending["to"] | null>[];
    },
    cancel: traced("cancel", "cancel"),
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
    connections: () => (unanswered() > 0 ? { active: 1, idle: 0, max: 1 } : { active: 0, idle: 1, max: 1 }),
    ping: () => run("ping"),
  };
}

function showError(span: Span, { code, message }: TaskError): void {
  span.setAttribute(key.dbResponseStatusCode, code);
  markFailed(span, { type: code, message });
}
