/**
 * Attempts on SQLite: claimed, prolonged, finished. None of the operations commits by itself. A claim takes effect under
 * the connection's transaction, and its number is the fence: it never goes back, and an outcome under an old one is refused.
 */

import type { Failure } from "../../words/errors.ts";
import { type DeadReason, isEnded, type TaskRecord, type TaskStatus } from "../../words/task.ts";
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
    // Refused unless the task is in the state that is named first, and may be attempted further.
    claim: `UPDATE ${table} SET status = 'running', status_at = ?, version = version + 1, attempt = attempt + 1, claim = claim + 1, lease_until = ?, worker = ?, started_at = coalesce(started_at, ?), send_at = ?, runs_alone = iif(status = 'running', 1, runs_alone), progress = NULL WHERE id = ? AND status = ? AND cancel_requested = 0 AND attempt < max_attempts RETURNING ${wonColumns.join(", ")}`,
    putOff: `UPDATE ${table} SET send_at = ?, error = iif(status = 'running', error, ?), claim = claim + iif(status = 'running', 0, 1) WHERE id = ?`,
    extend: `UPDATE ${table} SET lease_until = ?, send_at = ? WHERE id = ? AND claim = ? AND status = 'running' RETURNING cancel_requested`,
    // Refused unless the claim still runs it, and the ending may follow a cancel if one was requested.
    finish: `UPDATE ${table} SET status = ?, status_at = ?, version = version + 1, attempt = attempt - ?, result = ?, error = ?, reason = ?, run_at = coalesce(?, run_at), ended_at = ?, send_at = ?, runs_alone = ?, progress = coalesce(?, progress), lease_until = NULL WHERE id = ? AND claim = ? AND status = 'running' AND (cancel_requested = 0 OR ?) RETURNING version, attempt, worker`,
    noteProgress: `UPDATE ${table} SET progress = ? WHERE id = ? AND claim = ? AND status = 'running'`,
    fail: `UPDATE ${table} SET status = 'failed', status_at = ?, version = version + 1, error = ?, reason = ?, ended_at = ?, lease_until = NULL WHERE id = ?`,
  };
}

/** Requests as they come to the store's thread. */
type ClaimOrder = Omit<ClaimRequest, "context" | "lacksHandler"> & { lacksHandler?: HandlerWait | undefined };
type FinishOrder = Omit<FinishRequest, "context" | "progress"> & { progress?: number | undefined };

/** The columns of a task that was won, but for those that follow from the claim. */
const wonColumns = [
  "version",
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

type WonRow = Pick<TaskRow, (typeof wonColumns)[number]>;
type EndedRow = Pick<TaskRow, "version" | "attempt" | "worker">;

/** A claim's result as the store's thread gives it. */
export type ClaimAnswer = Exclude<ClaimResult, { kind: "won" }> | { kind: "won"; previous: string | null; row: WonRow };

/** The result of the claim of the task `id`. */
export function toClaimResult(answer: ClaimAnswer, id: string): ClaimResult {
  if (answer.kind !== "won") return answer;
  const { previous, row } = answer;
  const task: TaskRecord = {
    id,
    type: row.type,
    status: "running",
    payload: row.payload,
    result: null,
    error: fromErrorText(row.error),
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    timeoutMs: row.timeout_ms,
    correlationId: row.correlation_id,
    traceId: row.trace_id,
    metadata: JSON.parse(toWellFormedJson(row.metadata)),
    createdAtMs: row.created_at,
    runAtMs: row.run_at,
    startedAtMs: row.started_at,
    endedAtMs: null,
    runsAlone: row.runs_alone === 1,
    redrives: row.redrives,
    redrivenFrom: row.redriven_from,
    progress: null,
  };
  return { kind: "won", claim: row.claim, previous, task };
}

export function createAttemptOperations(table: SqliteTable) {
  const { db, row: rowOf, noteChange, touch, timeline } = table;
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

  const finish = (order: FinishOrder): Ending["to"] | null => {
    const { id, claim: number, ending: asked, actor } = order;
    if (end(order, asked, isOver(asked))) return asked.to;
    const row = rowOf(id);
    if (!row || row.claim !== number) return null;
    if (row.status !== "running") return finishedBefore(timeline(id), asked, actor);
    const ending = withoutFurtherAttempt(asked);
    end(order, ending, true);
    return ending.to;
  };

  /** False when the claim does not run the task, or a cancel was requested that this ending may not follow. */
  const end = (
    { id, claim: number, actor, progress }: FinishOrder,
    ending: Ending,
    mayBeCanceled: boolean,
  ): boolean => {
    const { to } = ending;
    const isInterrupted = to === "queued";
    const error = "error" in ending ? ending.error : null;
    const ended = db.get<EndedRow>(
      sql.finish,
      to,
      actor.atMs,
      isInterrupted ? 1 : 0,
      to === "succeeded" ? ending.result : null,
      error && to !== "canceled" ? JSON.stringify(error) : null,
      to === "failed" ? ending.reason : null,
      to === "retrying" ? ending.runAtMs : null,
      isOver(ending) ? actor.atMs : null,
      sendAtAfter(ending, actor.atMs),
      isInterrupted && ending.runsAlone ? 1 : 0,
      progress ?? null,
      id,
      number,
      mayBeCanceled ? 1 : 0,
    );
    if (!ended) return false;
    noteChange(id, ended.version, null, actor, {
      from: "running",
      to,
      attempt: isInterrupted ? ended.attempt + 1 : ended.attempt,
      outcome: outcomeOf(ending),
      error,
      worker: ended.worker,
    });
    return true;
  };

  return { claim: createClaim(table), extend, noteProgress, finish };
}

function isOver({ to }: Ending): boolean {
  return to !== "retrying" && to !== "queued";
}

/** Most claims are won by the first statement. Any other is decided from the task as it is. */
function createClaim(table: SqliteTable): (order: ClaimOrder) => ClaimAnswer {
  const { db, row: rowOf, note, noteChange, touch, lastTraceparent } = table;
  const sql = attemptSql(table.name);

  // One that is queued was due before: a clock that was set back does not change that.
  const claim = (order: ClaimOrder): ClaimAnswer =>
    (order.lacksHandler ? undefined : win(order, "queued")) ?? decideClaim(order);

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
    return lacksHandler ? putOff(due, lacksHandler, actor) : (win(order, due.status) ?? { kind: "unknown" });
  };

  /** From that state; undefined when the task is in another, or no further attempt may begin. */
  const win = ({ id, worker, leaseMs, actor }: ClaimOrder, from: TaskStatus): ClaimAnswer | undefined => {
    const { atMs } = actor;
    const untilMs = atMs + leaseMs;
    const values = [atMs, untilMs, worker, atMs, untilMs + abandonedAfterMs, id, from];
    const row = db.get<WonRow>(sql.claim, ...values);
    if (!row) return undefined;
    const previous = row.attempt > 1 ? lastTraceparent(id) : null;
    // The lease ran out: the attempt before this one never reported an outcome, and may have ended its worker.
    const outcome = from === "running" ? "crashed" : null;
    noteChange(id, row.version, null, actor, { from, to: "running", attempt: row.attempt, outcome, worker });
    return { kind: "won", previous, row };
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
