/**
 * The store's thread: takes calls from the role threads over message ports, runs everything that waits there as one
 * transaction at the end of the turn, and answers after the commit. Also holds the waits for a task's end, so that a
 * waiting caller costs no polling: a commit of this process wakes it at once.
 */

import { type Failure, toFailure } from "../errors.ts";
import { isEnded, type TaskRecord } from "../task.ts";
import { openSqlite, type SqliteOperations } from "./sqlite.ts";
import type { SqliteLocation } from "./sqlite-connection.ts";

export type Operation = keyof SqliteOperations;

/** One operation with its arguments, as it crosses to the store's thread. */
export type OperationCall = { [O in Operation]: { op: O; args: Parameters<SqliteOperations[O]> } }[Operation];

export type StoreCall = OperationCall | { op: "awaitEnd"; args: [id: string, waitMs: number] };

/** That a wait is over; it is answered like one whose time is, and this itself is not. */
export interface WaitOver {
  op: "waitOver";
  args: [id: string, ofNumber: number];
}

export interface StoreQuestion {
  number: number;
  call: StoreCall | WaitOver;
}

export type StoreAnswer = { number: number; value: unknown } | { number: number; failure: Failure };

interface Waiting {
  port: MessagePort;
  number: number;
  call: OperationCall;
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
  const { connection, operations, takeEnded } = openSqlite(location);
  const waiters = new Map<string, Set<Waiter>>();
  let waiting: Waiting[] = [];
  let isScheduled = false;

  const runTurn = (): void => {
    isScheduled = false;
    const turn = waiting;
    waiting = [];
    answerAll(turn, connection.runBatch(turn.map(({ call }) => toWork(operations, call))));
    for (const id of takeEnded()) wake(id);
  };

  const wake = (id: string): void => {
    const waiting = waiters.get(id);
    if (!waiting) return;
    const task = operations.get(id);
    if (!task || isEnded(task.status)) for (const waiter of waiting) release(waiter, task);
  };

  const release = (waiter: Waiter, task: TaskRecord | undefined): void => {
    clearTimeout(waiter.timer);
    const others = waiters.get(waiter.id);
    others?.delete(waiter);
    if (others?.size === 0) waiters.delete(waiter.id);
    waiter.port.postMessage([{ number: waiter.number, value: task }] satisfies StoreAnswer[]);
  };

  const wait = (port: MessagePort, number: number, id: string, waitMs: number): void => {
    const timer = setTimeout(() => release(waiter, operations.get(id)), waitMs);
    const waiter: Waiter = { port, number, id, timer };
    waiters.set(id, (waiters.get(id) ?? new Set()).add(waiter));
    wake(id);
  };

  const endWait = (port: MessagePort, id: string, ofNumber: number): void => {
    const waiter = [...(waiters.get(id) ?? [])].find((it) => it.port === port && it.number === ofNumber);
    if (waiter) release(waiter, operations.get(id));
  };

  let seenVersion = connection.dataVersion();
  const otherProcesses = setInterval(() => {
    if (waiters.size === 0) return;
    const version = connection.dataVersion();
    if (version !== seenVersion) for (const id of [...waiters.keys()]) wake(id);
    seenVersion = version;
  }, otherProcessCheckMs);

  return {
    serve: (port) => {
      port.onmessage = (event: MessageEvent<StoreQuestion[]>) => {
        for (const { number, call } of event.data) {
          if (call.op === "awaitEnd") wait(port, number, ...call.args);
          else if (call.op === "waitOver") endWait(port, ...call.args);
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
      for (const set of [...waiters.values()]) for (const waiter of set) release(waiter, operations.get(waiter.id));
      connection.close();
    },
  };
}

function toWork(operations: SqliteOperations, { op, args }: OperationCall): () => unknown {
  // An operation and its arguments come as a pair of one type.
  const operation = operations[op] as (...values: unknown[]) => unknown;
  return () => operation(...args);
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
