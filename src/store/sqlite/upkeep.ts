/** What the sweeper asks of SQLite: what has to be sent, what the broker may have lost, what may go. */

import { isEnded, type LiveStatus, type TaskStatus, type TaskType } from "../../words/task.ts";
import { firstIdAt } from "../../words/task-id.ts";
import type { DueTask, PruneResult, Sent, StoreFigures } from "../ports/sends.ts";
import type { Actor } from "../ports/tasks.ts";
import { type TaskRow, toDueTask } from "./rows.ts";
import type { SqliteTable } from "./table.ts";
import { enqueue } from "./tasks.ts";

interface TypeRow {
  type: string;
  max_attempts: number | null;
  timeout_ms: number | null;
  isolation: string;
  payload_schema: string | null;
}

export function createUpkeepOperations(table: SqliteTable) {
  const { db, sql } = table;

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
   * Ids begin with the time of creation, so what was made last ends the walk. A dead letter ended with its death, not
   * with the failure: it is kept as long as any, however long the dlq was away.
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

  const registerTypes = (types: readonly TaskType[]): void => {
    for (const { type, maxAttempts, timeoutMs, isolation, payloadSchema } of types) {
      db.run(sql.registerType, type, maxAttempts, timeoutMs, isolation, payloadSchema);
    }
  };

  const listTypes = (): TaskType[] =>
    db
      .all<TypeRow>(sql.types)
      .map(({ type, max_attempts: maxAttempts, timeout_ms: timeoutMs, isolation, payload_schema: payloadSchema }) => ({
        type,
        maxAttempts,
        timeoutMs,
        isolation: isolation === "exclusive" ? "exclusive" : "shared",
        payloadSchema,
      }));

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

  const ping = (): void => {};

  return { markSent, takeDue, resendAll, countWaiting, resendWaiting, prune, registerTypes, listTypes, figures, ping };
}
