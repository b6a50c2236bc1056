/** One task's row and the notes of its history: what every operation on SQLite reads and writes. */

import { isEnded, type TaskStatus, type TimelineEntry } from "../../words/task.ts";
import { toNotedError } from "../ports/attempts.ts";
import type { Actor } from "../ports/tasks.ts";
import type { SqliteConnection } from "./connection.ts";
import type { TaskRow, TimelineRow } from "./rows.ts";
import type { TaskSql } from "./sql.ts";

type NotedEntry = Pick<TimelineEntry, "to" | "attempt"> & Partial<Pick<TimelineEntry, "outcome" | "error" | "worker">>;

export interface SqliteTable {
  db: SqliteConnection;
  sql: TaskSql;
  row(id: string): TaskRow | undefined;
  /** Writes a change of state into the timeline; `row` is the task as it was before. */
  note(row: TaskRow, from: TaskStatus | null, actor: Actor, entry: NotedEntry): void;
  /**
   * The `traceparent` of the span that made the task's newest change: its attempt, or its death. Asked of tasks that
   * failed, whose traces are kept.
   */
  lastTraceparent(id: string): string;
  /** The task has changed otherwise than in its state. */
  noteChange(id: string): void;
  /** Tasks that have changed since this was asked last, and whether they have ended: somebody may wait for that. */
  takeChanged(): Map<string, boolean>;
}

export function createSqliteTable(db: SqliteConnection, sql: TaskSql): SqliteTable {
  let changed = new Map<string, boolean>();
  return {
    db,
    sql,
    row: (id) => db.get<TaskRow>(sql.select, id),
    note: (row, from, actor, entry) => {
      changed.set(row.id, isEnded(entry.to));
      db.run(
        sql.note,
        row.id,
        from === null ? row.version : row.version + 1,
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
    },
    lastTraceparent: (id) => {
      const last = db.get<TimelineRow>(sql.lastNote, id);
      return `00-${last?.trace_id}-${last?.span_id}-01`;
    },
    noteChange: (id) => changed.set(id, changed.get(id) ?? false),
    takeChanged: () => {
      const taken = changed;
      changed = new Map();
      return taken;
    },
  };
}
