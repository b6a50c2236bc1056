/** What should become of a task, in plain values: the model that model.ts holds the store against. */

import type { Ending, LeaseState } from "../../../src/store/ports/attempts.ts";
import { redriveGuard } from "../../../src/store/ports/redrives.ts";
import { type DeadReason, isEnded, type TaskStatus } from "../../../src/words/task.ts";
import { sendWithinMs } from "../../support/redrives.ts";
import { leaseMs } from "../../support/stored-tasks.ts";

/** After a lease ran out, or an attempt's end, the sweeper waits this long for a message to turn up. */
const graceMs = 15_000;
/** A sweep keeps what it took from other sweeps for this long. */
export const holdMs = 10_000;

export interface TaskModel {
  id: string;
  status: TaskStatus;
  attempt: number;
  maxAttempts: number;
  /** The newest claim; each one that was won is one more. */
  claim: number;
  leaseUntilMs: number;
  runAtMs: number;
  isCancelAsked: boolean;
  redrives: number;
  /** When a sweep takes it; null: never. */
  dueAtMs: number | null;
  /** What its newest attempt ended with, if it told. */
  finished?: { claim: number; atMs: number; to: Ending["to"] };
  /** When the broker last confirmed a message of it. */
  sentAtMs: number | null;
}

function end(model: TaskModel, status: TaskStatus): void {
  Object.assign(model, { status, dueAtMs: null });
}

/** What a claim should give, and what it makes of the task. */
export function claim(model: TaskModel, nowMs: number): object {
  const { status } = model;
  if (isEnded(status)) return { kind: "ended", status };
  if (status === "failed") return { kind: "failed" };
  if (status === "running" && model.leaseUntilMs > nowMs) return { kind: "leased", untilMs: model.leaseUntilMs };
  if (model.isCancelAsked) {
    end(model, "canceled");
    return { kind: "ended", status: "canceled" };
  }
  if (model.runAtMs > nowMs) return { kind: "early", untilMs: model.runAtMs };
  if (model.attempt === model.maxAttempts) {
    model.status = "failed";
    return { kind: "failed", reason: "never_finished" };
  }
  Object.assign(model, { status: "running", attempt: model.attempt + 1, claim: model.claim + 1 });
  prolong(model, nowMs);
  return { kind: "won", claim: model.claim, task: { status: "running", attempt: model.attempt } };
}

function prolong(model: TaskModel, nowMs: number): void {
  model.leaseUntilMs = nowMs + leaseMs;
  model.dueAtMs = model.leaseUntilMs + graceMs;
}

export function extend(model: TaskModel, number: number, nowMs: number): LeaseState {
  if (model.status !== "running" || number !== model.claim) return "lost";
  prolong(model, nowMs);
  return model.isCancelAsked ? "canceled" : "kept";
}

export function finish(model: TaskModel, number: number, ending: Ending, nowMs: number): boolean {
  if (number !== model.claim) return false;
  if (model.status !== "running") {
    // The tests' spans are those of their times: the same outcome at the same time is the same call, repeated.
    return model.finished?.claim === number && model.finished.atMs === nowMs && model.finished.to === ending.to;
  }
  model.finished = { claim: number, atMs: nowMs, to: ending.to };
  if (ending.to === "succeeded" || ending.to === "canceled") end(model, ending.to);
  else if (ending.to === "failed") Object.assign(model, { status: "failed", dueAtMs: nowMs + graceMs });
  else if (model.isCancelAsked) end(model, "canceled");
  else if (ending.to === "queued") {
    Object.assign(model, { status: "queued", attempt: model.attempt - 1, dueAtMs: nowMs + graceMs });
  } else Object.assign(model, { status: "retrying", runAtMs: ending.runAtMs, dueAtMs: ending.sendAtMs });
  return true;
}

export function cancel(model: TaskModel): object {
  const { status } = model;
  if (isEnded(status) || status === "failed") return { kind: "moved_on", status };
  if (status === "running") {
    model.isCancelAsked = true;
    return { kind: "requested" };
  }
  end(model, "canceled");
  return { kind: "canceled", task: { status: "canceled" } };
}

/** A letter that a worker sent is about a task that has failed; the broker's own ends all but what a lease holds. */
export function die(model: TaskModel, reason: DeadReason, nowMs: number): object {
  const { status } = model;
  const isHeld = status === "running" && model.leaseUntilMs > nowMs;
  if (isHeld || isEnded(status) || (status !== "failed" && reason !== "receive_limit"))
    return { kind: "known", status };
  end(model, "dead");
  return { kind: "recorded", task: { status: "dead" } };
}

export function discard(model: TaskModel): object {
  const { status } = model;
  if (status !== "dead") return { kind: "moved_on", status };
  end(model, "discarded");
  return { kind: "discarded", task: { status: "discarded" } };
}

export function isRedrivable(model: TaskModel, isForced: boolean): boolean {
  return model.status === "dead" && (isForced || model.redrives < redriveGuard);
}

export function redrive(model: TaskModel, nowMs: number): void {
  const fresh = { status: "queued", attempt: 0, runAtMs: nowMs, isCancelAsked: false, sentAtMs: null } as const;
  Object.assign(model, { ...fresh, dueAtMs: nowMs + sendWithinMs, redrives: model.redrives + 1 });
}

function awaitsClaim({ status }: TaskModel): boolean {
  return status === "queued" || status === "retrying";
}

export function confirm(model: TaskModel, number: number, nowMs: number): void {
  if (awaitsClaim(model) && number === model.claim) Object.assign(model, { dueAtMs: null, sentAtMs: nowMs });
}

/** Whether a sweep takes it. */
export function sweep(model: TaskModel, nowMs: number): boolean {
  if (model.dueAtMs === null || model.dueAtMs > nowMs) return false;
  model.dueAtMs = nowMs + holdMs;
  if (model.status === "scheduled") model.status = "queued";
  return true;
}

/** Whether its message may be lost, and it is made due for that. */
export function resend(model: TaskModel, nowMs: number): boolean {
  const { dueAtMs, sentAtMs } = model;
  if (!awaitsClaim(model) || dueAtMs !== null || sentAtMs === null || sentAtMs > nowMs) return false;
  model.dueAtMs = nowMs;
  return true;
}
