/** Tasks in a store, in few words: what a test says nothing about is the same for all of them. */

import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { ClaimResult, Ending, Lease, LeaseState } from "../../src/store/ports/attempts.ts";
import type { DeathResult, DiscardResult } from "../../src/store/ports/dead-letters.ts";
import type { DueTask, Sent } from "../../src/store/ports/sends.ts";
import type { Store } from "../../src/store/ports/store.ts";
import type { Actor, CancelResult, CreateResult, NewTask } from "../../src/store/ports/tasks.ts";
import type { DeadReason, TaskRecord, TimelineEntry } from "../../src/words/task.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { claimOne, createOne, finishOne } from "./store-entries.ts";

/** When every test begins. */
export const t0 = 1_700_000_000_000;
export const leaseMs = 30_000;

/** A worker that makes a change at `atMs`, in a span of that time's own. */
export function actorAt(atMs: number): Actor {
  return { atMs, service: "worker", traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: `span at ${atMs - t0}` };
}

/** A task as it is accepted: queued, and to be sent again after half a minute. */
export function newTask(changes: Partial<NewTask> = {}): NewTask {
  return {
    id: newTaskId(),
    type: "echo",
    payload: '{"n":1}',
    metadata: { tenant: "blue" },
    maxAttempts: 3,
    timeoutMs: null,
    correlationId: "c-1",
    runAtMs: t0,
    isTimed: false,
    status: "queued",
    origin: { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
    sendAtMs: t0 + 30_000,
    idempotency: null,
    ...changes,
  };
}

/** How `task` reads before its first claim. */
export function recordOf(task: NewTask): TaskRecord {
  const { id, type, status, payload, maxAttempts, timeoutMs, correlationId, metadata, runAtMs } = task;
  const told = { id, type, status, payload, maxAttempts, timeoutMs, correlationId, metadata, runAtMs };
  const none = { result: null, error: null, startedAtMs: null, endedAtMs: null };
  const { traceId } = actorAt(t0);
  const fresh = { attempt: 0, runsAlone: false, redrives: 0, redrivenFrom: null, progress: null };
  return { ...told, ...none, ...fresh, traceId, createdAtMs: t0 };
}

/** How `actorAt(atMs)` reads as the traceparent of an attempt or a death. */
export function traceparentAt(atMs: number): string {
  const { traceId, spanId } = actorAt(atMs);
  return `00-${traceId}-${spanId}-01`;
}

/** One entry of a timeline, at `atMs`. */
export function entryAt(atMs: number, entry: Pick<TimelineEntry, "from" | "to"> & Partial<TimelineEntry>) {
  const { traceId, spanId, service } = actorAt(atMs);
  const none = { attempt: 0, durationMs: 0, outcome: null, error: null, worker: null };
  return { atMs, traceId, spanId, service, ...none, ...entry } satisfies TimelineEntry;
}

export interface StoredTasks {
  /** Creates, and gives what was asked for. */
  create(changes?: Partial<NewTask>, atMs?: number): Promise<NewTask>;
  tryCreate(task: NewTask, atMs?: number): Promise<CreateResult>;
  get(id: string): Promise<TaskRecord | undefined>;
  timeline(id: string): Promise<TimelineEntry[]>;
  claim(id: string, atMs: number, worker?: string): Promise<ClaimResult>;
  /** The same by a worker without a handler, after which a task that has been due for `limitMs` fails. */
  putOff(id: string, atMs: number, limitMs?: number): Promise<ClaimResult>;
  /** Claims, and throws unless the claim was won. */
  win(id: string, atMs: number, worker?: string): Promise<Extract<ClaimResult, { kind: "won" }>>;
  extend(leases: readonly Lease[], nowMs: number): Promise<LeaseState[]>;
  /** False when the claim was no longer the newest. */
  finish(id: string, claim: number, ending: Ending, atMs: number): Promise<boolean>;
  cancel(id: string, atMs: number): Promise<CancelResult>;
  die(id: string, reason: DeadReason, atMs: number): Promise<DeathResult>;
  discard(id: string, reason: string, atMs: number): Promise<DiscardResult>;
  /** Confirms sends, each made under the claim number that it names. */
  confirm(atMs: number, ...sent: Sent[]): Promise<void>;
  /** Confirms sends of tasks that nobody has claimed yet. */
  markSent(...ids: string[]): Promise<void>;
  takeDue(atMs: number, options?: { limit?: number; holdMs?: number }): Promise<DueTask[]>;
  /** Ids of what is due. */
  due(atMs: number, options?: { limit?: number; holdMs?: number }): Promise<string[]>;
}

export function tasksIn(store: Store): StoredTasks {
  const tasks: StoredTasks = {
    create: async (changes, atMs) => {
      const task = newTask(changes);
      await tasks.tryCreate(task, atMs);
      return task;
    },
    tryCreate: (task, atMs = t0) => createOne(store, task, actorAt(atMs), ROOT_CONTEXT),
    get: (id) => store.get(id, ROOT_CONTEXT),
    timeline: (id) => store.timeline(id, ROOT_CONTEXT),
    claim: (id, atMs, worker = "w1") => claimOne(store, { id, worker, leaseMs, actor: actorAt(atMs) }, ROOT_CONTEXT),
    putOff: (id, atMs, limitMs = 3_600_000) =>
      claimOne(store, { id, worker: "w0", leaseMs, actor: actorAt(atMs), lacksHandler: { limitMs } }, ROOT_CONTEXT),
    win: async (id, atMs, worker) => {
      const claimed = await tasks.claim(id, atMs, worker);
      if (claimed.kind !== "won") throw new Error(`the claim was not won: ${JSON.stringify(claimed)}`);
      return claimed;
    },
    extend: (leases, nowMs) => store.extend(leases, leaseMs, nowMs, ROOT_CONTEXT),
    finish: async (id, claim, ending, atMs) =>
      (await finishOne(store, { id, claim, ending, actor: actorAt(atMs) }, ROOT_CONTEXT)) !== null,
    cancel: (id, atMs) => store.cancel(id, actorAt(atMs), ROOT_CONTEXT),
    die: (id, reason, atMs) => store.recordDead({ id, reason, actor: actorAt(atMs) }, ROOT_CONTEXT),
    discard: (id, reason, atMs) => store.discard(id, reason, actorAt(atMs), ROOT_CONTEXT),
    confirm: (atMs, ...sent) => store.markSent(sent, atMs, ROOT_CONTEXT),
    markSent: (...ids) => tasks.confirm(t0, ...ids.map((id) => ({ id, claim: 0 }))),
    takeDue: (atMs, { limit = 100, holdMs = 10_000 } = {}) => store.takeDue(limit, holdMs, actorAt(atMs)),
    due: async (atMs, options) => (await tasks.takeDue(atMs, options)).map(({ id }) => id),
  };
  return tasks;
}
