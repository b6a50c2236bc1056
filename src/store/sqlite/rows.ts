/** Rows of the SQLite tables, and how they become the words of `task.ts`. */

import { toKeptFailure } from "../../words/errors.ts";
import type { AttemptOutcome, DeadReason, TaskRecord, TaskStatus, TimelineEntry } from "../../words/task.ts";
import { toWellFormedJson } from "../../words/text.ts";
import { toNotedError } from "../ports/attempts.ts";
import type { DueTask } from "../ports/sends.ts";

/** Columns in the order of the table. */
export interface TaskRow {
  id: string;
  type: string;
  status: TaskStatus;
  status_at: number;
  version: number;
  payload: string;
  metadata: string;
  result: string | null;
  error: string | null;
  reason: DeadReason | null;
  attempt: number;
  max_attempts: number;
  timeout_ms: number | null;
  claim: number;
  lease_until: number | null;
  worker: string | null;
  correlation_id: string;
  trace_id: string;
  origin: string;
  created_at: number;
  run_at: number;
  started_at: number | null;
  ended_at: number | null;
  runs_alone: number;
  send_at: number | null;
  cancel_requested: number;
  sent_at: number | null;
  redrives: number;
  redriven_at: number | null;
  redrive_origin: string | null;
  redriven_from: string | null;
  progress: number | null;
  dead_group: string | null;
  is_timed: number;
}

export interface TimelineRow {
  at: number;
  from_status: TaskStatus | null;
  to_status: TaskStatus;
  attempt: number;
  duration_ms: number;
  outcome: AttemptOutcome | null;
  error: string | null;
  trace_id: string;
  span_id: string;
  service: string;
  worker: string | null;
}

export function fromRow(row: TaskRow): TaskRecord {
  return {
    id: row.id,
    type: row.type,
    status: row.status,
    payload: row.payload,
    result: row.result,
    error: row.error === null ? null : toKeptFailure(JSON.parse(toWellFormedJson(row.error))),
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    timeoutMs: row.timeout_ms,
    correlationId: row.correlation_id,
    traceId: row.trace_id,
    metadata: JSON.parse(toWellFormedJson(row.metadata)),
    createdAtMs: row.created_at,
    runAtMs: row.run_at,
    startedAtMs: row.started_at,
    endedAtMs: row.ended_at,
    runsAlone: row.runs_alone === 1,
    redrives: row.redrives,
    redrivenFrom: row.redriven_from,
    progress: row.progress,
  };
}

/** What a send of the task needs, and starts from. */
export function toDueTask(row: TaskRow): DueTask {
  return {
    id: row.id,
    claim: row.claim,
    type: row.type,
    correlationId: row.correlation_id,
    origin: JSON.parse(row.redrive_origin ?? row.origin),
    redrivenAtMs: row.redriven_at,
  };
}

export function fromTimelineRow(row: TimelineRow): TimelineEntry {
  return {
    atMs: row.at,
    from: row.from_status,
    to: row.to_status,
    attempt: row.attempt,
    durationMs: row.duration_ms,
    outcome: row.outcome,
    error: row.error === null ? null : toNotedError(JSON.parse(toWellFormedJson(row.error))),
    traceId: row.trace_id,
    spanId: row.span_id,
    service: row.service,
    worker: row.worker,
  };
}
