/**
 * The store port's words for dead letters: what may be asked of them, and a redrive, which brings many of them back
 * step by step. A redrive's progress is kept with its tasks, in the same commit as each step, so that any dlq role can
 * go on with it after any crash, and its counts add up.
 */

import type { Context } from "@opentelemetry/api";
import type { Carrier } from "../../telemetry/context/propagation.ts";
import type { DeadReason, TaskRecord } from "../../words/task.ts";
import type { Actor, DueTask } from "./store.ts";

/** Which dead letters: those named, or all that fit. An absent field fits everything. */
export type DeadSelection = { kind: "ids"; ids: readonly string[] } | DeadFilter;

export interface DeadFilter {
  kind: "filter";
  type?: string;
  /** The last error's type. */
  errorType?: string;
  reason?: DeadReason;
  /** Fingerprint of the last error. */
  group?: string;
  /** Died then or later, and then or earlier. */
  sinceMs?: number;
  untilMs?: number;
}

/** Where a list of dead letters goes on: the last one that was shown. */
export interface DeadCursor {
  diedAtMs: number;
  id: string;
}

export interface DeadLetter {
  task: TaskRecord;
  reason: DeadReason;
  diedAtMs: number;
  /** The span that recorded the death, as a `traceparent`. */
  deathTraceparent: string;
  /** Fingerprint of the last error. */
  group: string;
}

/** Dead letters of one task type with one fingerprint. */
export interface DeadGroup {
  type: string;
  group: string;
  count: number;
  firstSeenMs: number;
  lastSeenMs: number;
  /** One of them: the newest. */
  sample: DeadLetter;
}

export interface UnreadableMessage {
  messageId: string;
  body: string;
  attributes: Record<string, string>;
  reason: string;
  atMs: number;
}

export type DiscardResult =
  | { kind: "discarded"; task: TaskRecord }
  | { kind: "moved_on"; status: TaskRecord["status"] }
  | { kind: "unknown" };

export interface RedriveOrder {
  id: string;
  selection: DeadSelection;
  /** Tasks a second; null: as fast as it goes. */
  ratePerSecond: number | null;
  /** Also tasks that have come back dead from as many redrives as the guard allows. */
  isForced: boolean;
  /** Why, in the words of whoever asks for it; empty when nobody said. */
  reason: string;
  /** JSON text in place of the payload of the one task that is named; null: it stays. */
  payload: string | null;
}

export type RedriveStatus = "running" | "paused" | "canceled" | "completed";
export type RedriveCommand = "pause" | "resume" | "cancel";

export interface Redrive extends RedriveOrder {
  status: RedriveStatus;
  /** Dead letters that fitted when it was ordered. */
  matched: number;
  moved: number;
  /** Not brought back: gone meanwhile, unknown, or held by the guard. */
  failed: number;
  createdAtMs: number;
  endedAtMs: number | null;
}

/** So many of the tasks that a redrive moved, the first, are followed: what becomes of them can be asked. */
export const maxFollowed = 1000;

/** What has become by now of the tasks that a redrive moved; of those that are kept. */
export interface RedriveOutcome {
  followed: number;
  succeeded: number;
  /** Again; also when another redrive has brought them back since. */
  dead: number;
  canceled: number;
  discarded: number;
}

/** A dead letter that the next step of a redrive would bring back. */
export interface RedriveCandidate {
  id: string;
  type: string;
  correlationId: string;
  /** The trace context of the task's creation. */
  origin: Carrier;
  deathTraceparent: string;
}

/** The next step of a redrive, as it is proposed: nothing has been moved yet. */
export interface RedriveStep {
  redrive: Redrive;
  /** The step's number: of two dlq roles that propose the same step, one commits it. */
  number: number;
  candidates: RedriveCandidate[];
  /** Dead letters that the step passes over: unknown, not dead any more, or held by the guard. */
  refused: number;
  /** Where the next step begins. */
  cursor: string;
  isLast: boolean;
}

/** One task of a step, with the trace that begins for it. */
export interface RedriveMove {
  id: string;
  /** The context of its span `redrive tasks`: what this and later sends of the task start from. */
  origin: Carrier;
  actor: Actor;
}

/** A step with the traces that begin for its tasks. */
export interface RedriveCommit {
  redriveId: string;
  /** Number, refusals, cursor and end of the step, as they were proposed. */
  step: Pick<RedriveStep, "number" | "refused" | "cursor" | "isLast">;
  moves: readonly RedriveMove[];
  nowMs: number;
  sendWithinMs: number;
}

/** A task comes back dead from this many redrives; after them one has to be forced. */
export const redriveGuard = 3;

export interface DeadLetterStore {
  /** Newest death first. Ends early, but not before what is given is more than one answer has room for. */
  listDead(selection: DeadSelection, limit: number, after: DeadCursor | null, context: Context): Promise<DeadLetter[]>;
  /** The largest first. Of `filter`, the error's type and the reason are not looked at. */
  deadGroups(filter: DeadFilter, limit: number, context: Context): Promise<DeadGroup[]>;
  /** A message of the dead-letter queue that names no task: kept as it is, once. */
  keepUnreadable(message: UnreadableMessage, context: Context): Promise<void>;
  /** Newest first. */
  listUnreadable(limit: number, context: Context): Promise<UnreadableMessage[]>;
  discard(id: string, reason: string, actor: Actor, context: Context): Promise<DiscardResult>;
  /** How many dead letters fit, and how many of them the guard would hold. Changes nothing. */
  countRedrive(order: RedriveOrder, context: Context): Promise<{ matched: number; refused: number }>;
  startRedrive(order: RedriveOrder, nowMs: number, context: Context): Promise<Redrive>;
  getRedrive(id: string, context: Context): Promise<Redrive | undefined>;
  /** Of a redrive that there is not, nothing is followed. */
  redriveOutcome(id: string, context: Context): Promise<RedriveOutcome>;
  /** The redrive after the command, or undefined when there is none. One that has ended takes no command. */
  controlRedrive(
    id: string,
    command: RedriveCommand,
    nowMs: number,
    context: Context,
  ): Promise<{ redrive: Redrive; isTaken: boolean } | undefined>;
  /** The next step of the redrive that is due first; else how long nothing is due, null when none runs. Has no span. */
  proposeRedrive(limit: number, nowMs: number): Promise<RedriveStep | { waitMs: number | null }>;
  /**
   * Commits a step: gives the tasks that came back, to be sent. Undefined, and nothing was written, when another has
   * committed it or the redrive was stopped. The sweeper sends what is not sent within `sendWithinMs`.
   */
  commitRedrive(commit: RedriveCommit, context: Context): Promise<DueTask[] | undefined>;
}
