/**
 * The store's thread: takes calls from the role threads over message ports, runs everything that waits there as one
 * transaction at the end of the turn, and answers after the commit. Also holds the waits for a task's end, so that a
 * waiting caller costs no polling: a commit of this process wakes it at once.
 */

import { type Failure, toFailure } from "../errors.ts";
import type { TaskType } from "../task.ts";
import { isEnded, type TaskRecord } from "../task.ts";
import { openSqlite, type SqliteLocation, type SqliteTasks } from "./sqlite.ts";
import type { Actor, ClaimRequest, DeathReport, FinishRequest, Lease, NewTask, UnreadableMessage } from "./store.ts";

/** One call, as it crosses to the store's thread. */
export type StoreCall =
  | { op: "create"; task: NewTask; actor: Actor }
  | { op: "get"; id: string }
  | { op: "timeline"; id: string }
  | { op: "awaitEnd"; id: string; waitMs: number }
  | { op: "claim"; request: ClaimRequest }
  | { op: "extend"; leases: readonly Lease[]; leaseMs: number; nowMs: number }
  | { op: "finish"; request: FinishRequest }
  | { op: "recordDead"; report: DeathReport }
  | { op: "keepUnreadable"; message: UnreadableMessage }
  | { op: "markSent"; ids: readonly string[] }
  | { op: "takeDue"; limit: number; holdMs: number; actor: Actor }
  | { op: "resendAll" }
  | { op: "registerTypes"; types: readonly TaskType[] }
  | { op: "listTypes" }
  | { op: "ping" };

export interface StoreQuestion {
  number: number;
  call: StoreCall;
}

export type StoreAnswer = { number: number; value: unknown } | { number: number; failure: Failure };

interface Waiting {
  port: MessagePort;
  number: number;
  call: Exclude<StoreCall, { op: "awaitEnd" }>;
}

interface Waiter {
  port: MessagePort;
  number: number;
  id: string;
  timer: ReturnType<typeof setTimeout>;
}

/** How often commits of other processes are looked for while somebody waits for a task's end. */
const otherProcessCheckMs = 25;

export interface StoreThread {
  /** Serves calls that arrive on this port. */
  serve(port: MessagePort): void;
  close(): void;
}

/** Opens the database in this thread; throws when the folder cannot be used. */
export function startStoreThread(location: SqliteLocation): StoreThread {
  const tasks = openSqlite(location);
  const waiters = new Set<Waiter>();
  let waiting: Waiting[] = [];
  let isScheduled = false;

  const runTurn = (): void => {
    isScheduled = false;
    const turn = waiting;
    waiting = [];
    const results = tasks.runBatch(
      turn.map(
        ({ call }) =>
          () =>
            perform(tasks, call),
      ),
    );
    answerAll(turn, results);
    if (waiters.size > 0 && turn.some(({ call }) => call.op === "finish" || call.op === "recordDead")) wake();
  };

  const wake = (): void => {
    for (const waiter of waiters) {
      const task = tasks.get(waiter.id);
      if (!task || isEnded(task.status)) release(waiter, task);
    }
  };

  const release = (waiter: Waiter, task: TaskRecord | undefined): void => {
    clearTimeout(waiter.timer);
    waiters.delete(waiter);
    waiter.port.postMessage([{ number: waiter.number, value: task }] satisfies StoreAnswer[]);
  };

  const wait = (port: MessagePort, number: number, id: string, waitMs: number): void => {
    const timer = setTimeout(() => release(waiter, tasks.get(id)), waitMs);
    const waiter: Waiter = { port, number, id, timer };
    waiters.add(waiter);
    const task = tasks.get(id);
    if (!task || isEnded(task.status)) release(waiter, task);
  };

  let seenVersion = tasks.dataVersion();
  const otherProcesses = setInterval(() => {
    if (waiters.size === 0) return;
    const version = tasks.dataVersion();
    if (version !== seenVersion) wake();
    seenVersion = version;
  }, otherProcessCheckMs);

  return {
    serve: (port) => {
      port.onmessage = (event: MessageEvent<StoreQuestion[]>) => {
        for (const { number, call } of event.data) {
          if (call.op === "awaitEnd") wait(port, number, call.id, call.waitMs);
          else waiting.push({ port, number, call });
        }
        if (isScheduled || waiting.length === 0) return;
        isScheduled = true;
        // After everything that this turn of the event loop still delivers: that is the batch.
        setImmediate(runTurn);
      };
    },
    close: () => {
      clearInterval(otherProcesses);
      for (const waiter of waiters) release(waiter, tasks.get(waiter.id));
      tasks.close();
    },
  };
}

function perform(tasks: SqliteTasks, call: Waiting["call"]): unknown {
  switch (call.op) {
    case "create":
      return tasks.create(call.task, call.actor);
    case "get":
      return tasks.get(call.id);
    case "timeline":
      return tasks.timeline(call.id);
    case "claim":
      return tasks.claim(call.request);
    case "extend":
      return tasks.extend(call.leases, call.leaseMs, call.nowMs);
    case "finish":
      return tasks.finish(call.request);
    case "recordDead":
      return tasks.recordDead(call.report);
    case "keepUnreadable":
      return tasks.keepUnreadable(call.message);
    case "markSent":
      return tasks.markSent(call.ids);
    case "takeDue":
      return tasks.takeDue(call.limit, call.holdMs, call.actor);
    case "resendAll":
      return tasks.resendAll();
    case "registerTypes":
      return tasks.registerTypes(call.types);
    case "listTypes":
      return tasks.listTypes();
    case "ping":
      return true;
  }
}

/** One message for each port, with the answers of all its calls. */
function answerAll(turn: readonly Waiting[], results: readonly (() => unknown)[]): void {
  const answers = new Map<MessagePort, StoreAnswer[]>();
  turn.forEach(({ port, number }, index) => {
    const list = answers.get(port) ?? [];
    list.push(answerOf(number, results[index]));
    answers.set(port, list);
  });
  for (const [port, list] of answers) port.postMessage(list);
}

function answerOf(number: number, result: (() => unknown) | undefined): StoreAnswer {
  try {
    return { number, value: result?.() };
  } catch (error) {
    return { number, failure: toFailure(error) };
  }
}
