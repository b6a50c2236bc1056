/**
 * The store port: a task's truth. The queue only says "look at this one now"; what a task is, who may run it and how it
 * ended is decided here, by conditional updates. SQLite implements it; every implementation passes the suite in
 * tests/conformance.
 *
 * Each method takes the context under which its span is made. All reject with `TaskError`: `unavailable` when the store
 * cannot be reached or takes nothing now, `internal` when it cannot keep what it was given.
 */

import type { Context } from "@opentelemetry/api";
import type { Carrier } from "../../telemetry/context/propagation.ts";
import type { Failure } from "../../words/errors.ts";
import type { Connections } from "../../words/health.ts";
import type {
  AttemptOutcome,
  DeadReason,
  LiveStatus,
  TaskRecord,
  TaskStatus,
  TaskType,
  TimelineEntry,
} from "../../words/task.ts";
import type { DeadLetterStore } from "./dead-letters.ts";
import type { ScheduleStore } from "./schedules.ts";
import type { TaskFilter, TaskPage } from "./task-list.ts";
import type { Seen, WatchedTask } from "./task-watch.ts";

/** Who makes a change of state, and in which span: stands in the timeline. */
export interface Actor {
  atMs: number;
  service: string;
  traceId: string;
  spanId: string;
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
  /** Its user named `runAtMs` as a time of the wall clock; else it follows from a delay, which is a duration. */
  isTimed: boolean;
  status: "scheduled" | "queued";
  /** The trace context of the creation: what a later send starts from. Never rewritten. */
  origin: Carrier;
  /** When the sweeper sends the task unless the send was confirmed before. */
  sendAtMs: number;
  idempotency: { key: string; digest: string } | null;
}

export type CreateResult =
  | { kind: "created"; task: TaskRecord }
  /** The same key with the same request made this task before. */
  | { kind: "replayed"; task: TaskRecord }
  | { kind: "mismatch" }
  /** What room there is, the tasks accepted before need: nothing was written. Later there may be some again. */
  | { kind: "no_room" };

export interface ClaimRequest {
  id: string;
  worker: string;
  leaseMs: number;
  actor: Actor;
  /** The worker has no handler of the task's type: it claims nothing, and the task waits for one that has. */
  lacksHandler?: HandlerWait;
}

export interface HandlerWait {
  /** A task that has been due for this long fails. */
  limitMs: number;
}

export type ClaimResult =
  /** `previous`: the `traceparent` of the attempt before this one; null when it is the first. */
  | { kind: "won"; claim: number; task: TaskRecord; previous: string | null }
  /** The task has ended: the message is of no use any more. `task`: it is this claim that has ended it, as canceled. */
  | { kind: "ended"; status: TaskStatus; task?: TaskRecord }
  /** Another worker runs it, until then at least. */
  | { kind: "leased"; untilMs: number }
  /** Not due before then. */
  | { kind: "early"; untilMs: number }
  /** It waits for a worker that has its handler, and is sent again then: its message is of no use any more. */
  | { kind: "put_off"; untilMs: number }
  /** It has failed for good, here or before; its message belongs into the dead-letter queue. */
  | { kind: "failed"; reason: DeadReason; task: TaskRecord }
  | { kind: "unknown" };

/** What becomes of a task after an attempt. */
export type Ending =
  | { to: "succeeded"; result: string }
  | { to: "retrying"; runAtMs: number; sendAtMs: number; outcome: AttemptOutcome; error: Failure }
  | { to: "failed"; reason: DeadReason; outcome: AttemptOutcome; error: Failure }
  /** Interrupted: back in the queue, and the attempt does not count. */
  | { to: "queued"; error: Failure; runsAlone: boolean }
  | { to: "canceled"; outcome: AttemptOutcome; error: Failure };

export interface FinishRequest {
  id: string;
  claim: number;
  ending: Ending;
  actor: Actor;
  /** What the attempt has said last of how far it is, if anything. */
  progress?: number;
}

/** The right to run a task's newest attempt. */
export interface Lease {
  id: string;
  claim: number;
}

/** How far an attempt says that it is, from 0 to 1. */
export interface Progress extends Lease {
  share: number;
}

export interface DeathReport {
  id: string;
  reason: DeadReason;
  actor: Actor;
}

export type DeathResult =
  | { kind: "recorded"; task: TaskRecord; reason: DeadReason }
  /** It was recorded before, or has come back since. */
  | { kind: "known"; status: TaskStatus }
  | { kind: "unknown" };

