/**
 * The store on SQLite, as it runs inside its own thread: the one writer connection of the process, and every operation
 * on it. Operations take plain values and give plain values; none of them commits, `connection.runBatch` does.
 */

import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createFreeDisk } from "../../host/free-disk.ts";
import { type Clock, systemClock } from "../../limits/clock.ts";
import { onlyValue } from "../../words/entry-result.ts";
import { attemptSql, createAttemptOperations } from "./attempts.ts";
import { clockSql, createStoreClock } from "./clock.ts";
import { openReadOnly, refuseFolder, SqliteConnection, type SqliteLocation, toStoreError } from "./connection.ts";
import { createDeadLetterOperations, deadLetterSql } from "./dead-letters.ts";
import { createRedriveOperations, redriveSql } from "./redrives.ts";
import { createScheduleOperations, scheduleSql } from "./schedules.ts";
import { databaseFile, migrate } from "./schema.ts";
import { createSendOperations, sendSql } from "./sends.ts";
import { createSqliteTable, createTaskOperations, taskSql } from "./tasks.ts";
import { timelineSql } from "./timeline.ts";
import { createTypeOperations, typeSql } from "./types.ts";

type SqliteStore = ReturnType<typeof openSqlite>;

/** What the thread can be asked to do. */
export type SqliteOperations = SqliteStore["operations"];

export function openSqlite(location: SqliteLocation, clock: Clock = systemClock) {
  const connection = new SqliteConnection(location);
  const table = createSqliteTable(connection, location.table);
  const tasks = createTaskOperations(table, createFreeDisk(location.folder, clock));
  const { groupUngrouped, ...deadLetters } = createDeadLetterOperations(table);
  onlyValue(connection.runBatch([groupUngrouped], (group) => group()));
  const operations = {
    ...tasks,
    ...createAttemptOperations(table),
    ...createSendOperations(table),
    ...deadLetters,
    ...createRedriveOperations(table),
    ...createScheduleOperations(table, tasks.create),
    ...createTypeOperations(table),
    ping: (): void => {},
  };
  return { connection, operations, takeChanged: table.takeChanged, clock: createStoreClock(table, clock) };
}

/**
 * Throws the `TaskError` with which a start would refuse the file; for `throughline doctor`. Reads the file from outside
 * of a running system, and changes nothing. A file that does not exist yet is fine.
 */
export function previewOpening({ folder, table }: SqliteLocation): void {
  const path = join(folder, databaseFile);
  if (!existsSync(path)) return;
  refuseFolder(path);
  let file: DatabaseSync | undefined;
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    file = openReadOnly(path);
    previewMigration(file, table);
  } catch (error) {
    throw toStoreError(error);
  } finally {
    file?.close();
  }
}

function allStatements(table: string): string[] {
  const nouns = [taskSql, timelineSql, attemptSql, sendSql, deadLetterSql, redriveSql, scheduleSql, typeSql, clockSql];
  return nouns.flatMap((sqlOf) => Object.values<string>(sqlOf(table)));
}

/** Runs the real migration, on tables in memory that have the file's schema and no rows. */
function previewMigration(file: DatabaseSync, table: string): void {
  const made = file
    .prepare(
      `SELECT sql FROM sqlite_schema WHERE sql NOT LIKE 'CREATE VIRTUAL %' AND substr(name, 1, 7) <> 'sqlite_'
       ORDER BY type = 'table' DESC, rowid`,
    )
    .all();
  const version = Number(file.prepare("PRAGMA user_version").get()?.user_version);
  const copy = new DatabaseSync(":memory:");
  try {
    // `prepare` takes one statement only, whatever a foreign file has as its schema.
    for (const { sql } of made) copy.prepare(String(sql)).run();
    copy.exec(`PRAGMA user_version = ${version}`);
    migrate(copy, table);
    for (const statement of allStatements(table)) copy.prepare(statement);
  } finally {
    copy.close();
  }
}
