/** A task's life on SQLite: created, read, claimed, prolonged, finished, canceled. None of these commits by itself. */

import type { Failure } from "../../words/errors.ts";
import { type DeadReason, isEnded, type TaskRecord, type TimelineEntry } from "../../words/task.ts";
import type {
  ClaimRequest,
  ClaimResult,
  Ending,
  FinishRequest,
  HandlerWait,
  Lease,
  LeaseState,
  Progress,
} from "../ports/attempts.ts";
import {
  abandonedAfterMs,
  finishedBefore,
  noHandlerError,
  outcomeOf,
  putOffUntil,
  sendAtAfter,
  withoutFurtherAttempt,
} from "../ports/attempts.ts";
import type { Actor, CancelResult, CreateResult, NewTask } from "../ports/tasks.ts";
import { isNews, type Seen, type WatchedTask } from "../ports/tasks.ts";
import { fromRow, fromTimelineRow, type TaskRow, type TimelineRow } from "./rows.ts";
import type { SqliteTable } from "./table.ts";

/** `isDiskNearlyFull`: no new task is taken, so that those that were have room to end. */
export function createTaskOperations(table: SqliteTable, isDiskNearlyFull: () => boolean) {
  const { db, sql, row: rowOf, note, noteChange, lastTraceparent } = table;

  const create = (task: NewTask, actor: Actor): CreateResult => {
    if (task.idempotency) {
      const { key, digest } = task.idempotency;
      const known = db.get<{ digest: string; task_id: string }>(sql.key, key);
      if (known) {
        const earlier = rowOf(known.task_id);
        if (known.digest !== digest || !earlier) return { kind: "mismatch" };
        return { kind: "replayed", task: fromRow(earlier) };
      }
    }
    // Not thrown: that would undo the other calls of the batch, and bring each of them a commit of its own.
    if (isDiskNearlyFull()) return { kind: "no_room" };
    if (task.idempotency) {
      db.run(sql.insertKey, task.idempotency.key, task.idempotency.digest, task.id, actor.atMs);
    }
    const row = toNewRow(task, actor);
    db.run(sql.insert, ...Object.values(row));
    note(row, null, actor, { to: task.status, attempt: 0 });
    return { kind: "created", task: fromRow(row) };
  };

  const get = (id: string): TaskRecord | undefined => {
    const row = rowOf(id);
    return row && fromRow(row);
  };

  const timeline = (id: string): TimelineEntry[] => db.all<TimelineRow>(sql.timeline, id).map(fromTimelineRow);

  /** undefined: there is none of that id; null: nothing that was not seen. */
  const watch = (id: string, seen: Seen): WatchedTask | null | undefined => {
    const row = rowOf(id);
    if (!row) return undefined;
    const task = fromRow(row);
    // The row counts its changes of state.
    return isNews(seen, row.version, task) ? { task, timeline: timeline(id), firstNumber: 1 } : null;
  };

  const claim = ({ id, worker, leaseMs, actor, lacksHandler }: ClaimRequest): ClaimResult => {
    const row = rowOf(id);
    if (!row) return { kind: "unknown" };
    const { status } = row;
    if (isEnded(status)) return { kind: "ended", status };
    if (status === "failed") return { kind: "failed", reason: row.reason ?? "attempts_exhausted", task: fromRow(row) };
    if (status === "running" && (row.lease_until ?? 0) > actor.atMs) {
      return { kind: "leased", untilMs: row.lease_until ?? actor.atMs };
    }
    if (row.cancel_requested) return endCanceled(row, actor);
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
      // A lease that ran out: the attempt before this one never told how it ended, and may be what ended its worker.
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

  /** A task whose last attempt was begun and never told how it ended. */
  const exhaust = (row: TaskRow, actor: Actor): ClaimResult =>
    fail(row, actor, "never_finished", { type: "never_finished", message: `attempt ${row.attempt} never finished` });

  const fail = (row: TaskRow, actor: Actor, reason: DeadReason, error: Failure): ClaimResult => {
    const failed = { status: "failed", error: JSON.stringify(error), ended_at: actor.atMs } as const;
    db.run(sql.fail, actor.atMs, failed.error, reason, actor.atMs, row.id);
    const crashed = row.status === "running" ? ({ outcome: "crashed" } as const) : {};
    note(row, row.status, actor, { to: "failed", attempt: row.attempt, error, ...crashed });
    return { kind: "failed", reason, task: fromRow({ ...row, ...failed }) };
  };

  const endCanceled = (row: TaskRow, actor: Actor): ClaimResult => {
    endByCancel(row, actor);
    const task = fromRow({ ...row, status: "canceled", ended_at: actor.atMs });
    return { kind: "ended", status: "canceled", task };
  };

  const endByCancel = (row: TaskRow, actor: Actor): void => {
    db.run(sql.cancel, actor.atMs, actor.atMs, row.id);
    const outcome = row.status === "running" ? ({ outcome: "crashed" } as const) : {};
    note(row, row.status, actor, { to: "canceled", attempt: row.attempt, ...outcome });
  };

  const extend = (leases: readonly Lease[], leaseMs: number, nowMs: number): LeaseState[] => {
    const until = nowMs + leaseMs;
    return leases.map(({ id, claim }) => {
      const kept = db.get<{ cancel_requested: number }>(sql.extend, until, until + abandonedAfterMs, id, claim);
      if (!kept) return "lost";
      return kept.cancel_requested ? "canceled" : "kept";
    });
  };

  const noteProgress = (told: readonly Progress[]): void => {
    for (const { id, claim, share } of told) if (db.run(sql.noteProgress, share, id, claim) > 0) noteChange(id);
  };

  const finish = ({ id, claim: number, ending: asked, actor, progress }: FinishRequest): Ending["to"] | null => {
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

  const cancel = (id: string, actor: Actor): CancelResult => {
    const row = rowOf(id);
    if (!row) return { kind: "unknown" };
    if (isEnded(row.status) || row.status === "failed") return { kind: "moved_on", status: row.status };
    if (row.status === "running") {
      db.run(sql.requestCancel, id);
      return { kind: "requested", task: fromRow(row) };
    }
    endByCancel(row, actor);
    return { kind: "canceled", task: fromRow({ ...row, status: "canceled", ended_at: actor.atMs }) };
  };

  return { create, get, timeline, watch, claim, extend, noteProgress, finish, cancel };
}

/** Moves a scheduled task that is due. */
export function enqueue({ db, sql, note }: SqliteTable, row: TaskRow, actor: Actor): TaskRow {
  db.run(sql.queue, actor.atMs, row.id);
  note(row, row.status, actor, { to: "queued", attempt: row.attempt });
  return { ...row, status: "queued", status_at: actor.atMs, version: row.version + 1 };
}

/** The columns in the order of the table. */
function toNewRow(task: NewTask, actor: Actor): TaskRow {
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    status_at: actor.atMs,
    version: 1,
    payload: task.payload,
    metadata: JSON.stringify(task.metadata),
    result: null,
    error: null,
    reason: null,
    attempt: 0,
    max_attempts: task.maxAttempts,
    timeout_ms: task.timeoutMs,
    claim: 0,
    lease_until: null,
    worker: null,
    correlation_id: task.correlationId,
    trace_id: actor.traceId,
    origin: JSON.stringify(task.origin),
    created_at: actor.atMs,
    run_at: task.runAtMs,
    started_at: null,
    ended_at: null,
    runs_alone: 0,
    send_at: task.sendAtMs,
    cancel_requested: 0,
    sent_at: null,
    redrives: 0,
    redriven_at: null,
    redrive_origin: null,
    redriven_from: null,
    progress: null,
    dead_group: null,
    is_timed: task.isTimed ? 1 : 0,
  };
}
