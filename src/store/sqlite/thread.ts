/**
 * The store's thread: takes calls from the role threads over message ports, runs everything that waits there as one
 * transaction at the end of the turn, and answers after the commit. Also holds the waits for a task's end or its next change,
 * so that a waiting caller costs no polling: a commit of this process wakes it at once.
 */

import { type Clock, systemClock } from "../../limits/clock.ts";
import { type Batch, createBatchedPost, readBatch } from "../../threads/batched-post.ts";
import { type Failure, toFailure } from "../../words/errors.ts";
import { isEnded, type TaskRecord } from "../../words/task.ts";
import { nothingSeen, type Seen, type WatchedTask } from "../ports/tasks.ts";
import { type SqliteLocation, StoreLockedError } from "./connection.ts";
import { lookAtLogEveryMs } from "./schema.ts";
import { openSqlite, type SqliteOperations } from "./sqlite.ts";

export type Operation = keyof SqliteOperations;

/** One operation with its arguments, as it crosses to the store's thread. */
export type OperationCall = { [O in Operation]: { op: O; args: Parameters<SqliteOperations[O]> } }[Operation];

/** A wait is for a task's end, or for anything that was not seen of it. */
export type WaitCall =
  | { op: "awaitEnd"; args: [id: string, waitMs: number] }
  | { op: "awaitChange"; args: [id: string, waitMs: number, seen: Seen] };

export type StoreCall = OperationCall | WaitCall;

/** That a wait is over; it is answered like one whose time is, and this itself is not. */
interface WaitOver {
  op: "waitOver";
  args: [id: string, ofNumber: number];
}

export interface StoreQuestion {
  number: number;
  call: StoreCall | WaitOver;
}

/** `isAway`: the store could do nothing at all, as while another process holds its lock. */
export type StoreAnswer = { number: number; value: unknown } | { number: number; failure: Failure; isAway?: boolean };

/** Takes the answers to one role's thread. */
type Tell = (answer: StoreAnswer) => void;

interface Waiting {
  tell: Tell;
  number: number;
  call: OperationCall;
}

interface Waiter {
  tell: Tell;
  number: number;
  id: string;
  /** null: only the end counts. */
  seen: Seen | null;
  timer: ReturnType<typeof setTimeout>;
}

/** How often commits of other processes are looked for while a caller waits for a task's end. */
const otherProcessCheckMs = 25;
/** Each waiting task costs a statement after a commit of another process: at most a tenth of the thread's time. */
const restPerLook = 9;

/** How often the wall clock is looked at when there is nothing else to do. */
const clockLookMs = 1000;

export interface StoreThread {
  /** Serves calls that arrive on this port. */
  serve(port: MessagePort): void;
  close(): void;
}

