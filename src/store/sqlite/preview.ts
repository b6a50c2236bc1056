/** The database file seen from outside of a running system, for `throughline doctor`: reads it, and changes nothing. */

import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { refuseFolder, type SqliteLocation, toStoreError } from "./connection.ts";
import { migrate } from "./schema.ts";
import { databaseFile, sqlFor } from "./sql.ts";

/**
 * Without a write-ahead log no process has the file open, and SQLite would make a log only to read
 * (sqlite.org/wal.html, "Read-Only Databases"): `immutable` stops it from that.
 */
export function openReadOnly(path: string): DatabaseSync {
  const url = pathToFileURL(path);
  if (!existsSync(`${path}-wal`)) url.searchParams.set("immutable", "1");
  return new DatabaseSync(url, { readOnly: true });
}

/** Throws the `TaskError` with which a start would refuse the file. A file that does not exist yet is fine. */
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
    for (const statement of Object.values(sqlFor(table))) copy.prepare(statement);
  } finally {
    copy.close();
  }
}
