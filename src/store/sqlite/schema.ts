/**
 * The database file of a data folder: its name, its write-ahead log, and its schema, version by version. A newer file than
 * this program knows is refused; an older one is migrated.
 */

import { statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { TaskError } from "../../words/errors.ts";

/** The name of the file; spans show it as `db.namespace`. */
export const databaseFile = "throughline.db";

/**
 * Twice what SQLite's own checkpoints let the write-ahead log grow to: a larger log is truncated. A log grows with each
 * commit while a reader needs what it holds.
 */
export const usualLogBytes = 8 * 1024 * 1024;
/** A log of this size is worth a warning: each read has to search more of it, and it fills the disk. */
export const largeLogBytes = 64 * 1024 * 1024;
/** How often the size of the log is checked. */
export const lookAtLogEveryMs = 5000;

/** The size of the log of the database in this folder; 0 when there is none. */
export function logBytes(folder: string): number {
  try {
    return statSync(join(folder, `${databaseFile}-wal`), { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}

/** Each entry brings the schema from its index to the next version. Never edit one that was released. */
export const migrations: readonly ((table: string) => string)[] = [
  (table) => `
    CREATE TABLE ${table} (
      id TEXT PRIMARY KEY,
      type TEXT NOT NULL,
      status TEXT NOT NULL,
      status_at INTEGER NOT NULL,  -- when the status was entered
      version INTEGER NOT NULL,    -- counts changes of state; numbers the timeline
      payload TEXT NOT NULL,
      metadata TEXT NOT NULL,
      result TEXT,
      error TEXT,
      reason TEXT,
      attempt INTEGER NOT NULL,
      max_attempts INTEGER NOT NULL,
      timeout_ms INTEGER,
      claim INTEGER NOT NULL,      -- the fence: never goes back
      lease_until INTEGER,
      worker TEXT,
      correlation_id TEXT NOT NULL,
      trace_id TEXT NOT NULL,
      origin TEXT NOT NULL,        -- trace context of the creation
      created_at INTEGER NOT NULL,
      run_at INTEGER NOT NULL,
      started_at INTEGER,
      ended_at INTEGER,
      runs_alone INTEGER NOT NULL, -- 1: no other task beside it on its thread
      send_at INTEGER              -- when the sweeper sends it; NULL while the broker has it
    ) STRICT;
    CREATE INDEX ${table}_send_at ON ${table} (send_at) WHERE send_at IS NOT NULL;
    CREATE TABLE ${table}_timeline (
      task_id TEXT NOT NULL,
      version INTEGER NOT NULL,
      at INTEGER NOT NULL,
      from_status TEXT,
      to_status TEXT NOT NULL,
      attempt INTEGER NOT NULL,
      duration_ms INTEGER NOT NULL,
      outcome TEXT,
      error TEXT,
      trace_id TEXT NOT NULL,
      span_id TEXT NOT NULL,
      service TEXT NOT NULL,
      worker TEXT,
      PRIMARY KEY (task_id, version)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ${table}_keys (
      key TEXT PRIMARY KEY,
      digest TEXT NOT NULL,
      task_id TEXT NOT NULL,
      created_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ${table}_unreadable (
      message_id TEXT PRIMARY KEY,
      body TEXT NOT NULL,
      attributes TEXT NOT NULL,
      reason TEXT NOT NULL,
      received_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ${table}_types (
      type TEXT PRIMARY KEY,
      max_attempts INTEGER,
      timeout_ms INTEGER,
      isolation TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
  (table) => `
    ALTER TABLE ${table} ADD COLUMN cancel_requested INTEGER NOT NULL DEFAULT 0; -- 1: no further attempt begins
    ALTER TABLE ${table} ADD COLUMN sent_at INTEGER;         -- when the broker last confirmed a message of it
    ALTER TABLE ${table} ADD COLUMN redrives INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE ${table} ADD COLUMN redriven_at INTEGER;
    ALTER TABLE ${table} ADD COLUMN redrive_origin TEXT;     -- trace context of the newest redrive: sends start from it
    ALTER TABLE ${table} ADD COLUMN redriven_from TEXT;      -- traceparent of the death before it
    UPDATE ${table} SET sent_at = status_at WHERE status IN ('queued', 'retrying') AND send_at IS NULL;
    CREATE INDEX ${table}_waiting ON ${table} (sent_at) WHERE status IN ('queued', 'retrying') AND send_at IS NULL;
    CREATE INDEX ${table}_dead ON ${table} (status_at, id) WHERE status = 'dead';
    CREATE INDEX ${table}_keys_task ON ${table}_keys (task_id);
    CREATE TABLE ${table}_redrives (
      id TEXT PRIMARY KEY,
      status TEXT NOT NULL,
      selection TEXT NOT NULL,
      rate REAL,                   -- tasks a second; NULL: no limit
      is_forced INTEGER NOT NULL,
      reason TEXT NOT NULL,
      matched INTEGER NOT NULL,
      moved INTEGER NOT NULL,
      failed INTEGER NOT NULL,
      step INTEGER NOT NULL,       -- the fence of its steps: never goes back
      cursor TEXT NOT NULL,        -- where the next step begins
      next_at INTEGER NOT NULL,    -- not before this, for the rate
      created_at INTEGER NOT NULL,
      ended_at INTEGER
    ) STRICT, WITHOUT ROWID;
  `,
  (table) => `
    CREATE INDEX ${table}_live ON ${table} (status, run_at)
      WHERE status IN ('scheduled', 'queued', 'running', 'retrying', 'failed');
  `,
  (table) => `
    ALTER TABLE ${table} ADD COLUMN progress REAL;   -- 0 to 1, as its newest attempt has said it last
    ALTER TABLE ${table} ADD COLUMN dead_group TEXT; -- what it died of, as a fingerprint
    DROP INDEX ${table}_live;
    CREATE INDEX ${table}_status ON ${table} (status, id, run_at);
    CREATE INDEX ${table}_type ON ${table} (type, id);
    CREATE INDEX ${table}_correlation ON ${table} (correlation_id, id);
    CREATE INDEX ${table}_groups ON ${table} (dead_group, type, status_at, id) WHERE status = 'dead';
  `,
  (table) => `
    ALTER TABLE ${table}_types ADD COLUMN payload_schema TEXT; -- JSON Schema; NULL: any payload
  `,
  (table) => `
    CREATE TABLE ${table}_schedules (
      id TEXT PRIMARY KEY,
      version INTEGER NOT NULL,    -- the fence of its changes: never goes back
      look_at INTEGER,             -- when something is to be done about it; NULL: never
      body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX ${table}_schedules_look_at ON ${table}_schedules (look_at) WHERE look_at IS NOT NULL;
  `,
  (table) => `
    ALTER TABLE ${table}_redrives ADD COLUMN payload TEXT; -- in place of the task's own; NULL: that stays
    CREATE TABLE ${table}_redriven (
      redrive_id TEXT NOT NULL,
      task_id TEXT NOT NULL,
      moved_at INTEGER NOT NULL,
      PRIMARY KEY (redrive_id, task_id)
    ) STRICT, WITHOUT ROWID;
  `,
  (table) => `
    ALTER TABLE ${table} ADD COLUMN is_timed INTEGER NOT NULL DEFAULT 0; -- 1: run_at was named as a time, not as a delay
    CREATE TABLE ${table}_clock_steps (
      id INTEGER PRIMARY KEY,
      by_ms INTEGER NOT NULL,      -- by how much the wall clock was set, and the times in this file with it
      at INTEGER NOT NULL
    ) STRICT;
  `,
];

/** Brings the open database to the newest schema. */
export function migrate(db: DatabaseSync, table: string): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    const found = Number(db.prepare("PRAGMA user_version").get()?.user_version);
    if (found > migrations.length) {
      throw new TaskError(
        "unavailable",
        `the data folder was written by a newer version (schema ${found}; this program knows ${migrations.length})`,
      );
    }
    for (const migration of migrations.slice(found)) db.exec(migration(table));
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec("COMMIT");
  } catch (error) {
    // After a full disk SQLite has rolled back by itself.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
