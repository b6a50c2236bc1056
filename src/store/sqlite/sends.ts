/** Sends on SQLite, as the sweeper makes them: what is due, what the broker may have lost, what is removed; and the figures. */

import { isEnded, type LiveStatus, type TaskStatus } from "../../words/task.ts";
import { firstIdAt } from "../../words/task-id.ts";
import type { DueTask, PruneResult, Sent, StoreFigures } from "../ports/sends.ts";
import type { Actor } from "../ports/tasks.ts";
import { enqueue, type SqliteTable, type TaskRow, toDueTask } from "./tasks.ts";

export function sendSql(table: string) {
  // Of several indexes that fit, the one without other tasks is named wherever SQLite might choose another.
  const waiting = "status IN ('queued', 'retrying') AND send_at IS NULL AND sent_at <= ?";
  return {
    markSent: `UPDATE ${table} SET send_at = NULL, sent_at = ? WHERE id = ? AND claim = ? AND status IN ('queued', 'retrying')`,
    due: `SELECT * FROM ${table} WHERE send_at <= ? ORDER BY send_at LIMIT ?`,
    hold: `UPDATE ${table} SET send_at = ? WHERE id = ?`,
    resendAll: `UPDATE ${table} SET send_at = coalesce(lease_until, run_at) WHERE status IN ('scheduled', 'queued', 'running', 'retrying', 'failed')`,
    countWaiting: `SELECT count(*) AS count FROM ${table} INDEXED BY ${table}_waiting WHERE ${waiting}`,
    resendWaiting: `UPDATE ${table} SET send_at = ? WHERE id IN (SELECT id FROM ${table} INDEXED BY ${table}_waiting WHERE ${waiting} ORDER BY sent_at LIMIT ?)`,
    prunable: `SELECT id, status, status_at FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`,
    removeTask: `DELETE FROM ${table} WHERE id = ?`,
    removeTimeline: `DELETE FROM ${table}_timeline WHERE task_id = ?`,
    removeKeys: `DELETE FROM ${table}_keys WHERE task_id = ?`,
    removeUnreadable: `DELETE FROM ${table}_unreadable WHERE received_at < ?`,
    removeFollowed: `DELETE FROM ${table}_redriven WHERE redrive_id IN (SELECT id FROM ${table}_redrives WHERE ended_at < ?)`,
    removeRedrives: `DELETE FROM ${table}_redrives WHERE ended_at < ?`,
    live: `SELECT status, count(*) AS count, min(run_at) AS oldest FROM ${table} WHERE status IN ('scheduled', 'queued', 'running', 'retrying', 'failed') GROUP BY status`,
    oldestDead: `SELECT min(status_at) AS oldest FROM ${table} INDEXED BY ${table}_dead WHERE status = 'dead'`,
  };
}

export function createSendOperations(table: SqliteTable) {
  const { db } = table;
  const sql = sendSql(table.name);

  const markSent = (sent: readonly Sent[], nowMs: number): void => {
    for (const { id, claim } of sent) db.run(sql.markSent, nowMs, id, claim);
  };

  const takeDue = (limit: number, holdMs: number, actor: Actor): DueTask[] => {
    const rows = db.all<TaskRow>(sql.due, actor.atMs, limit);
    for (const row of rows) {
      db.run(sql.hold, actor.atMs + holdMs, row.id);
      if (row.status === "scheduled") enqueue(table, row, actor);
    }
    return rows.map(toDueTask);
  };

  const resendAll = (): void => {
    db.run(sql.resendAll);
  };

  const countWaiting = (sentBeforeMs: number): number =>
    db.get<{ count: number }>(sql.countWaiting, sentBeforeMs)?.count ?? 0;

  const resendWaiting = (sentBeforeMs: number, limit: number, nowMs: number): number =>
    db.run(sql.resendWaiting, nowMs, sentBeforeMs, limit);

  /**
   * Ids begin with the time of creation, so the newest task to examine ends the walk. A dead letter ended with its death,
   * not with the failure: it is stored as long as any, however long the dlq was away.
   */
  const prune = (endedBeforeMs: number, after: string, limit: number): PruneResult => {
    const rows = db.all<{ id: string; status: TaskStatus; status_at: number }>(sql.prunable, after, limit);
    const old = rows.filter(({ id }) => id < firstIdAt(endedBeforeMs));
    const gone = old.filter(({ status, status_at: at }) => isEnded(status) && at < endedBeforeMs);
    for (const { id } of gone) {
      db.run(sql.removeTimeline, id);
      db.run(sql.removeKeys, id);
      db.run(sql.removeTask, id);
    }
    const isOver = rows.length < limit || old.length < rows.length;
    if (isOver) {
      db.run(sql.removeUnreadable, endedBeforeMs);
      db.run(sql.removeFollowed, endedBeforeMs);
      db.run(sql.removeRedrives, endedBeforeMs);
    }
    return { pruned: gone.length, next: isOver ? null : (rows.at(-1)?.id ?? null) };
  };

  const figures = (nowMs: number): StoreFigures => {
    const rows = db.all<{ status: LiveStatus; count: number; oldest: number }>(sql.live);
    const counted = new Map(rows.map(({ status, count }) => [status, count]));
    // Those that retry are due later, as a rule.
    const due = rows.filter(({ status, oldest }) => (status === "queued" || status === "retrying") && oldest <= nowMs);
    return {
      active: {
        scheduled: counted.get("scheduled") ?? 0,
        queued: counted.get("queued") ?? 0,
        running: counted.get("running") ?? 0,
        retrying: counted.get("retrying") ?? 0,
        failed: counted.get("failed") ?? 0,
      },
      oldestDueMs: due.length === 0 ? null : Math.min(...due.map(({ oldest }) => oldest)),
      oldestDeadMs: db.get<{ oldest: number | null }>(sql.oldestDead)?.oldest ?? null,
    };
  };

  return { markSent, takeDue, resendAll, countWaiting, resendWaiting, prune, figures };
}
