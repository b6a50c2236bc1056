/**
 * Attempts on SQLite: claimed, prolonged, finished. None of the operations commits by itself. A claim takes effect under
 * the connection's transaction, and its number is the fence: it never goes back, and an outcome under an old one is refused.
 */

import type { Failure } from "../../words/errors.ts";
import { type DeadReason, isEnded, type TaskRecord } from "../../words/task.ts";
import { toWellFormedJson } from "../../words/text.ts";
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
import { endByCancel, enqueue, fromErrorText, fromRow, type SqliteTable, type TaskRow } from "./tasks.ts";

export function attemptSql(table: string) {
  return {
    claimable: `SELECT rowid, ${claimableColumns.join(", ")} FROM ${table} WHERE id = ?`,
    claim: `UPDATE ${table} SET status = 'running', status_at = ?, version = version + 1, attempt = ?, claim = ?, lease_until = ?, worker = ?, started_at = ?, send_at = ?, runs_alone = ?, progress = NULL WHERE rowid = ?`,
    putOff: `UPDATE ${table} SET send_at = ?, error = iif(status = 'running', error, ?), claim = claim + iif(status = 'running', 0, 1) WHERE id = ?`,
    extend: `UPDATE ${table} SET lease_until = ?, send_at = ? WHERE id = ? AND claim = ? AND status = 'running' RETURNING cancel_requested`,
    attempted: `SELECT rowid, ${attemptedColumns.join(", ")} FROM ${table} WHERE id = ?`,
    finish: `UPDATE ${table} SET status = ?, status_at = ?, version = version + 1, attempt = ?, result = ?, error = ?, reason = ?, run_at = coalesce(?, run_at), ended_at = ?, send_at = ?, runs_alone = ?, progress = coalesce(?, progress), lease_until = NULL WHERE rowid = ?`,
    noteProgress: `UPDATE ${table} SET progress = ? WHERE id = ? AND claim = ? AND status = 'running'`,
    fail: `UPDATE ${table} SET status = 'failed', status_at = ?, version = version + 1, error = ?, reason = ?, ended_at = ?, lease_until = NULL WHERE id = ?`,
  };
}

/** Requests as they come to the store's thread. */
type ClaimOrder = Omit<ClaimRequest, "context" | "lacksHandler"> & { lacksHandler?: HandlerWait | undefined };
type FinishOrder = Omit<FinishRequest, "context" | "progress"> & { progress?: number | undefined };

/** Of a claim that is won, nothing but the task's result is needed, and what is set anew. */
const claimableColumns = [
  "id",
  "status",
  "status_at",
  "version",
  "cancel_requested",
  "type",
  "payload",
  "metadata",
  "error",
  "attempt",
  "max_attempts",
  "timeout_ms",
  "claim",
  "correlation_id",
  "trace_id",
  "created_at",
  "run_at",
  "started_at",
  "runs_alone",
  "redrives",
  "redriven_from",
] as const satisfies readonly (keyof TaskRow)[];

const attemptedColumns = [
  "id",
  "status",
  "status_at",
  "version",
  "cancel_requested",
  "attempt",
  "claim",
  "worker",
] as const satisfies readonly (keyof TaskRow)[];

/** A part of a row, and its place in the table, by which it is written at the least cost. */
type ClaimableRow = Pick<TaskRow, (typeof claimableColumns)[number]> & { rowid: number };
type AttemptedRow = Pick<TaskRow, (typeof attemptedColumns)[number]> & { rowid: number };

/** A claim's result as the store's thread gives it. What of a won task follows from the claim is not sent. */
export type ClaimAnswer =
  | Exclude<ClaimResult, { kind: "won" }>
  | { kind: "won"; claim: number; previous: string | null; task: WonTask };

/** `metadata` and `error` are JSON texts. */
type WonTask = Omit<TaskRecord, "metadata" | "error" | "id" | "status" | "result" | "endedAtMs" | "progress"> & {
  metadata: string;
  error: string | null;
};

/** The result of the claim of the task `id`. */
export function toClaimResult(answer: ClaimAnswer, id: string): ClaimResult {
  if (answer.kind !== "won") return answer;
  const { claim, previous, task } = answer;
  const error = fromErrorText(task.error);
  const metadata = JSON.parse(toWellFormedJson(task.metadata));
  const set = { id, status: "running", error, metadata, result: null, endedAtMs: null, progress: null } as const;
  return { kind: "won", claim, previous, task: Object.assign(task, set) };
}

/** It waits for nothing, and nothing speaks against a further attempt. One that is queued was due before: a clock that was set back does not change that. */
function isReady(row: ClaimableRow, { actor, lacksHandler }: ClaimOrder): boolean {
  const isDue = row.status === "queued" || (row.status === "retrying" && row.run_at <= actor.atMs);
  return isDue && !row.cancel_requested && row.attempt < row.max_attempts && !lacksHandler;
}

