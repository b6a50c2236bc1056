/**
 * Tasks as the API takes and shows them, in HTTP and in RPC: what is checked, what OpenAPI describes, and the record that
 * answers. The task service writes the record, the gateway passes it on.
 */

import { z } from "zod";
import type { Failure } from "../words/errors.ts";
import { JsonText } from "../words/json-text.ts";
import {
  type Attempt,
  type TaskRecord,
  type TimelineEntry,
  taskStatuses,
  taskTypePattern,
  toAttempts,
} from "../words/task.ts";
import {
  count,
  duration,
  durationAboveZero,
  givenId,
  pageLimit,
  queryTime,
  time,
  timeOrNull,
  timeText,
  toTime,
} from "./fields.ts";

const exampleId = "0199a0b2-7c4e-7d3a-9f61-2b8f0c5d4e17";
const exampleTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";

const durationShown = { examples: ["30s"] };

export const taskType = z
  .string()
  .regex(taskTypePattern, "expected 1 to 128 letters, digits or . _ : / -")
  .meta({
    description: "Which handler runs it.",
    examples: ["send-email"],
  });

/** What `POST /v1/tasks` takes. */
export const newTask = z
  .strictObject({
    type: taskType,
    payload: z.unknown().optional().meta({ description: "Any JSON; its handler gets it as it is." }),
    delay: duration.optional().meta({ ...durationShown, description: "How long it waits before it may start." }),
    run_at: timeText.optional().meta({ description: "When it may start, instead of `delay`." }),
    timeout: durationAboveZero
      .optional()
      .meta({ ...durationShown, description: "Deadline of each attempt, instead of its type's." }),
    max_attempts: z.int().min(1).max(100).optional().meta({ description: "Instead of its type's." }),
    metadata: z
      .record(z.string().max(128), z.string().max(1024))
      .refine((metadata) => Object.keys(metadata).length <= 32, "expected at most 32 entries")
      .optional()
      .meta({ description: "Texts of the caller's own, up to 32.", maxProperties: 32, examples: [{ shop: "7" }] }),
  })
  .refine((body) => body.delay === undefined || body.run_at === undefined, {
    path: ["run_at"],
    message: "expected either delay or run_at, not both",
  })
  .meta({
    id: "NewTask",
    not: { required: ["delay", "run_at"], properties: { delay: true, run_at: true } },
    override: { examples: [{ type: "echo", payload: { hello: "world" }, delay: "2s" }] },
  });

export const traceId = z.string().meta({ description: "Of the trace, 32 hex digits.", examples: [exampleTraceId] });
export const taskId = z.string().meta({ description: "A UUID of version 7.", examples: [exampleId] });
const status = z.enum(taskStatuses).meta({ id: "TaskStatus", description: "Where the task is in its life." });

export const failure = z
  .object({
    type: z.string().meta({ description: "The error's class or code.", examples: ["TimeoutError"] }),
    message: z.string(),
  })
  .meta({ id: "Failure", description: "Why an attempt failed." });

const attempt = z
  .object({
    number: count.meta({ description: "From 1; after a redrive from 1 again." }),
    started_at: time,
    ended_at: timeOrNull,
    outcome: z
      .string()
      .nullable()
      .meta({ description: "null while it runs.", examples: ["succeeded"] }),
    error: failure.nullable(),
    trace_id: traceId,
    worker: z.string().nullable(),
  })
  .meta({ id: "Attempt", description: "One try to run a task." });

export const task = z
  .object({
    id: taskId,
    type: taskType,
    status,
    payload: z.unknown().meta({ description: "As it was handed in." }),
    result: z.unknown().meta({ description: "What the handler returned; null before." }),
    error: failure.nullable(),
    attempt: count.meta({ description: "The newest attempt's number; 0 before the first." }),
    max_attempts: count,
    correlation_id: z.string(),
    trace_id: traceId,
    metadata: z.record(z.string(), z.string()),
    created_at: time,
    run_at: time,
    started_at: timeOrNull,
    ended_at: timeOrNull,
    progress: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .meta({ description: "How far its newest attempt has said that it is." }),
    attempts: z.array(attempt),
  })
  .meta({ id: "Task", description: "A task and its whole history." });

