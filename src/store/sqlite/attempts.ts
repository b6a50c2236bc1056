/**
 * Attempts on SQLite: claimed, prolonged, finished. None of the operations commits by itself. A claim takes effect under
 * the connection's transaction, and its number is the fence: it never goes back, and an outcome under an old one is refused.
 */

import type { Failure } from "../../words/errors.ts";
import { type DeadReason, isEnded } from "../../words/task.ts";
import {
  abandonedAfterMs,
  type ClaimRequest,
  type ClaimResult,
  type Ending,
  type FinishRequest,
  finishedBefore,
  type HandlerWait,
  type Lease,
  type LeaseState,
  noHandlerError,
  outcomeOf,
  type Progress,
  putOffUntil,
  sendAtAfter,
  withoutFurtherAttempt,
} from "../ports/attempts.ts";
import type { Actor } from "../ports/tasks.ts";
import { endByCancel, enqueue, fromRow, type SqliteTable, type TaskRow } from "./tasks.ts";

export function attemptSql(table: string) {
  return {
    claim: `UPDATE ${table} SET status = 'running', status_at = ?, version = version + 1, attempt = ?, claim = ?, lease_until = ?, worker = ?, started_at = ?, send_at = ?, runs_alone = ?, progress = NULL WHERE id = ?`,
    putOff: `UPDATE ${table} SET send_at = ?, error = iif(status = 'running', error, ?), claim = claim + iif(status = 'running', 0, 1) WHERE id = ?`,
    extend: `UPDATE ${table} SET lease_until = ?, send_at = ? WHERE id = ? AND claim = ? AND status = 'running' RETURNING cancel_requested`,
    finish: `UPDATE ${table} SET status = ?, status_at = ?, version = version + 1, attempt = ?, result = ?, error = ?, reason = ?, run_at = ?, ended_at = ?, send_at = ?, runs_alone = ?, progress = coalesce(?, progress), lease_until = NULL WHERE id = ?`,
    noteProgress: `UPDATE ${table} SET progress = ? WHERE id = ? AND claim = ? AND status = 'running'`,
    fail: `UPDATE ${table} SET status = 'failed', status_at = ?, version = version + 1, error = ?, reason = ?, ended_at = ?, lease_until = NULL WHERE id = ?`,
  };
}

/** Requests as they come to the store's thread. */
type ClaimOrder = Omit<ClaimRequest, "context">;
type FinishOrder = Omit<FinishRequest, "context">;

export function createAttemptOperations(table: SqliteTable) {
  const { db, row: rowOf, note, noteChange, timeline } = table;
  const sql = attemptSql(table.name);

  const extend = (leases: readonly Lease[], leaseMs: number, nowMs: number): LeaseState[] => {
    const until = nowMs + leaseMs;
    return leases.map(({ id, claim }) => {
      const kept = db.get<{ cancel_requested: number }>(sql.extend, until, until + abandonedAfterMs, id, claim);
      if (!kept) return "lost";
      return kept.cancel_requested ? "canceled" : "kept";
    });
  };

  const noteProgress = (reports: readonly Progress[]): void => {
    for (const { id, claim, share } of reports) if (db.run(sql.noteProgress, share, id, claim) > 0) noteChange(id);
  };

  const finish = ({ id, claim: number, ending: asked, actor, progress }: FinishOrder): Ending["to"] | null => {
    const row = rowOf(id);
    if (!row || row.claim !== number) return null;
    if (row.status !== "running") return finishedBefore(timeline(id), asked, actor);
    const ending = row.cancel_requested ? withoutFurtherAttempt(asked) : asked;
    const isOver = ending.to !== "retrying" && ending.to !== "queued";
    db.run(
      sql.finish,
      ending.to,
      actor.atMs,
      ending.to === "queued" ? row.attempt - 1 : row.attempt,
      ending.to === "succeeded" ? ending.result : null,
      "error" in ending && ending.to !== "canceled" ? JSON.stringify(ending.error) : null,
      ending.to === "failed" ? ending.reason : null,
      ending.to === "retrying" ? ending.runAtMs : row.run_at,
      isOver ? actor.atMs : null,
      sendAtAfter(ending, actor.atMs),
      ending.to === "queued" && ending.runsAlone ? 1 : 0,
      progress ?? null,
      id,
    );
    note(row, "running", actor, {
      to: ending.to,
      attempt: row.attempt,
      outcome: outcomeOf(ending),
      error: "error" in ending ? ending.error : null,
      worker: row.worker,
    });
    return ending.to;
  };

  return { claim: createClaim(table), extend, noteProgress, finish };
}

