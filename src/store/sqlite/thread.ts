/**
 * The store's thread: takes calls from the role threads over message ports, runs everything that waits there as one
 * transaction at the end of the turn, and answers after the commit. Also holds the waits for a task's end or its next change,
 * so that a waiting caller costs no polling: a commit of this process wakes it at once.
 */

import { type Clock, systemClock } from "../../limits/clock.ts";
import { type Batch, createBatchedPost, readBatch } from "../../threads/batched-post.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { type Failure, toFailure, toTaskError } from "../../words/errors.ts";
import { isEnded, type TaskRecord } from "../../words/task.ts";
import { nothingSeen, type Seen, type WatchedTask } from "../ports/tasks.ts";
import { type SqliteLocation, StoreLockedError } from "./connection.ts";
import { lookAtLogEveryMs } from "./schema.ts";
import { openSqlite, type SqliteOperations } from "./sqlite.ts";

/** Operations on one entry of a call that carries many: each entry is a unit of its own in the turn's transaction. */
type EntryOperation = "create" | "claim" | "finish";
export type Operation = Exclude<keyof SqliteOperations, EntryOperation>;

/** One operation with its arguments, as it crosses to the store's thread. */
export type OperationCall = { [O in Operation]: { op: O; args: Parameters<SqliteOperations[O]> } }[Operation];

/** Many entries with one question; its answer has an `EntryAnswer` for each, in order. */
export type EntriesCall = {
  [O in EntryOperation]: { op: O; entries: readonly Parameters<SqliteOperations[O]>[0][] };
}[EntryOperation];

/** A wait is for a task's end, or for anything that was not seen of it. */
export type WaitCall =
  | { op: "awaitEnd"; args: [id: string, waitMs: number] }
  | { op: "awaitChange"; args: [id: string, waitMs: number, seen: Seen] };

export type StoreCall = OperationCall | EntriesCall | WaitCall;

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
export interface Refusal {
  failure: Failure;
  isAway?: boolean;
}
export type EntryAnswer = { value: unknown } | Refusal;
export interface StoreAnswer {
  number: number;
  answer: EntryAnswer;
}

/** Takes the answers to one role's thread. */
type Tell = (answer: StoreAnswer) => void;

interface Waiting {
  tell: Tell;
  number: number;
  call: OperationCall | EntriesCall;
}

/** What is done or refused as one. */
interface Unit {
  operation(...args: readonly unknown[]): unknown;
  args: readonly unknown[];
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
    const answers = runAll(unitsOf(operations, turn)).map(toAnswer);
    let next = 0;
    for (const { tell, number, call } of turn) {
      const own = answers.slice(next, next + ("entries" in call ? call.entries.length : 1));
      next += own.length;
      tell({ number, answer: "entries" in call ? answerEntries(own) : (own[0] ?? { value: undefined }) });
    }
    for (const [id, hasEnded] of takeChanged()) waits.wake(id, hasEnded);
  };

  /** Under a clock that was set and a file that does not know it, nothing may run. */
  const runAll = (units: readonly Unit[]): EntryResult<unknown>[] => {
    try {
      clock.follow();
    } catch (thrown) {
      const error = toTaskError(thrown);
      return units.map(() => ({ kind: "failed", error }));
    }
    return connection.runBatch(units, ({ operation, args }) => operation(...args));
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
    const ofTask = waiters.get(id);
    if (!ofTask) return;
    for (const waiter of [...ofTask]) {
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

  const release = (waiter: Waiter, value: TaskRecord | WatchedTask | undefined): void => {
    clearTimeout(waiter.timer);
    const others = waiters.get(waiter.id);
    others?.delete(waiter);
    if (others?.size === 0) waiters.delete(waiter.id);
    waiter.tell({ number: waiter.number, answer: { value } });
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

function unitsOf(operations: SqliteOperations, turn: readonly Waiting[]): Unit[] {
  const units: Unit[] = [];
  for (const { call } of turn) {
    // An operation and its arguments come as a pair of one type.
    const operation = operations[call.op] as Unit["operation"];
    if ("entries" in call) for (const entry of call.entries) units.push({ operation, args: [entry] });
    else units.push({ operation, args: call.args });
  }
  return units;
}

function toAnswer(result: EntryResult<unknown>): EntryAnswer {
  if (result.kind === "done") return { value: result.value };
  const { error } = result;
  return { failure: toFailure(error), ...(error instanceof StoreLockedError && { isAway: true }) };
}

/** When the store could do nothing at all, the call has failed as a whole. */
function answerEntries(answers: readonly EntryAnswer[]): EntryAnswer {
  const [first] = answers;
  const isAway = first !== undefined && answers.every((answer) => "isAway" in answer);
  return isAway ? first : { value: answers };
}
