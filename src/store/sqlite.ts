/**
 * The store on SQLite, as it runs inside its own thread: the one writer connection of the process, and every operation
 * on it. Operations take plain values and give plain values; none of them commits, `connection.runBatch` does.
 */

import { type Clock, systemClock } from "../clock.ts";
import { createFreeDisk } from "./free-disk.ts";
import { createStoreClock } from "./sqlite-clock.ts";
import { SqliteConnection, type SqliteLocation } from "./sqlite-connection.ts";
import { createDeadLetterOperations } from "./sqlite-dead-letters.ts";
import { createListOperations } from "./sqlite-list.ts";
import { createRedriveOperations } from "./sqlite-redrive.ts";
import { createScheduleOperations } from "./sqlite-schedules.ts";
import { sqlFor } from "./sqlite-sql.ts";
import { createSqliteTable } from "./sqlite-table.ts";
import { createTaskOperations } from "./sqlite-tasks.ts";
import { createUpkeepOperations } from "./sqlite-upkeep.ts";

export type SqliteStore = ReturnType<typeof openSqlite>;

/** What the thread can be asked to do. */
export type SqliteOperations = SqliteStore["operations"];

export function openSqlite(location: SqliteLocation, clock: Clock = systemClock) {
  const connection = new SqliteConnection(location);
  const table = createSqliteTable(connection, sqlFor(location.table));
  const tasks = createTaskOperations(table, createFreeDisk(location.folder, clock));
  const { groupUngrouped, ...deadLetters } = createDeadLetterOperations(table);
  for (const grouped of connection.runBatch([groupUngrouped])) grouped();
  const operations = {
    ...tasks,
    ...createListOperations(table),
    ...deadLetters,
    ...createRedriveOperations(table),
    ...createScheduleOperations(table, tasks.create),
    ...createUpkeepOperations(table),
  };
  return { connection, operations, takeChanged: table.takeChanged, clock: createStoreClock(table, clock) };
}
