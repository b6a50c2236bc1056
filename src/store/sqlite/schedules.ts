/** Schedules on SQLite. A change and the task that belongs to it stand in one transaction. */

import { toWellFormedJson } from "../../words/text.ts";
import type { DueSchedules, NewRun, Schedule } from "../ports/schedules.ts";
import type { CreateResult } from "../ports/tasks.ts";
import type { SqliteTable } from "./tasks.ts";

export function scheduleSql(table: string) {
  return {
    insertSchedule: `INSERT INTO ${table}_schedules (id, version, look_at, body) VALUES (?, ?, ?, ?)`,
    schedule: `SELECT version, body FROM ${table}_schedules WHERE id = ?`,
    schedules: `SELECT body FROM ${table}_schedules WHERE id > ? ORDER BY id LIMIT ?`,
    countSchedules: `SELECT count(*) AS count FROM ${table}_schedules`,
    dueSchedules: `SELECT body FROM ${table}_schedules WHERE look_at <= ? ORDER BY look_at LIMIT ?`,
    nextSchedule: `SELECT min(look_at) AS next FROM ${table}_schedules WHERE look_at > ?`,
    changeSchedule: `UPDATE ${table}_schedules SET version = ?, look_at = ?, body = ? WHERE id = ?`,
    deleteSchedule: `DELETE FROM ${table}_schedules WHERE id = ?`,
  };
}

interface ScheduleRow {
  body: string;
}

export function createScheduleOperations({ db, name }: SqliteTable, createTask: (run: NewRun) => CreateResult) {
  const sql = scheduleSql(name);

  const createSchedule = (schedule: Schedule, limit: number): "created" | "exists" | "full" => {
    if (getSchedule(schedule.id)) return "exists";
    if ((db.get<{ count: number }>(sql.countSchedules)?.count ?? 0) >= limit) return "full";
    db.run(sql.insertSchedule, schedule.id, schedule.version, schedule.lookAtMs, JSON.stringify(schedule));
    return "created";
  };

  const getSchedule = (id: string): Schedule | undefined => {
    const row = db.get<ScheduleRow>(sql.schedule, id);
    return row && fromRow(row);
  };

  const listSchedules = (after: string, limit: number): Schedule[] =>
    db.all<ScheduleRow>(sql.schedules, after, limit).map(fromRow);

  const dueSchedules = (limit: number, nowMs: number): DueSchedules => ({
    due: db.all<ScheduleRow>(sql.dueSchedules, nowMs, limit).map(fromRow),
    nextMs: db.get<{ next: number | null }>(sql.nextSchedule, nowMs)?.next ?? null,
  });

  const changeSchedule = (now: Schedule, run: NewRun | null): "changed" | "moved_on" | "no_room" => {
    const found = db.get<{ version: number }>(sql.schedule, now.id);
    if (found?.version !== now.version - 1) return "moved_on";
    // First, for it may be refused.
    if (run && createTask(run).kind === "no_room") return "no_room";
    db.run(sql.changeSchedule, now.version, now.lookAtMs, JSON.stringify(now), now.id);
    return "changed";
  };

  const deleteSchedule = (id: string): boolean => db.run(sql.deleteSchedule, id) > 0;

  return { createSchedule, getSchedule, listSchedules, dueSchedules, changeSchedule, deleteSchedule };
}

/** Only `createSchedule` and `changeSchedule` write bodies. */
function fromRow({ body }: ScheduleRow): Schedule {
  return JSON.parse(toWellFormedJson(body));
}
