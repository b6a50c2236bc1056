/**
 * A task as items of the DynamoDB table, and how they become the record of `task.ts`. What is null there is absent here.
 *
 * An item may have 400 KB for everything. A longer result is stored as bytes in items of its own, written in one
 * transaction with the outcome; reading a task without its result costs nothing more.
 */

import { maxResultBytesOnDynamo } from "../../config.ts";
import { TaskError, toKeptFailure } from "../../words/errors.ts";
import type { DeadReason, TaskRecord, TaskStatus } from "../../words/task.ts";
import { toWellFormedJson } from "../../words/text.ts";
import type { DueTask } from "../ports/sends.ts";
import type { Actor, NewTask } from "../ports/tasks.ts";
import type { Caller, DynamoCalls, TransactItems } from "./calls.ts";
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

/** A longer result is stored apart: each change of a task costs capacity for everything in its item. */
const maxInlineBytes = 32 * 1024;
const partBytes = 350 * 1024;

/** A result as its item keeps it. Throws `internal` when no transaction could hold it. */
export interface KeptResult {
  set: Record<string, unknown>;
  parts: TransactItems;
}

export function keepResult(table: string, id: string, result: string, ttl: number | undefined): KeptResult {
  const bytes = Buffer.from(result);
  if (bytes.length <= maxInlineBytes) return { set: { result }, parts: [] };
  const count = Math.ceil(bytes.length / partBytes);
  if (bytes.length > maxResultBytesOnDynamo) {
    throw new TaskError("internal", `a result of ${bytes.length} bytes cannot be kept: the store takes up to 3.5 MB`);
  }
  const parts = Array.from({ length: count }, (_, n) => ({
    Put: {
      TableName: table,
      Item: { pk: keyOf(id, n), bytes: bytes.subarray(n * partBytes, (n + 1) * partBytes), ttl },
    },
  }));
  return { set: { resultParts: count }, parts };
}

/** The task's item with its whole result. */
export async function withResult(calls: DynamoCalls, item: TaskItem, caller: Caller): Promise<TaskItem> {
  const { pk, resultParts } = item;
  if (resultParts === undefined) return item;
  const keys = Array.from({ length: resultParts }, (_, n) => keyOf(pk, n));
  const found = await calls.batchGet(keys, { ConsistentRead: true }, caller);
  // Only `keepResult` writes items of such keys.
  const bytes = new Map(found.map((part) => [part.pk, part.bytes as Uint8Array]));
  return { ...item, result: Buffer.concat(keys.map((key) => bytes.get(key) ?? new Uint8Array())).toString() };
}

function keyOf(id: string, part: number): string {
  return `result#${id}#${part}`;
}
