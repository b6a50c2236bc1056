/**
 * Tasks on SQLite: created, read, listed, canceled. None of the operations commits by itself: `connection.runBatch` does.
 *
 * An index has each list that is selected by one property alone. Any further property is checked row by row, up to a
 * bound in one step, so that no list blocks the store's thread.
 */

import { type Failure, toKeptFailure } from "../../words/errors.ts";
import { type DeadReason, isEnded, type TaskRecord, type TaskStatus } from "../../words/task.ts";
import { toWellFormedJson } from "../../words/text.ts";
import { idRangeOf, startPage } from "../ports/pages.ts";
import type { DueTask } from "../ports/sends.ts";
import {
  type Actor,
  type CancelResult,
  type CreateResult,
  type Creation,
  isNews,
  type Seen,
  type TaskFilter,
  type TaskPage,
  type WatchedTask,
} from "../ports/tasks.ts";
import type { SqliteConnection } from "./connection.ts";
import { createTimelines, type Timelines } from "./timeline.ts";

type TaskSql = ReturnType<typeof taskSql>;

export function taskSql(table: string) {
  // The conditions, the order and the limit follow. Properties that an index lacks are left to the caller to check.
  const looked = `SELECT id, type, status FROM ${table}`;
  return {
    // All other columns are NULL, or have their default.
    insert: `INSERT INTO ${table} (id, type, status, status_at, version, payload, metadata, attempt, max_attempts, timeout_ms, claim, correlation_id, trace_id, origin, created_at, run_at, runs_alone, send_at, is_timed) VALUES (?, ?, ?, ?, 1, ?, ?, 0, ?, ?, 0, ?, ?, ?, ?, ?, 0, ?, ?)`,
    select: `SELECT * FROM ${table} WHERE id = ?`,
    key: `SELECT digest, task_id FROM ${table}_keys WHERE key = ?`,
    insertKey: `INSERT INTO ${table}_keys (key, digest, task_id, created_at) VALUES (?, ?, ?, ?)`,
    queue: `UPDATE ${table} SET status = 'queued', status_at = ?, version = version + 1 WHERE id = ?`,
    requestCancel: `UPDATE ${table} SET cancel_requested = 1 WHERE id = ?`,
    cancel: `UPDATE ${table} SET status = 'canceled', status_at = ?, version = version + 1, ended_at = ?, lease_until = NULL, send_at = NULL WHERE id = ?`,
    list: `${looked} WHERE true`,
    listByCorrelation: `${looked} INDEXED BY ${table}_correlation WHERE correlation_id = ?`,
    listByStatus: `${looked} INDEXED BY ${table}_status WHERE status = ?`,
    listByType: `${looked} INDEXED BY ${table}_type WHERE type = ?`,
  };
}

export interface TaskRow {
  id: string;
  type: string;
  status: TaskStatus;
  status_at: number;
  version: number;
  payload: string;
  metadata: string;
  result: string | null;
  error: string | null;
  reason: DeadReason | null;
  attempt: number;
  max_attempts: number;
  timeout_ms: number | null;
  claim: number;
  lease_until: number | null;
  worker: string | null;
  correlation_id: string;
  trace_id: string;
  origin: string;
  created_at: number;
  run_at: number;
  started_at: number | null;
  ended_at: number | null;
  runs_alone: number;
  send_at: number | null;
  cancel_requested: number;
  sent_at: number | null;
  redrives: number;
  redriven_at: number | null;
  redrive_origin: string | null;
  redriven_from: string | null;
  progress: number | null;
  dead_group: string | null;
  is_timed: number;
}

export function fromRow(row: TaskRow): TaskRecord {
  return {
    id: row.id,
    type: row.type,
    status: row.status,
    payload: row.payload,
    result: row.result,
    error: fromErrorText(row.error),
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    timeoutMs: row.timeout_ms,
    correlationId: row.correlation_id,
    traceId: row.trace_id,
    metadata: JSON.parse(toWellFormedJson(row.metadata)),
    createdAtMs: row.created_at,
    runAtMs: row.run_at,
    startedAtMs: row.started_at,
    endedAtMs: row.ended_at,
    runsAlone: row.runs_alone === 1,
    redrives: row.redrives,
    redrivenFrom: row.redriven_from,
    progress: row.progress,
  };
}

export function fromErrorText(error: string | null): Failure | null {
  return error === null ? null : toKeptFailure(JSON.parse(toWellFormedJson(error)));
}

/** What a send of the task needs, and starts from. */
export function toDueTask(row: TaskRow): DueTask {
  return {
    id: row.id,
    claim: row.claim,
    type: row.type,
    correlationId: row.correlation_id,
    origin: JSON.parse(row.redrive_origin ?? row.origin),
    redrivenAtMs: row.redriven_at,
  };
}

/** The table of tasks with their timelines, as the operations of every noun use it. */
export interface SqliteTable extends Timelines {
  db: SqliteConnection;
  /** The name of the table of tasks, with which the names of all others begin. */
  name: string;
  /** The statements of tasks. */
  sql: TaskSql;
  row(id: string): TaskRow | undefined;
}

