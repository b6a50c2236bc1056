/** Rows of the table of redrives, and how they become the port's words. */

import type { TaskStatus } from "../words/task.ts";
import type {
  Redrive,
  RedriveCandidate,
  RedriveCommand,
  RedriveCommit,
  RedriveOrder,
  RedriveOutcome,
  RedriveStatus,
} from "./ports/dead-letters.ts";
import type { TaskRow } from "./sqlite/rows.ts";

/** Columns in the order of the table. */
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
  // What a filter had matched and nobody met is gone: discarded, pruned, or brought back by another.
  const failed = step.isLast ? Math.max(met, row.matched - moved) : met;
  // A death that was recorded late, for a time before the order, was not counted with it.
  return { matched: Math.max(row.matched, moved + failed), moved, failed };
}

export function toCandidate(row: TaskRow, deathTraceparent: string): RedriveCandidate {
  return {
    id: row.id,
    type: row.type,
    correlationId: row.correlation_id,
    origin: JSON.parse(row.origin),
    deathTraceparent,
  };
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
