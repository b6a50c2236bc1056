/**
 * Puts the entries of one turn of the event loop, of all callers, into batch calls. Few calls are in flight at once, so
 * that under load the next batch fills while one travels; an idle system sends at once. Each entry has its own result,
 * and one that failed through no fault of its own is tried again. No more than 10,000 wait: the next is refused.
 */

import type { Clock } from "../limits/clock.ts";
import type { EntryResult } from "../words/entry-result.ts";
import { TaskError, toTaskError } from "../words/errors.ts";

/** SQS: entries in one batch call. */
const maxEntries = 10;
/** Well below the limit of 256 KiB that every broker keeps (AWS: 1 MiB) for all bodies and attributes of a batch. */
const maxBytes = 200 * 1024;
const maxCallsInFlight = 2;
const maxTries = 4;
const retryDelayMs = 50;
/** Entries without a result: more than a broker that is well keeps waiting for a second, and no danger to the memory. */
const maxWaiting = 10_000;
const refusal = `there are ${maxWaiting} messages that wait for the broker already`;
const tooMany = new TaskError("resource_exhausted", refusal, { retryAfterMs: 1000 });

/** Of one entry in one call. `isFinal`: it would fail again. */
export type CallResult = { kind: "done" } | { kind: "failed"; error: TaskError; isFinal: boolean };

/** Collects the results of a caller's entries. */
export interface Results {
  put(index: number, result: EntryResult<void>): void;
  /** Resolves when each entry has its own, in their order. */
  all: Promise<EntryResult<void>[]>;
}

export function createResults(count: number): Results {
  const { promise, resolve } = Promise.withResolvers<EntryResult<void>[]>();
  const results: EntryResult<void>[] = Array(count);
  let missing = count;
  if (missing === 0) resolve(results);
  return {
    all: promise,
    put: (index, result) => {
      results[index] = result;
      missing -= 1;
      if (missing === 0) resolve(results);
    },
  };
}

export interface Batcher<E> {
  /** The entry leaves with the next call that has room for it; what became of it is put into `results`. */
  put(entry: E, index: number, results: Results): void;
}

export interface BatcherOptions<E> {
  /** Makes one call; gives one result for each entry, in their order. */
  call(entries: readonly E[]): Promise<CallResult[]>;
  bytesOf(entry: E): number;
  /** Called before the caller gets its results. */
  onResult?(entry: E, result: EntryResult<void>): void;
  clock: Clock;
}

interface Waiting<E> {
  entry: E;
  index: number;
  results: Results;
  tries: number;
}

const done: EntryResult<void> = { kind: "done", value: undefined };
const unsaid: CallResult = {
  kind: "failed",
  error: new TaskError("unavailable", "the broker's answer has no result for this entry"),
  isFinal: false,
};

export function createBatcher<E>({ call, bytesOf, onResult, clock }: BatcherOptions<E>): Batcher<E> {
  const waiting: Waiting<E>[] = [];
  let unanswered = 0;
  let callsInFlight = 0;
  let isScheduled = false;

  const schedule = (): void => {
    if (isScheduled || waiting.length === 0 || callsInFlight >= maxCallsInFlight) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      while (waiting.length > 0 && callsInFlight < maxCallsInFlight) {
        void run(waiting.splice(0, countThatFit(waiting, bytesOf)));
      }
    });
  };

  const run = async (batch: readonly Waiting<E>[]): Promise<void> => {
    callsInFlight += 1;
    const results = await call(batch.map(({ entry }) => entry)).catch(toTaskError);
    callsInFlight -= 1;
    const again: Waiting<E>[] = [];
    for (const [n, item] of batch.entries()) {
      // The client has tried a call that failed as a whole again by itself: its word is final for every entry.
      const result = results instanceof TaskError ? toFinal(results) : (results[n] ?? unsaid);
      item.tries += 1;
      if (result.kind === "done") conclude(item, done);
      else if (result.isFinal || item.tries >= maxTries) conclude(item, { kind: "failed", error: result.error });
      else again.push(item);
    }
    schedule();
    if (again.length === 0) return;
    await clock.sleep(retryDelayMs);
    waiting.push(...again);
    schedule();
  };

  const conclude = ({ entry, index, results }: Waiting<E>, result: EntryResult<void>): void => {
    unanswered -= 1;
    onResult?.(entry, result);
    results.put(index, result);
  };

  return {
    put: (entry, index, results) => {
      const item = { entry, index, results, tries: 0 };
      unanswered += 1;
      if (unanswered > maxWaiting) return conclude(item, { kind: "failed", error: tooMany });
      waiting.push(item);
      schedule();
    },
  };
}

/** How many of the first go with one call. */
function countThatFit<E>(waiting: readonly Waiting<E>[], bytesOf: (entry: E) => number): number {
  let bytes = 0;
  let count = 0;
  for (const { entry } of waiting) {
    bytes += bytesOf(entry);
    if (count === maxEntries || (count > 0 && bytes > maxBytes)) break;
    count += 1;
  }
  return count;
}

function toFinal(error: TaskError): CallResult {
  return { kind: "failed", error, isFinal: true };
}
