/**
 * The store on SQLite, as it runs inside its own thread: the one writer connection of the process, and every operation
 * on it. Operations take plain values and give plain values; none of them commits, `connection.runBatch` does.
 */

import { createFreeDisk } from "../../host/free-disk.ts";
import { type Clock, systemClock } from "../../limits/clock.ts";
import { createStoreClock } from "./clock.ts";
import { SqliteConnection, type SqliteLocation } from "./connection.ts";
import { createDeadLetterOperations } from "./dead-letters.ts";
import { createListOperations } from "./list.ts";
import { createRedriveOperations } from "./redrive.ts";
import { createScheduleOperations } from "./schedules.ts";
import { sqlFor } from "./sql.ts";
import { createSqliteTable } from "./table.ts";
import { createTaskOperations } from "./tasks.ts";
import { createUpkeepOperations } from "./upkeep.ts";

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
