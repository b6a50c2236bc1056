/** The port of dead letters: recorded, listed, grouped, discarded; and messages of the queue that name no task. */

import type { Context } from "@opentelemetry/api";
import type { DeadReason, TaskRecord, TaskStatus } from "../../words/task.ts";
import type { Actor } from "./tasks.ts";

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

/** Which dead letters: those of the ids, or all that match. An absent field matches everything. */
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

/** Where a list of dead letters continues: behind this one. */
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

export interface DeadLetterStore {
  /** A failed task dies; a live one only of `receive_limit`, because a worker's dead letter is of an earlier life. */
  recordDead(report: DeathReport, context: Context): Promise<DeathResult>;
  /** Newest death first. May end early, but not before the letters have more bytes than one answer has room for. */
  listDead(selection: DeadSelection, limit: number, after: DeadCursor | null, context: Context): Promise<DeadLetter[]>;
  /** The largest first, then the newest. The filter's error type and reason are ignored. */
  deadGroups(filter: DeadFilter, limit: number, context: Context): Promise<DeadGroup[]>;
  /** Stores a message of the dead-letter queue that names no task, as it is, once. */
  keepUnreadable(message: UnreadableMessage, context: Context): Promise<void>;
  /** Newest first. */
  listUnreadable(limit: number, context: Context): Promise<UnreadableMessage[]>;
  discard(id: string, reason: string, actor: Actor, context: Context): Promise<DiscardResult>;
}
