/** A task as the HTTP API shows it: snake_case, every field there, times in RFC 3339 UTC with milliseconds. */

import type { AttemptJson, FailureJson, TaskJson, TimelineEntryJson } from "../gen/tasks_pb.ts";

export function toHttpTask(task: TaskJson): Record<string, unknown> {
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    payload: task.payload ?? null,
    result: task.result ?? null,
    error: toHttpFailure(task.error),
    attempt: task.attempt ?? 0,
    max_attempts: task.maxAttempts,
    correlation_id: task.correlationId,
    trace_id: task.traceId,
    metadata: task.metadata ?? {},
    created_at: task.createdAt,
    run_at: task.runAt,
    started_at: task.startedAt ?? null,
    ended_at: task.endedAt ?? null,
    attempts: (task.attempts ?? []).map(toHttpAttempt),
  };
}

function toHttpAttempt(attempt: AttemptJson): Record<string, unknown> {
  return {
    number: attempt.number,
    started_at: attempt.startedAt,
    ended_at: attempt.endedAt ?? null,
    outcome: attempt.outcome || null,
    error: toHttpFailure(attempt.error),
    trace_id: attempt.traceId,
    worker: attempt.worker || null,
  };
}

export function toHttpEntry(entry: TimelineEntryJson): Record<string, unknown> {
  return {
    at: entry.at,
    from: entry.from || null,
    to: entry.to,
    attempt: entry.attempt ?? 0,
    duration_ms: Number(entry.durationMs ?? 0),
    error: toHttpFailure(entry.error),
    trace_id: entry.traceId,
    span_id: entry.spanId,
    service: entry.service,
  };
}

function toHttpFailure(failure: FailureJson | undefined): Record<string, unknown> | null {
  return failure ? { type: failure.type, message: failure.message } : null;
}
