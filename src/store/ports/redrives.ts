/**
 * The port of redrives, which bring many dead letters back step by step. A redrive's progress is committed together with
 * the tasks of each step, so that any dlq role can continue it after a crash, and its counts add up. Below the port are
 * the stored form of a redrive and the decisions about a step that are the same in every store. Pure.
 */

import type { Context } from "@opentelemetry/api";
import type { Carrier } from "../../telemetry/context/propagation.ts";
import type { TaskStatus } from "../../words/task.ts";
import type { DeadSelection } from "./dead-letters.ts";
import type { DueTask } from "./sends.ts";
import type { Actor } from "./tasks.ts";

export interface RedriveOrder {
  id: string;
  selection: DeadSelection;
  /** Tasks a second; null: as fast as it goes. */
  ratePerSecond: number | null;
  /** Also tasks that have come back dead from as many redrives as the guard allows. */
  isForced: boolean;
  /** Why, in the caller's words; may be empty. */
  reason: string;
  /** JSON text in place of the payload of the one task that is named; null: the payload stays. */
  payload: string | null;
}

type RedriveStatus = "running" | "paused" | "canceled" | "completed";
export type RedriveCommand = "pause" | "resume" | "cancel";

export interface Redrive extends RedriveOrder {
  status: RedriveStatus;
  /** Dead letters that matched when it was ordered. */
  matched: number;
  moved: number;
  /** Not brought back: gone meanwhile, unknown, or held by the guard. */
  failed: number;
  createdAtMs: number;
  endedAtMs: number | null;
}

/** The first tasks that a redrive moves are followed, up to this many: their outcome can be read. */
export const maxFollowed = 1000;

/** What has become of the tasks that a redrive moved, as far as they are still stored. */
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

/** The next step of a redrive, as proposed: nothing has been moved yet. */
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
interface RedriveMove {
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

/** A task that has come back dead from this many redrives comes back again only by force. */
export const redriveGuard = 3;

export interface RedriveStore {
  /** How many dead letters match, and how many of them the guard would hold. Changes nothing. */
  countRedrive(order: RedriveOrder, context: Context): Promise<{ matched: number; refused: number }>;
  /** Rejects as `internal` when there is a redrive of that id. */
  startRedrive(order: RedriveOrder, nowMs: number, context: Context): Promise<Redrive>;
  getRedrive(id: string, context: Context): Promise<Redrive | undefined>;
  /** For an unknown redrive, nothing is followed. */
  redriveOutcome(id: string, context: Context): Promise<RedriveOutcome>;
  /** The redrive after the command, or undefined when there is none. One that has ended takes no command. */
  controlRedrive(
    id: string,
    command: RedriveCommand,
    nowMs: number,
    context: Context,
  ): Promise<{ redrive: Redrive; isTaken: boolean } | undefined>;
  /** The next step of the redrive that is due first; else how long none is due, null when none runs. */
  proposeRedrive(limit: number, nowMs: number): Promise<RedriveStep | { waitMs: number | null }>;
  /**
   * Commits a step: gives the tasks that came back, to be sent. Undefined, and nothing was written, when another has
   * committed it or the redrive was stopped. The sweeper sends what is not sent within `sendWithinMs`.
   */
  commitRedrive(commit: RedriveCommit, context: Context): Promise<DueTask[] | undefined>;
}

/** A redrive as both engines store it. */
export interface RedriveRow {
  id: string;
  status: RedriveStatus;
  selection: string;
  rate: number | null;
  is_forced: number;
  reason: string;
  matched: number;
  moved: number;
  failed: number;
  step: number;
  cursor: string;
  next_at: number;
  created_at: number;
  ended_at: number | null;
  /** On DynamoDB not there when it is older than the field. */
  payload?: string | null;
}

/** A task that a redrive moved, and as it is now. */
export interface FollowedTask {
  movedAtMs: number;
  status: TaskStatus;
  redrivenAtMs: number | null;
}

export function toOutcome(tasks: readonly FollowedTask[]): RedriveOutcome {
  const outcome: RedriveOutcome = { followed: tasks.length, succeeded: 0, dead: 0, canceled: 0, discarded: 0 };
  for (const { status, movedAtMs, redrivenAtMs } of tasks) {
    // Only the dead are brought back.
    const became = (redrivenAtMs ?? 0) > movedAtMs ? "dead" : status;
    if (became === "succeeded" || became === "dead" || became === "canceled" || became === "discarded") {
      outcome[became] += 1;
    }
  }
  return outcome;
}

/** A new redrive; with nothing to bring back it has ended as it begins. */
export function toRedriveRow(order: RedriveOrder, matched: number, nowMs: number): RedriveRow {
  return {
    id: order.id,
    status: matched === 0 ? "completed" : "running",
    selection: JSON.stringify(order.selection),
    rate: order.ratePerSecond,
    is_forced: order.isForced ? 1 : 0,
    reason: order.reason,
    matched,
    moved: 0,
    failed: 0,
    step: 0,
    cursor: "",
    next_at: nowMs,
    created_at: nowMs,
    ended_at: matched === 0 ? nowMs : null,
    payload: order.payload,
  };
}

export function fromRedriveRow(row: RedriveRow): Redrive {
  return {
    id: row.id,
    selection: JSON.parse(row.selection),
    ratePerSecond: row.rate,
    isForced: row.is_forced === 1,
    reason: row.reason,
    payload: row.payload ?? null,
    status: row.status,
    matched: row.matched,
    moved: row.moved,
    failed: row.failed,
    createdAtMs: row.created_at,
    endedAtMs: row.ended_at,
  };
}

/** The counts after a step that brought back `revived` tasks; in the end moved and failed make up what was matched. */
export function countsAfter(row: RedriveRow, { step, moves }: RedriveCommit, revived: number) {
  const moved = row.moved + revived;
  const met = row.failed + step.refused + moves.length - revived;
  // What a filter had matched and no step has met is gone: discarded, pruned, or brought back by another.
  const failed = step.isLast ? Math.max(met, row.matched - moved) : met;
  // A death that was recorded late, for a time before the order, was not counted with it.
  return { matched: Math.max(row.matched, moved + failed), moved, failed };
}

export const statusAfter = { pause: "paused", resume: "running", cancel: "canceled" } as const satisfies Record<
  RedriveCommand,
  RedriveRow["status"]
>;

/** A step that comes late, because the machine is busy, does not make up for more than this. */
const maxCatchUpMs = 1000;

/** Steps of about a tenth of a second, so that the rate is even and a pause takes effect at once. */
export function stepSize({ ratePerSecond }: Redrive, limit: number): number {
  return ratePerSecond === null ? limit : Math.min(limit, Math.max(1, Math.ceil(ratePerSecond / 10)));
}

/** When the step after this one is due, so that the rate holds for any number of dlq roles together. */
export function nextStepAt({ rate, next_at: nextAt }: RedriveRow, revived: number, nowMs: number): number {
  const pauseMs = rate === null ? 0 : (revived / rate) * 1000;
  return Math.ceil(Math.max(nextAt, nowMs - maxCatchUpMs) + pauseMs);
}