export function createAttemptOperations(table: SqliteTable) {
  const { db, note, touch, timeline } = table;
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
    for (const { id, claim, share } of reports) if (db.run(sql.noteProgress, share, id, claim) > 0) touch(id);
  };

  const finish = ({ id, claim: number, ending: asked, actor, progress }: FinishOrder): Ending["to"] | null => {
    const row = db.get<AttemptedRow>(sql.attempted, id);
    if (!row || row.claim !== number) return null;
    if (row.status !== "running") return finishedBefore(timeline(id), asked, actor);
    const ending = row.cancel_requested ? withoutFurtherAttempt(asked) : asked;
    const { to } = ending;
    const error = "error" in ending ? ending.error : null;
    db.run(
      sql.finish,
      to,
      actor.atMs,
      to === "queued" ? row.attempt - 1 : row.attempt,
      to === "succeeded" ? ending.result : null,
      error && to !== "canceled" ? JSON.stringify(error) : null,
      to === "failed" ? ending.reason : null,
      to === "retrying" ? ending.runAtMs : null,
      to === "retrying" || to === "queued" ? null : actor.atMs,
      sendAtAfter(ending, actor.atMs),
      to === "queued" && ending.runsAlone ? 1 : 0,
      progress ?? null,
      row.rowid,
    );
    note(row, actor, { to, attempt: row.attempt, outcome: outcomeOf(ending), error, worker: row.worker });
    return to;
  };

  return { claim: createClaim(table), extend, noteProgress, finish };
}

/** Most claims are won at once. Any other is decided from the whole task. */
function createClaim(table: SqliteTable): (order: ClaimOrder) => ClaimAnswer {
  const { db, row: rowOf, note, touch, lastTraceparent } = table;
  const sql = attemptSql(table.name);

  const claim = (order: ClaimOrder): ClaimAnswer => {
    const row = db.get<ClaimableRow>(sql.claimable, order.id);
    if (!row) return { kind: "unknown" };
    return isReady(row, order) ? win(row, order) : decideClaim(order);
  };

  const decideClaim = (order: ClaimOrder): ClaimAnswer => {
    const { id, actor, lacksHandler } = order;
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
    const isWaiting = status === "scheduled" || status === "retrying";
    if (isWaiting && row.run_at > actor.atMs) return { kind: "early", untilMs: row.run_at };
    if (row.attempt >= row.max_attempts) return exhaust(row, actor);
    // Due, and received before a sweeper came by.
    const due = status === "scheduled" ? enqueue(table, row, actor) : row;
    if (lacksHandler) return putOff(due, lacksHandler, actor);
    const claimable = db.get<ClaimableRow>(sql.claimable, id);
    return claimable ? win(claimable, order) : { kind: "unknown" };
  };

  const win = (row: ClaimableRow, { id, worker, leaseMs, actor }: ClaimOrder): ClaimAnswer => {
    const { atMs } = actor;
    const untilMs = atMs + leaseMs;
    const [attempt, number, startedAt] = [row.attempt + 1, row.claim + 1, row.started_at ?? atMs];
    // The lease ran out: the attempt before this one never reported an outcome, and may have ended its worker.
    const isLeftBehind = row.status === "running";
    const runsAlone = isLeftBehind ? 1 : row.runs_alone;
    const previous = row.attempt > 0 ? lastTraceparent(id) : null;
    const sendAt = untilMs + abandonedAfterMs;
    db.run(sql.claim, atMs, attempt, number, untilMs, worker, startedAt, sendAt, runsAlone, row.rowid);
    note(row, actor, { to: "running", attempt, worker, outcome: isLeftBehind ? "crashed" : null });
    return {
      kind: "won",
      claim: number,
      previous,
      task: {
        type: row.type,
        payload: row.payload,
        metadata: row.metadata,
        error: row.error,
        attempt,
        maxAttempts: row.max_attempts,
        timeoutMs: row.timeout_ms,
        correlationId: row.correlation_id,
        traceId: row.trace_id,
        createdAtMs: row.created_at,
        runAtMs: row.run_at,
        startedAtMs: startedAt,
        runsAlone: runsAlone === 1,
        redrives: row.redrives,
        redrivenFrom: row.redriven_from,
      },
    };
  };

  /** The number of the claim is raised, too, so that a send from before is not taken for the next one. */
  const putOff = (row: TaskRow, { limitMs }: HandlerWait, actor: Actor): ClaimAnswer => {
    const dueMs = row.lease_until ?? row.run_at;
    const error = noHandlerError(row.type);
    if (actor.atMs - dueMs >= limitMs) return fail(row, actor, "no_handler", error);
    const untilMs = putOffUntil(dueMs, actor.atMs);
    db.run(sql.putOff, untilMs, JSON.stringify(error), row.id);
    touch(row.id);
    return { kind: "put_off", untilMs };
  };

  /** A task whose last attempt was begun and never reported an outcome. */
  const exhaust = (row: TaskRow, actor: Actor): ClaimAnswer =>
    fail(row, actor, "never_finished", { type: "never_finished", message: `attempt ${row.attempt} never finished` });

  const fail = (row: TaskRow, actor: Actor, reason: DeadReason, error: Failure): ClaimAnswer => {
    const failed = { status: "failed", error: JSON.stringify(error), ended_at: actor.atMs } as const;
    db.run(sql.fail, actor.atMs, failed.error, reason, actor.atMs, row.id);
    const crashed = row.status === "running" ? ({ outcome: "crashed" } as const) : {};
    note(row, actor, { to: "failed", attempt: row.attempt, error, ...crashed });
    return { kind: "failed", reason, task: fromRow({ ...row, ...failed }) };
  };

  return claim;
}
