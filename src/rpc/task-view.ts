/** A stored task in protobuf's JSON form, as the RPC gives it. */

import type { FailureJson, TaskJson, TimelineEntryJson } from "../gen/tasks_pb.ts";
import { newestEntries } from "../store/ports/pages.ts";
import type { Failure } from "../words/errors.ts";
import { type TaskRecord, type TimelineEntry, toAttempts } from "../words/task.ts";
import { toWellFormedJson } from "../words/text.ts";

export function toTaskJson(task: TaskRecord, timeline: readonly TimelineEntry[]): TaskJson {
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    payload: JSON.parse(toWellFormedJson(task.payload)),
    ...(task.result !== null && { result: JSON.parse(toWellFormedJson(task.result)) }),
    ...(task.error && { error: toFailureJson(task.error) }),
    attempt: task.attempt,
    maxAttempts: task.maxAttempts,
    correlationId: task.correlationId,
    traceId: task.traceId,
    metadata: task.metadata,
    createdAt: toTimestamp(task.createdAtMs),
    runAt: toTimestamp(task.runAtMs),
    ...(task.startedAtMs !== null && { startedAt: toTimestamp(task.startedAtMs) }),
    ...(task.endedAtMs !== null && { endedAt: toTimestamp(task.endedAtMs) }),
    ...(task.progress !== null && { progress: task.progress }),
    attempts: toAttempts(newestEntries(timeline)).map((attempt) => ({
      number: attempt.number,
      startedAt: toTimestamp(attempt.startedAtMs),
      ...(attempt.endedAtMs !== null && { endedAt: toTimestamp(attempt.endedAtMs) }),
      ...(attempt.outcome !== null && { outcome: attempt.outcome }),
      ...(attempt.error && { error: toFailureJson(attempt.error) }),
      traceId: attempt.traceId,
      ...(attempt.worker !== null && { worker: attempt.worker }),
    })),
  };
}

export function toTimelineJson(entry: TimelineEntry): TimelineEntryJson {
  return {
    at: toTimestamp(entry.atMs),
    ...(entry.from !== null && { from: entry.from }),
    to: entry.to,
    attempt: entry.attempt,
    durationMs: String(entry.durationMs),
    ...(entry.error && { error: toFailureJson(entry.error) }),
    traceId: entry.traceId,
    spanId: entry.spanId,
    service: entry.service,
  };
}

function toFailureJson({ type, message }: Failure): FailureJson {
  return { type, message };
}

/** Milliseconds since the epoch as protobuf JSON writes a Timestamp. */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}