/** What the holder of a lease learns when it prolongs it. `canceled`: still ours, and its user wants it to end. */
export type LeaseState = "kept" | "canceled" | "lost";

export type CancelResult =
  | { kind: "canceled"; task: TaskRecord }
  /** It runs: whoever runs it learns when it next prolongs its lease. */
  | { kind: "requested"; task: TaskRecord }
  | { kind: "moved_on"; status: TaskStatus }
  | { kind: "unknown" };

/** One send of a task: after a claim it is of no more concern. */
export interface Sent {
  id: string;
  /** The claim number that the task had when it was sent. */
  claim: number;
}

/** A task that has to be sent. */
export interface DueTask extends Sent {
  type: string;
  correlationId: string;
  /** The context that the send starts from: the task's creation, or its newest redrive. */
  origin: Carrier;
  /** null: it was never brought back from the dead letters. */
  redrivenAtMs: number | null;
}

/** What the store holds. Times are milliseconds since the epoch; null: there is none. */
export interface StoreFigures {
  active: Record<LiveStatus, number>;
  /** When the oldest task that waits for an attempt was due. */
  oldestDueMs: number | null;
  /** When the oldest dead letter died. */
  oldestDeadMs: number | null;
}

/** One step of pruning. */
export interface PruneResult {
  pruned: number;
  /** Where the next step begins; null when the walk is over. */
  next: string | null;
}

export interface Store extends DeadLetterStore, ScheduleStore {
  create(task: NewTask, actor: Actor, context: Context): Promise<CreateResult>;
  get(id: string, context: Context): Promise<TaskRecord | undefined>;
  timeline(id: string, context: Context): Promise<TimelineEntry[]>;
  /** Tasks made before the one of the id `before` (null begins), newest first, up to `limit` of those that fit. */
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
  /** Takes the right to run the next attempt: raises the claim number, counts the attempt, sets the lease. */
  claim(request: ClaimRequest, context: Context): Promise<ClaimResult>;
  /** Prolongs leases; gives the state of each, in their order. */
  extend(leases: readonly Lease[], leaseMs: number, nowMs: number, context: Context): Promise<LeaseState[]>;
  /** Of a claim that is no longer the newest, nothing is noted. */
  noteProgress(told: readonly Progress[], context: Context): Promise<void>;
  /**
   * Commits an attempt's outcome; gives the state that the task has then, which is `canceled` in place of a further
   * attempt when its user wants that. null when the claim is no longer ours: then nothing was written.
   */
  finish(request: FinishRequest, context: Context): Promise<Ending["to"] | null>;
  /** A task that waits never starts; one that runs is told to end, and no further attempt follows. */
  cancel(id: string, actor: Actor, context: Context): Promise<CancelResult>;
  /** A failed task dies; a live one only of `receive_limit`, because a worker's letter about it is of an earlier life. */
  recordDead(report: DeathReport, context: Context): Promise<DeathResult>;
  /** Notes that the broker has confirmed these messages, so that the sweeper leaves them alone. */
  markSent(sent: readonly Sent[], nowMs: number, context: Context): Promise<void>;
  /** Takes up to `limit` tasks whose send is due, so that no other sweeper takes them within `holdMs`. Has no span. */
  takeDue(limit: number, holdMs: number, actor: Actor): Promise<DueTask[]>;
  /** Makes every live task due for sending: the broker has lost its messages. */
  resendAll(context: Context): Promise<void>;
  /** How many tasks whose message was confirmed before `sentBeforeMs` still wait for their first claim since. */
  countWaiting(sentBeforeMs: number): Promise<number>;
  /** Makes up to `limit` of those due for sending again, the oldest first; gives how many. */
  resendWaiting(sentBeforeMs: number, limit: number, nowMs: number): Promise<number>;
  /**
   * Looks at up to `limit` tasks after the id `after` ("" begins), oldest first, and removes those that ended before
   * `endedBeforeMs`, with all that is kept of them.
   */
  prune(endedBeforeMs: number, after: string, limit: number): Promise<PruneResult>;
  registerTypes(types: readonly TaskType[], context: Context): Promise<void>;
  /** What workers have registered; empty while none ever has. */
  listTypes(context: Context): Promise<TaskType[]>;
  /** Counts what has not ended, and finds the oldest of it. Costs a look at each task that has not ended. */
  figures(nowMs: number): Promise<StoreFigures>;
  /** Resolves when the store answers. */
  /** How many connections to the database are in use, as far as this role makes use of them. */
  connections(): Connections;
  ping(): Promise<void>;
}
