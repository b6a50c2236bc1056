/**
 * Redrives on SQLite: ordered, proposed step by step, committed with the tasks that they move. The rate is kept by the
 * time before which no next step is due, so that it holds for any number of dlq roles together.
 */

import type { TaskStatus } from "../../words/task.ts";
import {
  countsAfter,
  fromRedriveRow,
  maxFollowed,
  nextStepAt,
  type Redrive,
  type RedriveCommand,
  type RedriveCommit,
  type RedriveOrder,
  type RedriveOutcome,
  type RedriveRow,
  type RedriveStep,
  redriveGuard,
  statusAfter,
  stepSize,
  toOutcome,
  toRedriveRow,
} from "../ports/redrives.ts";
import type { DueTask } from "../ports/sends.ts";
import type { Actor } from "../ports/tasks.ts";
import { conditionsOf, deadLetterSql } from "./dead-letters.ts";
import { type SqliteTable, type TaskRow, toDueTask } from "./tasks.ts";

export function redriveSql(table: string) {
  return {
    insertRedrive: `INSERT INTO ${table}_redrives (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    redrive: `SELECT * FROM ${table}_redrives WHERE id = ?`,
    nextRedrive: `SELECT * FROM ${table}_redrives WHERE status = 'running' ORDER BY next_at, id LIMIT 1`,
    controlRedrive: `UPDATE ${table}_redrives SET status = ?, next_at = ?, ended_at = ? WHERE id = ?`,
    stepRedrive: `UPDATE ${table}_redrives SET status = ?, matched = ?, moved = ?, failed = ?, step = step + 1, cursor = ?, next_at = ?, ended_at = ? WHERE id = ?`,
    follow: `INSERT INTO ${table}_redriven (redrive_id, task_id, moved_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
    followed: `SELECT moved_at, status, redriven_at FROM ${table}_redriven JOIN ${table} ON id = task_id WHERE redrive_id = ?`,
    countDead: `SELECT count(*) AS matched, coalesce(sum(redrives >= ?), 0) AS refused FROM ${table} INDEXED BY ${table}_dead WHERE status = 'dead'`,
    revive: `UPDATE ${table} SET status = 'queued', status_at = ?, version = version + 1, attempt = 0, error = NULL, reason = NULL, run_at = ?, ended_at = NULL, send_at = ?, sent_at = NULL, runs_alone = 0, cancel_requested = 0, redrives = redrives + 1, redriven_at = ?, redrive_origin = ?, redriven_from = ?, payload = coalesce(?, payload) WHERE id = ?`,
  };
}

const columns = [
  "id",
  "status",
  "selection",
  "rate",
  "is_forced",
  "reason",
  "matched",
  "moved",
  "failed",
  "step",
  "cursor",
  "next_at",
  "created_at",
  "ended_at",
  "payload",
] as const satisfies readonly (keyof RedriveRow)[];

export function createRedriveOperations(table: SqliteTable) {
  const { db, row: rowOf } = table;
  const sql = redriveSql(table.name);

  const countRedrive = ({ selection, isForced }: RedriveOrder): { matched: number; refused: number } => {
    const guard = isForced ? Number.MAX_SAFE_INTEGER : redriveGuard;
    if (selection.kind === "ids") {
      const found = selection.ids.map((id) => rowOf(id));
      const refused = found.filter((row) => row?.status !== "dead" || row.redrives >= guard).length;
      return { matched: selection.ids.length, refused };
    }
    const fits = conditionsOf(selection);
    const counted = db.get<{ matched: number; refused: number }>(`${sql.countDead}${fits.text}`, guard, ...fits.values);
    return counted ?? { matched: 0, refused: 0 };
  };

  const startRedrive = (order: RedriveOrder, nowMs: number): Redrive => {
    const { matched } = countRedrive(order);
    const row = toRedriveRow(order, matched, nowMs);
    db.run(sql.insertRedrive, ...columns.map((column) => row[column] ?? null));
    return fromRedriveRow(row);
  };

  const getRedrive = (id: string): Redrive | undefined => {
    const row = db.get<RedriveRow>(sql.redrive, id);
    return row && fromRedriveRow(row);
  };

  const redriveOutcome = (id: string): RedriveOutcome =>
    toOutcome(
      db
        .all<{ moved_at: number; status: TaskStatus; redriven_at: number | null }>(sql.followed, id)
        .map(({ moved_at, status, redriven_at }) => ({ movedAtMs: moved_at, status, redrivenAtMs: redriven_at })),
    );

  const controlRedrive = (id: string, command: RedriveCommand, nowMs: number) => {
    const row = db.get<RedriveRow>(sql.redrive, id);
    if (!row) return undefined;
    if (row.ended_at !== null) return { redrive: fromRedriveRow(row), isTaken: false };
    const status = statusAfter[command];
    const endedAt = command === "cancel" ? nowMs : null;
    db.run(sql.controlRedrive, status, Math.max(row.next_at, nowMs), endedAt, id);
    return { redrive: fromRedriveRow({ ...row, status, ended_at: endedAt }), isTaken: true };
  };

  return { countRedrive, startRedrive, getRedrive, redriveOutcome, controlRedrive, ...createRedriveSteps(table) };
}

function createRedriveSteps({ db, name, row: rowOf, note, lastTraceparent }: SqliteTable) {
  const sql = redriveSql(name);
  const { dead } = deadLetterSql(name);

  const proposeRedrive = (limit: number, nowMs: number): RedriveStep | { waitMs: number | null } => {
    const row = db.get<RedriveRow>(sql.nextRedrive);
    if (!row) return { waitMs: null };
    if (row.next_at > nowMs) return { waitMs: row.next_at - nowMs };
    const redrive = fromRedriveRow(row);
    const { rows, refused, cursor, isLast } = nextOf(redrive, row.cursor, stepSize(redrive, limit));
    const guard = redrive.isForced ? Number.MAX_SAFE_INTEGER : redriveGuard;
    const open = rows.filter(({ redrives }) => redrives < guard);
    return {
      redrive,
      number: row.step,
      candidates: open.map((task) => ({
        id: task.id,
        type: task.type,
        correlationId: task.correlation_id,
        origin: JSON.parse(task.origin),
        deathTraceparent: lastTraceparent(task.id),
      })),
      refused: refused + rows.length - open.length,
      cursor,
      isLast,
    };
  };

  /** Oldest death first; a task that dies again after the order is not the order's. */
  const nextOf = ({ selection, createdAtMs }: Redrive, cursor: string, limit: number) => {
    if (selection.kind === "ids") {
      const from = Number(cursor || 0);
      const ids = selection.ids.slice(from, from + limit);
      const rows = ids.map((id) => rowOf(id)).filter((row) => row?.status === "dead" && row.status_at <= createdAtMs);
      const found = rows.filter((row) => row !== undefined);
      const isLast = from + limit >= selection.ids.length;
      return { rows: found, refused: ids.length - found.length, cursor: String(from + ids.length), isLast };
    }
    const fits = conditionsOf(selection);
    fits.and("status_at <= ?", createdAtMs);
    if (cursor) {
      const [diedAt, id] = JSON.parse(cursor);
      fits.and("(status_at, id) > (?, ?)", diedAt, id);
    }
    const rows = db.all<TaskRow>(`${dead}${fits.text} ORDER BY status_at, id LIMIT ?`, ...fits.values, limit);
    const last = rows.at(-1);
    return {
      rows,
      refused: 0,
      cursor: last ? JSON.stringify([last.status_at, last.id]) : cursor,
      isLast: rows.length < limit,
    };
  };

  const commitRedrive = (commit: RedriveCommit): DueTask[] | undefined => {
    const { redriveId, step, moves, nowMs, sendWithinMs } = commit;
    const row = db.get<RedriveRow>(sql.redrive, redriveId);
    if (row?.status !== "running" || row.step !== step.number) return undefined;
    const revived = moves.flatMap(({ id, origin, actor }) => {
      const task = rowOf(id);
      if (task?.status !== "dead" || task.status_at > row.created_at) return [];
      const sendAt = nowMs + sendWithinMs;
      return [revive(task, { origin: JSON.stringify(origin), actor, sendAt, payload: row.payload ?? null })];
    });
    const room = Math.max(0, maxFollowed - row.moved);
    for (const { id } of revived.slice(0, room)) db.run(sql.follow, redriveId, id, nowMs);
    const { matched, moved, failed } = countsAfter(row, commit, revived.length);
    db.run(
      sql.stepRedrive,
      step.isLast ? "completed" : "running",
      matched,
      moved,
      failed,
      step.cursor,
      nextStepAt(row, revived.length, nowMs),
      step.isLast ? nowMs : null,
      redriveId,
    );
    return revived;
  };

  const revive = (row: TaskRow, { origin, actor, sendAt, payload }: Revival): DueTask => {
    const from = lastTraceparent(row.id);
    db.run(sql.revive, actor.atMs, actor.atMs, sendAt, actor.atMs, origin, from, payload, row.id);
    note(row, actor, { to: "queued", attempt: 0 });
    return toDueTask({ ...row, redrive_origin: origin, redriven_at: actor.atMs });
  };

  return { proposeRedrive, commitRedrive };
}

/** What a task comes back with; a payload that is null stays as it is. */
interface Revival {
  origin: string;
  actor: Actor;
  sendAt: number;
  payload: string | null;
}
