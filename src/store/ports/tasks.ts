/** The port of tasks: created, read, listed, awaited, canceled. */

import type { Context } from "@opentelemetry/api";
import { type Carrier, spanContextOf } from "../../telemetry/context/propagation.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { isEnded, type TaskRecord, type TaskStatus, type TimelineEntry } from "../../words/task.ts";

/** Who makes a change of state, and in which span; written into the timeline. */
export interface Actor {
  atMs: number;
  service: string;
  traceId: string;
  spanId: string;
}

/** The actor of a change that `service` makes at `atMs` in the span of `context`; without a span its ids are empty. */
export function actorOf(service: string, context: Context, atMs: number): Actor {
  const { traceId = "", spanId = "" } = spanContextOf(context) ?? {};
  return { atMs, service, traceId, spanId };
}

export interface NewTask {
  id: string;
  type: string;
  /** JSON text. */
  payload: string;
  metadata: Record<string, string>;
  maxAttempts: number;
  timeoutMs: number | null;
  correlationId: string;
  runAtMs: number;
  /** The caller named `runAtMs` as a time of the wall clock. False: it follows from a delay, which is a duration. */
  isTimed: boolean;
  status: "scheduled" | "queued";
  /** The trace context of the creation, from which a later send starts. Never rewritten. */
  origin: Carrier;
  /** When the sweeper sends the task unless the send was confirmed before. */
  sendAtMs: number;
  idempotency: { key: string; digest: string } | null;
}

/** A task to be made, and who makes it; the call's span is under `context`. */
export interface Creation {
  task: NewTask;
  actor: Actor;
  context: Context;
}

export type CreateResult =
  /** Its creator has the task already: `toCreatedTask` gives its record. */
  | { kind: "created" }
  /** The same key with the same request made this task before. */
  | { kind: "replayed"; task: TaskRecord }
  | { kind: "mismatch" }
  /** The remaining disk space is reserved for the tasks accepted before: nothing was written. Temporary. */
  | { kind: "no_room" };

/** The record of a task that `actor` has just made. */
export function toCreatedTask(task: NewTask, actor: Actor): TaskRecord {
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    payload: task.payload,
    result: null,
    error: null,
    attempt: 0,
    maxAttempts: task.maxAttempts,
    timeoutMs: task.timeoutMs,
    correlationId: task.correlationId,
    traceId: actor.traceId,
    metadata: task.metadata,
    createdAtMs: actor.atMs,
    runAtMs: task.runAtMs,
    startedAtMs: null,
    endedAtMs: null,
    runsAlone: false,
    redrives: 0,
    redrivenFrom: null,
    progress: null,
  };
}

export type CancelResult =
  | { kind: "canceled"; task: TaskRecord }
  /** It runs: its worker learns of the cancel when it next prolongs the lease. */
  | { kind: "requested"; task: TaskRecord }
  | { kind: "moved_on"; status: TaskStatus }
  | { kind: "unknown" };

/** An absent field fits everything. */
export interface TaskFilter {
  status?: TaskStatus;
  type?: string;
  correlationId?: string;
  /** Created later than this, in milliseconds since the epoch. */
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

/** A task with every stored change of its state. */
export interface ListedTask {
  task: TaskRecord;
  timeline: TimelineEntry[];
}

/**
 * Tasks, newest first. An id begins with the time of its task's creation, so ids are both the order and the position in
 * it: a task that is created meanwhile comes before every page that follows.
 */
export interface TaskPage {
  tasks: ListedTask[];
  /** The next page begins behind this id; null: there are no more. A page may be short, or empty, and not be the last. */
  next: string | null;
  /** The page has as many tasks as were requested, or as many bytes as a page may have. */
  isFull: boolean;
}

/** What a watcher has seen of a task. The changes of a task's state are numbered from 1 on. */
export interface Seen {
  /** The number of the newest change of state; 0: none. */
  entry: number;
  progress: number | null;
}

export const nothingSeen: Seen = { entry: 0, progress: null };

/** Whether a watcher has something to receive; also that nothing more will come. */
export function isNews(seen: Seen, newest: number, { status, progress }: Pick<TaskRecord, "status" | "progress">) {
  return newest > seen.entry || progress !== seen.progress || isEnded(status);
}

export interface WatchedTask {
  task: TaskRecord;
  timeline: TimelineEntry[];
  /** The number of the first entry in the timeline: more than 1 when older ones were removed. */
  firstNumber: number;
}

export interface TaskStore {
  /** Gives one result for each, in their order, after all are committed; never rejects. */
  create(creations: readonly Creation[]): Promise<EntryResult<CreateResult>[]>;
  get(id: string, context: Context): Promise<TaskRecord | undefined>;
  timeline(id: string, context: Context): Promise<TimelineEntry[]>;
  /** Up to `limit` matching tasks that were created before the task `before` (null: from the newest), newest first. */
  listTasks(filter: TaskFilter, limit: number, before: string | null, context: Context): Promise<TaskPage>;
  /**
   * The task once it has ended, or as it is after `waitMs` or when `over` aborts; undefined when there is none of that
   * id.
   */
  awaitEnd(id: string, waitMs: number, context: Context, over?: AbortSignal): Promise<TaskRecord | undefined>;
  /** The same once there is something that `seen` does not have, which the task's end always is. */
  awaitChange(
    id: string,
    seen: Seen,
    waitMs: number,
    context: Context,
    over?: AbortSignal,
  ): Promise<WatchedTask | undefined>;
  /** A task that waits never starts. The worker of one that runs is notified, and no further attempt follows. */
  cancel(id: string, actor: Actor, context: Context): Promise<CancelResult>;
}