function createClaim(table: SqliteTable): (request: ClaimOrder) => ClaimResult {
  const { db, row: rowOf, note, noteChange, lastTraceparent } = table;
  const sql = attemptSql(table.name);

  const claim = ({ id, worker, leaseMs, actor, lacksHandler }: ClaimOrder): ClaimResult => {
    const row = rowOf(id);
    if (!row) return { kind: "unknown" };
    const { status } = row;
    if (isEnded(status)) return { kind: "ended", status };
    if (status === "failed") return { kind: "failed", reason: row.reason ?? "attempts_exhausted", task: fromRow(row) };
    if (status === "running" && (row.lease_until ?? 0) > actor.atMs) {
      return { kind: "leased", untilMs: row.lease_until ?? actor.atMs };
    }
    if (row.cancel_requested) {
      return { kind: "ended", status: "canceled", task: fromRow(endByCancel(table, row, actor)) };
    }
    // One that is queued was due before: a clock that was set back does not change that.
    const isWaiting = status === "scheduled" || status === "retrying";
    if (isWaiting && row.run_at > actor.atMs) return { kind: "early", untilMs: row.run_at };
    if (row.attempt >= row.max_attempts) return exhaust(row, actor);
    // Due, and received before a sweeper came by.
    const due = status === "scheduled" ? enqueue(table, row, actor) : row;
    return lacksHandler ? putOff(due, lacksHandler, actor) : win(due, worker, leaseMs, actor);
  };

  const win = (row: TaskRow, worker: string, leaseMs: number, actor: Actor): ClaimResult => {
    const leaseUntil = actor.atMs + leaseMs;
    const won = {
      attempt: row.attempt + 1,
      claim: row.claim + 1,
      started_at: row.started_at ?? actor.atMs,
      // The lease ran out: the attempt before this one never reported an outcome, and may have ended its worker.
      runs_alone: row.status === "running" ? 1 : row.runs_alone,
    };
    const sendAt = leaseUntil + abandonedAfterMs;
    const previous = row.attempt > 0 ? lastTraceparent(row.id) : null;
    const values = [actor.atMs, won.attempt, won.claim, leaseUntil, worker, won.started_at, sendAt, won.runs_alone];
    db.run(sql.claim, ...values, row.id);
    const crashed = row.status === "running" ? ({ outcome: "crashed" } as const) : {};
    note(row, row.status, actor, { to: "running", attempt: won.attempt, worker, ...crashed });
    return {
      kind: "won",
      claim: won.claim,
      previous,
      task: fromRow({ ...row, ...won, progress: null, status: "running" }),
    };
  };

  /** The number of the claim is raised, too, so that a send from before is not taken for the next one. */
  const putOff = (row: TaskRow, { limitMs }: HandlerWait, actor: Actor): ClaimResult => {
    const dueMs = row.lease_until ?? row.run_at;
    const error = noHandlerError(row.type);
    if (actor.atMs - dueMs >= limitMs) return fail(row, actor, "no_handler", error);
    const untilMs = putOffUntil(dueMs, actor.atMs);
    db.run(sql.putOff, untilMs, JSON.stringify(error), row.id);
    noteChange(row.id);
    return { kind: "put_off", untilMs };
  };

  /** A task whose last attempt was begun and never reported an outcome. */
  const exhaust = (row: TaskRow, actor: Actor): ClaimResult =>
    fail(row, actor, "never_finished", { type: "never_finished", message: `attempt ${row.attempt} never finished` });

  const fail = (row: TaskRow, actor: Actor, reason: DeadReason, error: Failure): ClaimResult => {
    const failed = { status: "failed", error: JSON.stringify(error), ended_at: actor.atMs } as const;
    db.run(sql.fail, actor.atMs, failed.error, reason, actor.atMs, row.id);
    const crashed = row.status === "running" ? ({ outcome: "crashed" } as const) : {};
    note(row, row.status, actor, { to: "failed", attempt: row.attempt, error, ...crashed });
    return { kind: "failed", reason, task: fromRow({ ...row, ...failed }) };
  };

  return claim;
}
