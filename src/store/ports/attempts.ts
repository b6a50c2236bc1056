/**
 * The port of attempts: the right to run one is claimed, prolonged, and given up with the attempt's outcome. Below it are
 * the decisions about an attempt's end that are the same in every store. Pure.
 */

import type { Context } from "@opentelemetry/api";
import type { EntryResult } from "../../words/entry-result.ts";
import { type Failure, toKeptFailure } from "../../words/errors.ts";
import type { AttemptOutcome, DeadReason, TaskRecord, TaskStatus, TimelineEntry } from "../../words/task.ts";
import { cutText } from "../../words/text.ts";
import type { Actor } from "./tasks.ts";

export interface ClaimRequest {
  id: string;
  worker: string;
  leaseMs: number;
  actor: Actor;
  /** The worker has no handler of the task's type: it claims nothing, and the task waits for a worker that has one. */
  lacksHandler?: HandlerWait;
  /** The claim's span is under it. */
  context: Context;
}

export interface HandlerWait {
  /** A task that has been due for this long fails. */
  limitMs: number;
}

export type ClaimResult =
  /** `previous`: the `traceparent` of the attempt before this one; null when it is the first. */
  | { kind: "won"; claim: number; task: TaskRecord; previous: string | null }
  /** The task has ended: its message is obsolete. `task` is set when this claim ended it, as canceled. */
  | { kind: "ended"; status: TaskStatus; task?: TaskRecord }
  /** Another worker runs it, until then at least. */
  | { kind: "leased"; untilMs: number }
  /** Not due before then. */
  | { kind: "early"; untilMs: number }
  /** It waits for a worker that has its handler, and is sent again then: its message is obsolete. */
  | { kind: "put_off"; untilMs: number }
  /** It has failed for good, now or before; its message belongs in the dead-letter queue. */
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
  /** The last share that the attempt reported, if any. */
  progress?: number;
  /** The span of the call is under it. */
  context: Context;
}

/** The right to run a task's newest attempt. */
export interface Lease {
  id: string;
  claim: number;
}

/** The share of its work that an attempt reports as done, from 0 to 1. */
export interface Progress extends Lease {
  share: number;
}

/** What the holder of a lease learns when it prolongs it. `canceled`: still held, and the task's caller wants it to end. */
export type LeaseState = "kept" | "canceled" | "lost";

export interface AttemptStore {
  /**
   * Each entry of `claim` and `finish` is a call of its own to what keeps the tasks, and may take longer than all others:
   * who has other work to do for each asks for them one by one. Not set: one commit has them all.
   */
  readonly entriesAreApart?: true;
  /**
   * Takes the right to run the next attempt of each task: raises the claim number, counts the attempt, sets the lease.
   * Gives one result for each request, in their order; never rejects.
   */
  claim(requests: readonly ClaimRequest[]): Promise<EntryResult<ClaimResult>[]>;
  /** Prolongs leases; gives the state of each, in their order. */
  extend(leases: readonly Lease[], leaseMs: number, nowMs: number, context: Context): Promise<LeaseState[]>;
  /** Under a claim that is no longer the newest, nothing is written. */
  noteProgress(reports: readonly Progress[], context: Context): Promise<void>;
  /**
   * Commits the outcomes of attempts; gives for each, in their order, the state that the task has then, which is `canceled`
   * in place of a further attempt when a cancel was requested. The same request again, because its answer was lost, gives
   * the same state. null when the claim is lost, or has ended with another outcome: then nothing was written. Never rejects.
   */
  finish(requests: readonly FinishRequest[]): Promise<EntryResult<Ending["to"] | null>[]>;
}

const maxNotedMessageLength = 1000;
const maxNotedCauseLength = 250;

/**
 * An error as an entry of a task's timeline has it: short, so that a hundred attempts with one each fit into an answer and
 * into an item of DynamoDB. The task itself has its newest error in full; the trace and the log have every one.
 */
export function toNotedError(error: Failure): Failure {
  const { type, message, causes } = toKeptFailure(error);
  return {
    type,
    message: cutText(message, maxNotedMessageLength),
    ...(causes && { causes: causes.map((cause) => cutText(cause, maxNotedCauseLength)) }),
  };
}

/** The sweeper sends a task whose lease ran out this long ago. */
export const abandonedAfterMs = 15_000;

/** A task without a handler is sent again after half the time for which it has been due, within these limits. */
const shortestPutOffMs = 1000;
const longestPutOffMs = 60_000;

/** When a task that has been due since `dueMs` is sent again, for a worker that has its handler. */
export function putOffUntil(dueMs: number, nowMs: number): number {
  return nowMs + Math.min(longestPutOffMs, Math.max(shortestPutOffMs, Math.ceil((nowMs - dueMs) / 2)));
}

/** Why a task waits, or has failed, when the workers that receive it have no handler of its type. */
export function noHandlerError(type: string): Failure {
  return { type: "no_handler", message: `the worker that received the task has no handler for the type "${type}"` };
}

/** How an attempt of a canceled task ends: no further attempt follows. */
export function withoutFurtherAttempt(ending: Ending): Ending {
  if (ending.to !== "retrying" && ending.to !== "queued") return ending;
  return { to: "canceled", outcome: outcomeOf(ending), error: ending.error };
}

export function outcomeOf(ending: Ending) {
  switch (ending.to) {
    case "succeeded":
      return "succeeded";
    case "queued":
      return "interrupted";
    case "retrying":
    case "failed":
    case "canceled":
      return ending.outcome;
  }
}

/**
 * The state in which an earlier call left the task, when this call repeats it because its answer was lost; null when there
 * was no such call. The timeline has the span of the attempt with the change that it made.
 */
export function finishedBefore(
  timeline: readonly TimelineEntry[],
  asked: Ending,
  { traceId, spanId, atMs }: Actor,
): Ending["to"] | null {
  const own = timeline.findLast((entry) => entry.from === "running" && entry.spanId === spanId);
  if (own?.traceId !== traceId || own.atMs !== atMs || own.outcome !== outcomeOf(asked)) return null;
  return [asked, withoutFurtherAttempt(asked)].find(({ to }) => to === own.to)?.to ?? null;
}

/** When the sweeper sends the task if no message of it arrives before; null: never. */
export function sendAtAfter(ending: Ending, nowMs: number): number | null {
  switch (ending.to) {
    case "succeeded":
    case "canceled":
      return null;
    case "retrying":
      return ending.sendAtMs;
    case "failed":
    case "queued":
      return nowMs + abandonedAfterMs;
  }
}
