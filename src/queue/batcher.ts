/**
 * Puts the entries of one turn of the event loop into batch calls. Few calls are in flight at once, so that under load
 * the next batch fills while one travels; an idle system sends at once. Each entry gets its own result, and one that
 * failed through no fault of its own is tried again. No more than 10,000 wait: the next is refused.
 */

import type { Clock } from "../limits/clock.ts";
import { createAdmission } from "../limits/concurrency.ts";
import { TaskError } from "../words/errors.ts";

/** SQS: entries in one batch call. */
const maxEntries = 10;
/** Well below the limit of 256 KiB that every broker keeps (AWS: 1 MiB) for all bodies and attributes of a batch. */
const maxBytes = 200 * 1024;
const maxCallsInFlight = 2;
const maxTries = 4;
const retryDelayMs = 50;
/** Entries without a result: more than a broker that is well keeps waiting for a second, and no danger to the memory. */
const maxWaiting = 10_000;

export type CallResult<R> = { kind: "done"; value: R } | { kind: "failed"; error: TaskError; isSenderFault: boolean };

interface Waiting<E, R> {
  entry: E;
  tries: number;
  resolve(value: R): void;
  reject(error: TaskError): void;
}

export interface BatcherOptions<E, R> {
  /** Makes one call; gives one result for each entry, in their order. */
  call(entries: readonly E[]): Promise<CallResult<R>[]>;
  bytesOf(entry: E): number;
  clock: Clock;
}

export function createBatcher<E, R>(options: BatcherOptions<E, R>): (entry: E) => Promise<R> {
  const waiting: Waiting<E, R>[] = [];
  const admit = createAdmission(maxWaiting, "messages that wait for the broker");
  let callsInFlight = 0;
  let isScheduled = false;

  const schedule = (): void => {
    if (isScheduled || waiting.length === 0 || callsInFlight >= maxCallsInFlight) return;
    isScheduled = true;
    queueMicrotask(() => {
      isScheduled = false;
      while (waiting.length > 0 && callsInFlight < maxCallsInFlight) void run(takeBatch());
    });
  };

  const takeBatch = (): Waiting<E, R>[] => {
    let bytes = 0;
    let count = 0;
    for (const { entry } of waiting.slice(0, maxEntries)) {
      bytes += options.bytesOf(entry);
      if (count > 0 && bytes > maxBytes) break;
      count += 1;
    }
    return waiting.splice(0, count);
  };

  const run = async (batch: Waiting<E, R>[]): Promise<void> => {
    callsInFlight += 1;
    const results = await callSafely(batch);
    callsInFlight -= 1;
    const again: Waiting<E, R>[] = [];
    batch.forEach((item, index) => {
      const result = results[index] ?? missing();
      item.tries += 1;
      if (result.kind === "done") item.resolve(result.value);
      else if (result.isSenderFault || item.tries >= maxTries) item.reject(result.error);
      else again.push(item);
    });
    schedule();
    if (again.length === 0) return;
    await options.clock.sleep(retryDelayMs);
    waiting.push(...again);
    schedule();
  };

  const callSafely = async (batch: readonly Waiting<E, R>[]): Promise<CallResult<R>[]> => {
    try {
      return await options.call(batch.map(({ entry }) => entry));
    } catch (thrown) {
      // The client has tried the whole call again by itself: its word is final for every entry.
      const error = thrown instanceof TaskError ? thrown : new TaskError("unavailable", String(thrown));
      return batch.map(() => ({ kind: "failed", error, isSenderFault: true }));
    }
  };

  const put = (entry: E): Promise<R> =>
    new Promise((resolve, reject) => {
      waiting.push({ entry, tries: 0, resolve, reject });
      schedule();
    });

  return (entry) => admit(() => put(entry));
}

function missing<R>(): CallResult<R> {
  const error = new TaskError("unavailable", "the broker's answer has no result for this entry");
  return { kind: "failed", error, isSenderFault: false };
}