export function createSqliteTable(db: SqliteConnection, name: string): SqliteTable {
  const sql = taskSql(name);
  return { db, name, sql, row: (id) => db.get<TaskRow>(sql.select, id), ...createTimelines(db, name) };
}

/** Moves a scheduled task that is due. */
export function enqueue({ db, sql, note }: SqliteTable, row: TaskRow, actor: Actor): TaskRow {
  db.run(sql.queue, actor.atMs, row.id);
  note(row, actor, { to: "queued", attempt: row.attempt });
  return { ...row, status: "queued", status_at: actor.atMs, version: row.version + 1 };
}

/** Ends a task as canceled. The outcome of a running attempt is unknown: its lease ran out. */
export function endByCancel({ db, sql, note }: SqliteTable, row: TaskRow, actor: Actor): TaskRow {
  db.run(sql.cancel, actor.atMs, actor.atMs, row.id);
  const outcome = row.status === "running" ? ({ outcome: "crashed" } as const) : {};
  note(row, actor, { to: "canceled", attempt: row.attempt, ...outcome });
  return { ...row, status: "canceled", ended_at: actor.atMs };
}

/** Rows that one step examines: some milliseconds of the thread. */
const maxLooked = 1000;

interface LookedRow {
  id: string;
  type: string;
  status: TaskStatus;
}

/** `isDiskNearlyFull`: no new task is accepted, so that those accepted before have room to end. */
export function createTaskOperations(table: SqliteTable, isDiskNearlyFull: () => boolean) {
  const { db, sql, row: rowOf, noteNew, timeline } = table;

  const create = ({ task, actor }: Pick<Creation, "task" | "actor">): CreateResult => {
    if (task.idempotency) {
      const { key, digest } = task.idempotency;
      const known = db.get<{ digest: string; task_id: string }>(sql.key, key);
      if (known) {
        const earlier = rowOf(known.task_id);
        if (known.digest !== digest || !earlier) return { kind: "mismatch" };
        return { kind: "replayed", task: fromRow(earlier) };
      }
    }
    // Not thrown: that would undo the other calls of the batch, and bring each of them a commit of its own.
    if (isDiskNearlyFull()) return { kind: "no_room" };
    if (task.idempotency) {
      db.run(sql.insertKey, task.idempotency.key, task.idempotency.digest, task.id, actor.atMs);
    }
    db.run(
      sql.insert,
      task.id,
      task.type,
      task.status,
      actor.atMs,
      task.payload,
      JSON.stringify(task.metadata),
      task.maxAttempts,
      task.timeoutMs,
      task.correlationId,
      actor.traceId,
      JSON.stringify(task.origin),
      actor.atMs,
      task.runAtMs,
      task.sendAtMs,
      task.isTimed ? 1 : 0,
    );
    noteNew(task.id, actor, task.status);
    return { kind: "created" };
  };

  const get = (id: string): TaskRecord | undefined => {
    const row = rowOf(id);
    return row && fromRow(row);
  };

  /** undefined: there is none of that id; null: nothing that was not seen. */
  const watch = (id: string, seen: Seen): WatchedTask | null | undefined => {
    const row = rowOf(id);
    if (!row) return undefined;
    const task = fromRow(row);
    // The row counts its changes of state.
    return isNews(seen, row.version, task) ? { task, timeline: timeline(id), firstNumber: 1 } : null;
  };

  const cancel = (id: string, actor: Actor): CancelResult => {
    const row = rowOf(id);
    if (!row) return { kind: "unknown" };
    if (isEnded(row.status) || row.status === "failed") return { kind: "moved_on", status: row.status };
    if (row.status === "running") {
      db.run(sql.requestCancel, id);
      return { kind: "requested", task: fromRow(row) };
    }
    return { kind: "canceled", task: fromRow(endByCancel(table, row, actor)) };
  };

  const listTasks = (filter: TaskFilter, limit: number, before: string | null): TaskPage => {
    const { text, values } = lookText(sql, filter);
    const { from, to } = idRangeOf(filter, before);
    const count = values.length < propertiesIn(filter) ? maxLooked : limit + 1;
    const looked = db.all<LookedRow>(text, ...values, from, to, count);
    const page = startPage(filter, limit);
    for (const { id, type, status } of looked) {
      const fits = type === (filter.type ?? type) && status === (filter.status ?? status);
      const row = fits ? rowOf(id) : undefined;
      if (!row) continue;
      if (!page.add({ task: fromRow(row), timeline: timeline(id) })) break;
    }
    return page.end(looked.length < count ? null : (looked.at(-1)?.id ?? null));
  };

  return { create, get, timeline, watch, cancel, listTasks };
}

/** How many properties the filter has beside the time. */
function propertiesIn({ correlationId, status, type }: TaskFilter): number {
  return [correlationId, status, type].filter((value) => value !== undefined).length;
}

/** The statement that reads from the index; its other values are the range of ids and the limit. */
export function lookText(sql: TaskSql, { correlationId, status, type }: TaskFilter) {
  const range = " AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?";
  if (correlationId !== undefined) return { text: sql.listByCorrelation + range, values: [correlationId] };
  if (status !== undefined) return { text: sql.listByStatus + range, values: [status] };
  if (type !== undefined) return { text: sql.listByType + range, values: [type] };
  return { text: sql.list + range, values: [] };
}