/** Opens the database in this thread; throws when the folder cannot be used. */
export function startStoreThread(location: SqliteLocation, systemTime: Clock = systemClock): StoreThread {
  const { connection, operations, takeChanged, clock } = openSqlite(location, systemTime);
  const waits = createWaits(operations);
  let waiting: Waiting[] = [];
  let isScheduled = false;

  const runTurn = (): void => {
    isScheduled = false;
    const turn = waiting;
    waiting = [];
    const results = runAll(turn);
    for (const [index, { tell, number }] of turn.entries()) tell(answerOf(number, results[index]));
    for (const [id, hasEnded] of takeChanged()) waits.wake(id, hasEnded);
  };

  /** Under a clock that was set and a file that does not know it, nothing may run. */
  const runAll = (turn: readonly Waiting[]): (() => unknown)[] => {
    try {
      clock.follow();
    } catch (error) {
      return turn.map(() => () => {
        throw error;
      });
    }
    return connection.runBatch(turn.map(({ call }) => toWork(operations, call)));
  };

  let seenVersion = connection.dataVersion();
  let nextLookMs = 0;
  const otherProcesses = setInterval(() => {
    const startMs = performance.now();
    if (waits.size() === 0 || startMs < nextLookMs) return;
    const version = connection.dataVersion();
    if (version !== seenVersion) waits.wakeAll();
    seenVersion = version;
    const endMs = performance.now();
    nextLookMs = endMs + (endMs - startMs) * restPerLook;
  }, otherProcessCheckMs);

  const lookAtClock = setInterval(() => {
    try {
      clock.look();
    } catch {
      // The next look tries again, and so does the next call, which reports the reason.
    }
  }, clockLookMs);

  const shrinking = setInterval(() => connection.shrinkLog(), lookAtLogEveryMs);

  return {
    serve: (port) => {
      const tell = createBatchedPost<StoreAnswer>((batch) => port.postMessage(batch));
      port.onmessage = (event: MessageEvent<Batch>) => {
        for (const { number, call } of readBatch<StoreQuestion>(event.data)) {
          if (call.op === "awaitEnd" || call.op === "awaitChange") waits.wait(tell, number, call);
          else if (call.op === "waitOver") waits.endWait(tell, ...call.args);
          else waiting.push({ tell, number, call });
        }
        if (isScheduled || waiting.length === 0) return;
        isScheduled = true;
        // After everything that this turn of the event loop still delivers: that is the batch.
        setImmediate(runTurn);
      };
    },
    close: () => {
      clearInterval(otherProcesses);
      clearInterval(shrinking);
      clearInterval(lookAtClock);
      waits.releaseAll();
      connection.close();
    },
  };
}

/** The calls that wait for a task's end or its next change. */
function createWaits(operations: SqliteOperations) {
  const waiters = new Map<string, Set<Waiter>>();

  const wake = (id: string, hasEnded: boolean): void => {
    for (const waiter of [...(waiters.get(id) ?? [])]) {
      if (waiter.seen) {
        const watched = operations.watch(id, waiter.seen);
        if (watched !== null) release(waiter, watched);
      } else if (hasEnded) {
        const task = operations.get(id);
        if (!task || isEnded(task.status)) release(waiter, task);
      }
    }
  };

  /** As the task is. */
  const releaseNow = (waiter: Waiter): void => {
    const { id, seen } = waiter;
    release(waiter, seen ? (operations.watch(id, nothingSeen) ?? undefined) : operations.get(id));
  };

  const release = (waiter: Waiter, answer: TaskRecord | WatchedTask | undefined): void => {
    clearTimeout(waiter.timer);
    const others = waiters.get(waiter.id);
    others?.delete(waiter);
    if (others?.size === 0) waiters.delete(waiter.id);
    waiter.tell({ number: waiter.number, value: answer });
  };

  const wait = (tell: Tell, number: number, call: WaitCall): void => {
    const [id, waitMs] = call.args;
    const seen = call.op === "awaitChange" ? call.args[2] : null;
    const timer = setTimeout(() => releaseNow(waiter), waitMs);
    const waiter: Waiter = { tell, number, id, seen, timer };
    waiters.set(id, (waiters.get(id) ?? new Set()).add(waiter));
    wake(id, true);
  };

  const endWait = (tell: Tell, id: string, ofNumber: number): void => {
    const waiter = [...(waiters.get(id) ?? [])].find((it) => it.tell === tell && it.number === ofNumber);
    if (waiter) releaseNow(waiter);
  };

  return {
    wait,
    endWait,
    wake,
    wakeAll: () => {
      for (const id of [...waiters.keys()]) wake(id, true);
    },
    releaseAll: () => {
      for (const set of [...waiters.values()]) for (const waiter of set) releaseNow(waiter);
    },
    size: () => waiters.size,
  };
}

function toWork(operations: SqliteOperations, { op, args }: OperationCall): () => unknown {
  // An operation and its arguments come as a pair of one type.
  const operation = operations[op] as (...values: unknown[]) => unknown;
  return () => operation(...args);
}

function answerOf(number: number, result: (() => unknown) | undefined): StoreAnswer {
  try {
    return { number, value: result?.() };
  } catch (error) {
    return { number, failure: toFailure(error), ...(error instanceof StoreLockedError && { isAway: true }) };
  }
}
