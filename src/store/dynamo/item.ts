/** A task as an item of the DynamoDB table, and how it becomes the words of `task.ts`. What is null there is absent here. */

import { toKeptFailure } from "../../words/errors.ts";
import type { DeadReason, TaskRecord, TaskStatus } from "../../words/task.ts";
import { toWellFormedJson } from "../../words/text.ts";
import type { DueTask } from "../ports/sends.ts";
import type { Actor, NewTask } from "../ports/tasks.ts";
import { type Standing, shelfOf, standingOf } from "./lanes.ts";
import { noteOf } from "./timeline.ts";

/** Times are milliseconds since the epoch; `metadata`, `error` and the origins are JSON texts. */
export interface TaskItem extends Partial<Standing> {
  /** The key of the table: the task's id. */
  pk: string;
  type: string;
  status: TaskStatus;
  /** Counts changes: what was decided by an item holds while it is the same. */
  version: number;
  /** Of the call that made the newest change: a call that is repeated because its answer was lost knows itself. */
  token: string;
  payload: string;
  metadata: string;
  result?: string;
  /** The result is so long that it stands in so many items of its own. */
  resultParts?: number;
  error?: string;
  errorType?: string;
  reason?: DeadReason;
  attempt: number;
  maxAttempts: number;
  timeoutMs?: number;
  /** The fence: never goes back. */
  claim: number;
  leaseUntilMs?: number;
  correlationId: string;
  traceId: string;
  origin: string;
  createdAtMs: number;
  runAtMs: number;
  startedAtMs?: number;
  endedAtMs?: number;
  diedAtMs?: number;
  runsAlone?: true;
  isCancelAsked?: true;
  redrives: number;
  redrivenAtMs?: number;
  redriveOrigin?: string;
  redrivenFrom?: string;
  /** Where it stands in the index of lists. */
  shelf: string;
  progress?: number;
  /** What it died of, as a fingerprint. */
  deadGroup?: string;
  timeline: string[];
  /** When DynamoDB may remove it, in seconds since the epoch. */
  ttl?: number;
}

/** What the index knows of a task. */
export const indexedAttributes = ["status", "runAtMs", "type", "errorType", "reason", "redrives", "deadGroup"] as const;

export type IndexedTask = Pick<TaskItem, "pk" | (typeof indexedAttributes)[number]> & Standing;

/** What the index of lists knows of a task. */
export const listedAttributes = ["type", "correlationId"] as const;

export function toNewItem(task: NewTask, actor: Actor, token: string): TaskItem {
  return {
    pk: task.id,
    type: task.type,
    status: task.status,
    version: 1,
    token,
    payload: task.payload,
    metadata: JSON.stringify(task.metadata),
    attempt: 0,
    maxAttempts: task.maxAttempts,
    ...(task.timeoutMs !== null && { timeoutMs: task.timeoutMs }),
    claim: 0,
    correlationId: task.correlationId,
    traceId: actor.traceId,
    origin: JSON.stringify(task.origin),
    createdAtMs: actor.atMs,
    runAtMs: task.runAtMs,
    redrives: 0,
    shelf: shelfOf(task.id),
    timeline: [noteOf(actor, { to: task.status })],
    ...standingOf("due", task.sendAtMs, task.id),
  };
}

export function fromItem(item: TaskItem): TaskRecord {
  return {
    id: item.pk,
    type: item.type,
    status: item.status,
    payload: item.payload,
    result: item.result ?? null,
    error: item.error === undefined ? null : toKeptFailure(JSON.parse(toWellFormedJson(item.error))),
    attempt: item.attempt,
    maxAttempts: item.maxAttempts,
    timeoutMs: item.timeoutMs ?? null,
    correlationId: item.correlationId,
    traceId: item.traceId,
    metadata: JSON.parse(toWellFormedJson(item.metadata)),
    createdAtMs: item.createdAtMs,
    runAtMs: item.runAtMs,
    startedAtMs: item.startedAtMs ?? null,
    endedAtMs: item.endedAtMs ?? null,
    runsAlone: item.runsAlone ?? false,
    redrives: item.redrives,
    redrivenFrom: item.redrivenFrom ?? null,
    progress: item.progress ?? null,
  };
}

/** What a send of the task needs, and starts from. */
export function toDueTask(item: TaskItem): DueTask {
  return {
    id: item.pk,
    claim: item.claim,
    type: item.type,
    correlationId: item.correlationId,
    origin: JSON.parse(item.redriveOrigin ?? item.origin),
    redrivenAtMs: item.redrivenAtMs ?? null,
  };
}