export const timelineEntry = z
  .object({
    at: time,
    from: status.nullable(),
    to: status,
    attempt: count,
    duration_ms: count.meta({ description: "Time spent in the state that was left." }),
    error: failure.nullable(),
    trace_id: traceId,
    span_id: z.string(),
    service: z.string().meta({ description: "The role that made the change.", examples: ["worker"] }),
  })
  .meta({ id: "TimelineEntry", description: "One change of a task's state." });

/** The record of a task with its attempts. */
export function toTask(task: TaskRecord, timeline: readonly TimelineEntry[]): TaskAnswer {
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    payload: new JsonText(task.payload),
    result: task.result === null ? null : new JsonText(task.result),
    error: toFailure(task.error),
    attempt: task.attempt,
    max_attempts: task.maxAttempts,
    correlation_id: task.correlationId,
    trace_id: task.traceId,
    metadata: task.metadata,
    created_at: toTime(task.createdAtMs),
    run_at: toTime(task.runAtMs),
    started_at: toTime(task.startedAtMs),
    ended_at: toTime(task.endedAtMs),
    progress: task.progress,
    attempts: toAttempts(timeline).map(toAttempt),
  };
}

/** The text of `toTask` for a task that was made just now. Its ids and its type have nothing to escape. */
export function writeNewTask(task: TaskRecord): string {
  const createdAt = toTime(task.createdAtMs);
  const runAt = task.runAtMs === task.createdAtMs ? createdAt : toTime(task.runAtMs);
  const { id, type, status, payload, maxAttempts, correlationId, traceId } = task;
  const head = `{"id":"${id}","type":"${type}","status":"${status}","payload":${payload},"result":null,"error":null`;
  const ids = `"attempt":0,"max_attempts":${maxAttempts},"correlation_id":"${correlationId}","trace_id":"${traceId}"`;
  const times = `"created_at":"${createdAt}","run_at":"${runAt}","started_at":null,"ended_at":null`;
  return `${head},${ids},"metadata":${JSON.stringify(task.metadata)},${times},"progress":null,"attempts":[]}`;
}

function toAttempt({ number, startedAtMs, endedAtMs, outcome, error, traceId, worker }: Attempt) {
  return {
    number,
    started_at: toTime(startedAtMs),
    ended_at: toTime(endedAtMs),
    outcome,
    error: toFailure(error),
    trace_id: traceId,
    worker,
  };
}

export function toTimelineEntry(entry: TimelineEntry): z.input<typeof timelineEntry> {
  return {
    at: toTime(entry.atMs),
    from: entry.from,
    to: entry.to,
    attempt: entry.attempt,
    duration_ms: entry.durationMs,
    error: toFailure(entry.error),
    trace_id: entry.traceId,
    span_id: entry.spanId,
    service: entry.service,
  };
}

/** Without what only the process knows of an error. */
function toFailure(error: Failure | null): { type: string; message: string } | null {
  return error && { type: error.type, message: error.message };
}

/** Filters of a list; `time`: as a query has it, or a call to the task service. */
const filterWith = <Time extends z.ZodType>(after: Time, before: Time) => ({
  status: z.enum(taskStatuses).optional(),
  type: taskType.optional(),
  correlation_id: z.string().min(1).max(64).optional(),
  created_after: after,
  created_before: before,
});

/** In a query. */
export const taskQuery = filterWith(
  queryTime.optional().meta({ description: "Made later than this." }),
  queryTime.optional().meta({ description: "Made earlier than this." }),
);

/** Requests of RPC. */
export const listTasks = z.strictObject({
  ...filterWith(timeText.optional(), timeText.optional()),
  limit: pageLimit,
  cursor: z.string().max(255).default(""),
});
export const getTask = z.strictObject({ id: givenId, wait: duration.optional() });
export const cancelTask = z.strictObject({ id: givenId });
export const getTimeline = z.strictObject({ id: givenId });
export const watchTask = z.strictObject({
  id: givenId,
  seen_entry: count.default(0),
  seen_progress: z.number().optional(),
  wait: duration.optional(),
});
/** The answer of `WatchTask`: entries that were not seen, the oldest first, and the number of the first of them. */
export interface TaskNews {
  entries: z.input<typeof timelineEntry>[];
  first_number: number;
  progress: number | null;
  has_ended: boolean;
}

/** A task as a record. */
export type TaskAnswer = z.input<typeof task>;
