/**
 * The timelines of tasks on SQLite: one row for each change of a task's state. Also remembers which tasks have changed
 * since the last commit, so that callers that wait for a change are woken.
 */

import { type AttemptOutcome, isEnded, type TaskStatus, type TimelineEntry } from "../../words/task.ts";
import { toWellFormedJson } from "../../words/text.ts";
import { toNotedError } from "../ports/attempts.ts";
import type { Actor } from "../ports/tasks.ts";
import type { SqliteConnection } from "./connection.ts";

export function timelineSql(table: string) {
  return {
    note: `INSERT INTO ${table}_timeline (task_id, version, at, from_status, to_status, attempt, duration_ms, outcome, error, trace_id, span_id, service, worker) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    timeline: `SELECT * FROM ${table}_timeline WHERE task_id = ? ORDER BY version`,
    lastNote: `SELECT * FROM ${table}_timeline WHERE task_id = ? ORDER BY version DESC LIMIT 1`,
  };
}

export interface TimelineRow {
  at: number;
  from_status: TaskStatus | null;
  to_status: TaskStatus;
  attempt: number;
  duration_ms: number;
  outcome: AttemptOutcome | null;
  error: string | null;
  trace_id: string;
  span_id: string;
  service: string;
  worker: string | null;
}

export function fromTimelineRow(row: TimelineRow): TimelineEntry {
  return {
    atMs: row.at,
    from: row.from_status,
    to: row.to_status,
    attempt: row.attempt,
    durationMs: row.duration_ms,
    outcome: row.outcome,
    error: row.error === null ? null : toNotedError(JSON.parse(toWellFormedJson(row.error))),
    traceId: row.trace_id,
    spanId: row.span_id,
    service: row.service,
    worker: row.worker,
  };
}

type NotedEntry = Pick<TimelineEntry, "to" | "attempt"> & Partial<Pick<TimelineEntry, "outcome" | "error" | "worker">>;

interface ChangedRow {
  id: string;
  status: TaskStatus;
  status_at: number;
  version: number;
}

export interface Timelines {
  timeline(id: string): TimelineEntry[];
  /** Adds the first entry, of a new task. */
  noteNew(id: string, actor: Actor, to: TaskStatus): void;
  /** Adds a change of state; `row` is the task as it was before. `version` counts the changes, and numbers the entries. */
  note(row: ChangedRow, actor: Actor, entry: NotedEntry): void;
  /** The `traceparent` of the span that made the task's newest change: its attempt, or its death. */
  lastTraceparent(id: string): string;
  /** The task has changed otherwise than in its state. */
  touch(id: string): void;
  /** Tasks that have changed since the last call, and whether they have ended. */
  takeChanged(): Map<string, boolean>;
}

export function createTimelines(db: SqliteConnection, table: string): Timelines {
  const sql = timelineSql(table);
  let changed = new Map<string, boolean>();

  const insert = (row: ChangedRow, from: TaskStatus | null, actor: Actor, entry: NotedEntry): void => {
    changed.set(row.id, isEnded(entry.to));
    db.run(
      sql.note,
      row.id,
      row.version + 1,
      actor.atMs,
      from,
      entry.to,
      entry.attempt,
      Math.max(0, actor.atMs - row.status_at),
      entry.outcome ?? null,
      entry.error ? JSON.stringify(toNotedError(entry.error)) : null,
      actor.traceId,
      actor.spanId,
      actor.service,
      entry.worker ?? null,
    );
  };

  return {
    timeline: (id) => db.all<TimelineRow>(sql.timeline, id).map(fromTimelineRow),
    noteNew: (id, actor, to) =>
      insert({ id, status: to, status_at: actor.atMs, version: 0 }, null, actor, { to, attempt: 0 }),
    note: (row, actor, entry) => insert(row, row.status, actor, entry),
    lastTraceparent: (id) => {
      const last = db.get<TimelineRow>(sql.lastNote, id);
      return `00-${last?.trace_id}-${last?.span_id}-01`;
    },
    touch: (id) => changed.set(id, changed.get(id) ?? false),
    takeChanged: () => {
      const taken = changed;
      changed = new Map();
      return taken;
    },
  };
}
