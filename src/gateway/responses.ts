/** Tasks, dead letters and redrives as the HTTP API shows them: snake_case, every field there, times in RFC 3339 UTC with milliseconds. */

import type {
  AttemptJson,
  DeadLetterGroupJson,
  DeadLetterJson,
  FailureJson,
  RedriveJson,
  RedriveOutcomeJson,
  TaskJson,
  TimelineEntryJson,
  UnreadableMessageJson,
} from "../gen/tasks_pb.ts";

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
    created_at: toHttpTime(task.createdAt),
    run_at: toHttpTime(task.runAt),
    started_at: toHttpTime(task.startedAt),
    ended_at: toHttpTime(task.endedAt),
    progress: task.progress === undefined ? null : Number(task.progress),
    attempts: (task.attempts ?? []).map(toHttpAttempt),
  };
}

function toHttpAttempt(attempt: AttemptJson): Record<string, unknown> {
  return {
    number: attempt.number,
    started_at: toHttpTime(attempt.startedAt),
    ended_at: toHttpTime(attempt.endedAt),
    outcome: attempt.outcome || null,
    error: toHttpFailure(attempt.error),
    trace_id: attempt.traceId,
    worker: attempt.worker || null,
  };
}

export function toHttpEntry(entry: TimelineEntryJson): Record<string, unknown> {
  return {
    at: toHttpTime(entry.at),
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

/** The task with its death: why and when, in which trace, and how often it was brought back before. */
export function toHttpDeadLetter(letter: DeadLetterJson): Record<string, unknown> {
  return {
    task: letter.task && toHttpTask(letter.task),
    reason: letter.reason,
    died_at: toHttpTime(letter.diedAt),
    trace_id: letter.traceId,
    redrives: letter.redrives ?? 0,
    group: letter.group,
  };
}

/** What many have died of, and one of them to look at. */
export function toHttpGroup(group: DeadLetterGroupJson): Record<string, unknown> {
  return {
    group: group.group,
    type: group.type,
    error: toHttpFailure(group.error),
    count: Number(group.count ?? 0),
    first_seen: toHttpTime(group.firstSeen),
    last_seen: toHttpTime(group.lastSeen),
    task_id: group.taskId,
    trace_id: group.traceId,
  };
}

/** `id` is null in the answer to a dry run, which only counts. */
export function toHttpRedrive(redrive: RedriveJson): Record<string, unknown> {
  return {
    id: redrive.id || null,
    status: redrive.status,
    matched: Number(redrive.matched ?? 0),
    moved: Number(redrive.moved ?? 0),
    failed: Number(redrive.failed ?? 0),
    rate_per_second: Number(redrive.ratePerSecond ?? 0) || null,
    reason: redrive.reason || null,
    created_at: toHttpTime(redrive.createdAt),
    ended_at: toHttpTime(redrive.endedAt),
    ...(redrive.outcome && { outcome: toHttpOutcome(redrive.outcome) }),
  };
}

function toHttpOutcome({ followed, succeeded, dead, canceled, discarded }: RedriveOutcomeJson): Record<string, number> {
  return {
    followed: Number(followed ?? 0),
    succeeded: Number(succeeded ?? 0),
    dead: Number(dead ?? 0),
    canceled: Number(canceled ?? 0),
    discarded: Number(discarded ?? 0),
  };
}

export function toHttpUnreadable(message: UnreadableMessageJson): Record<string, unknown> {
  return {
    message_id: message.messageId,
    body: message.body ?? "",
    attributes: message.attributes ?? {},
    reason: message.reason,
    received_at: toHttpTime(message.receivedAt),
  };
}

function toHttpFailure(failure: FailureJson | undefined): Record<string, unknown> | null {
  return failure ? { type: failure.type, message: failure.message ?? "" } : null;
}

/** Protobuf's JSON leaves out milliseconds that are nought. */
export function toHttpTime(time: string | undefined): string | null {
  if (time === undefined) return null;
  return time.length === "2026-01-01T00:00:00.000Z".length ? time : new Date(time).toISOString();
}
