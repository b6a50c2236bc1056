/**
 * The words that all roles share: a task, its states, its history. The states and what may follow which are explained
 * in docs/task-states.md; `transitions` is the same table for the code.
 */

import type { Failure } from "./errors.ts";

export const taskStatuses = [
  "scheduled",
  "queued",
  "running",
  "retrying",
  "succeeded",
  "failed",
  "dead",
  "canceled",
  "discarded",
] as const;

export type TaskStatus = (typeof taskStatuses)[number];

/** What may follow which. `dead` from a live state happens only when the broker dead-lettered the message itself. */
export const transitions: Record<TaskStatus, readonly TaskStatus[]> = {
  scheduled: ["queued", "canceled", "dead"],
  queued: ["running", "failed", "canceled", "dead"],
  running: ["running", "succeeded", "retrying", "failed", "queued", "canceled", "dead"],
  retrying: ["running", "failed", "canceled", "dead"],
  failed: ["dead"],
  dead: ["queued", "discarded"],
  succeeded: [],
  canceled: [],
  discarded: [],
};

/** States from which a task still goes on by itself. */
export const liveStatuses = ["scheduled", "queued", "running", "retrying", "failed"] as const satisfies TaskStatus[];

export type LiveStatus = (typeof liveStatuses)[number];

/** States in which nothing more happens by itself: a wait for the end is over. */
export function isEnded(status: TaskStatus): boolean {
  return status === "succeeded" || status === "dead" || status === "canceled" || status === "discarded";
}

/** How an attempt ended, as it stands in the history, on metrics and in spans. */
export const attemptOutcomes = [
  "succeeded",
  "failed",
  "timed_out",
  "crashed",
  "interrupted",
  "lease_lost",
  "canceled",
] as const;

export type AttemptOutcome = (typeof attemptOutcomes)[number];

/** Why a task is dead. */
export const taskReasons = ["attempts_exhausted", "fatal", "never_finished", "no_handler", "receive_limit"] as const;

/** The values of `throughline.dead.reason` and of the metric's label; the last two of letters that name no task. */
export const deadReasons = [...taskReasons, "unreadable", "unknown_task"] as const;

export type DeadReason = (typeof deadReasons)[number];

/** A task as the store keeps it. Times are milliseconds since the epoch; payload and result are JSON texts. */
export interface TaskRecord {
  id: string;
  type: string;
  status: TaskStatus;
  payload: string;
  result: string | null;
  error: Failure | null;
  /** The newest attempt's number, from 1; 0 before the first. */
  attempt: number;
  maxAttempts: number;
  /** Deadline of one attempt; null: the type's own, or the worker's default. */
  timeoutMs: number | null;
  correlationId: string;
  /** The trace in which the task was made. */
  traceId: string;
  metadata: Record<string, string>;
  createdAtMs: number;
  runAtMs: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
  /** Its last attempt was cut short by a crash that it may have caused: it runs alone on its thread. */
  runsAlone: boolean;
  /** How often it was brought back from the dead letters. */
  redrives: number;
  /** The `traceparent` of the death that the newest redrive brought it back from. */
  redrivenFrom: string | null;
  /** How far its newest attempt has said that it is, from 0 to 1; null: it has said nothing. */
  progress: number | null;
}

/** One change of state. */
export interface TimelineEntry {
  atMs: number;
  from: TaskStatus | null;
  to: TaskStatus;
  attempt: number;
  /** Time spent in the state that was left. */
  durationMs: number;
  /** How the attempt ended, on entries that leave `running`. */
  outcome: AttemptOutcome | null;
  error: Failure | null;
  traceId: string;
  spanId: string;
  /** `service.name` of the role that made the change. */
  service: string;
  worker: string | null;
}

export interface Attempt {
  number: number;
  startedAtMs: number;
  endedAtMs: number | null;
  outcome: AttemptOutcome | null;
  error: Failure | null;
  traceId: string;
  worker: string | null;
}

/** The attempts of a timeline: each entry into `running` opens one, the next entry closes it. */
export function toAttempts(timeline: readonly TimelineEntry[]): Attempt[] {
  const attempts: Attempt[] = [];
  let open: Attempt | undefined;
  for (const entry of timeline) {
    if (open) {
      open.endedAtMs = entry.atMs;
      open.outcome = entry.outcome;
      open.error = entry.error;
      open = undefined;
    }
    if (entry.to === "running") {
      open = {
        number: entry.attempt,
        startedAtMs: entry.atMs,
        endedAtMs: null,
        outcome: null,
        error: null,
        traceId: entry.traceId,
        worker: entry.worker,
      };
      attempts.push(open);
    }
  }
  return attempts;
}

/** 1 to 128 letters, digits, `.`, `_`, `:`, `/`, `-`: what every queue, header and label can carry. */
export const taskTypePattern = /^[\w.:/-]{1,128}$/;

/** What a worker tells of a task type that it can run; kept in the store so that the task service knows it. */
export interface TaskType {
  type: string;
  /** null: the default of the deployment. */
  maxAttempts: number | null;
  timeoutMs: number | null;
  isolation: "shared" | "exclusive";
  /** JSON Schema (draft 2020-12) of what its handler takes, as JSON text; null: not known. */
  payloadSchema: string | null;
}

/** Where the spans of an attempt belong: in the task's trace, in one of their own, or in the task's while it is young. */
export const tracePolicies = ["auto", "child", "link"] as const;

export type TracePolicy = (typeof tracePolicies)[number];
