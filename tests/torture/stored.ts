/** What stands in the store's file, read beside the processes that write it. */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { fromRow, type TaskRow } from "../../src/store/sqlite/tasks.ts";
import { fromTimelineRow, type TimelineRow } from "../../src/store/sqlite/timeline.ts";
import {
  type DeadReason,
  isEnded,
  type TaskRecord,
  type TaskStatus,
  type TimelineEntry,
} from "../../src/words/task.ts";

/** What the judgement needs of a task. */
export interface StoredTask
  extends Pick<TaskRecord, "id" | "type" | "status" | "payload" | "result" | "error" | "maxAttempts"> {
  reason: DeadReason | null;
  timeline: TimelineEntry[];
}

/** Every task of the data folder with its history. */
export function readStoredTasks(dataDir: string): StoredTask[] {
  return reading(dataDir, (db) => {
    const timelines = new Map<string, TimelineEntry[]>();
    // The columns are those of the STRICT tables that the schema makes; so below.
    const entries = db
      .prepare("SELECT * FROM tasks_timeline ORDER BY task_id, version")
      .all() as unknown as (TimelineRow & {
      task_id: string;
    })[];
    for (const row of entries) {
      const timeline = timelines.get(row.task_id) ?? [];
      timeline.push(fromTimelineRow(row));
      timelines.set(row.task_id, timeline);
    }
    const rows = db.prepare("SELECT * FROM tasks ORDER BY id").all() as unknown as TaskRow[];
    return rows.map((row) => ({ ...fromRow(row), reason: row.reason, timeline: timelines.get(row.id) ?? [] }));
  });
}

/** Ids of tasks that have not ended. */
export function readUnended(dataDir: string): string[] {
  return reading(dataDir, (db) =>
    db
      .prepare("SELECT id, status FROM tasks")
      .all()
      .filter(({ status }) => !isEnded(status as TaskStatus))
      .map(({ id }) => String(id)),
  );
}

function reading<T>(dataDir: string, read: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(dataDir, databaseFile), { timeout: 10_000 });
  try {
    return read(db);
  } finally {
    db.close();
  }
}
