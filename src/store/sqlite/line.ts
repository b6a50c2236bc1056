/**
 * The line from a role to the SQLite thread: calls made in one turn of the event loop leave as one message. What waits for
 * an answer is bounded; each call has a time limit, and all go through the breaker.
 */

import type { Breaker } from "../../limits/breaker.ts";
import { systemClock } from "../../limits/clock.ts";
import { createAdmission } from "../../limits/concurrency.ts";
import { createTimeLimit } from "../../limits/time-limit.ts";
import { type Batch, createBatchedPost, readBatch } from "../../threads/batched-post.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { type ErrorCode, TaskError, toTaskError } from "../../words/errors.ts";
import type { EntriesCall, EntryAnswer, Refusal, StoreAnswer, StoreCall, StoreQuestion, WaitCall } from "./thread.ts";

interface Pending {
  settle(value: unknown): void;
  fail(error: TaskError): void;
}

/** A call that the store's thread has not answered after this long will not be answered. */
const answerLimitMs = 30_000;

/** Calls without an answer: several seconds of work for the store's thread. */
const maxUnanswered = 10_000;

/**
 * The thread does not answer, or not before another process gives the lock back. A statement or a write that is refused,
 * as with a full disk, leaves all else that can be asked.
 */
class StoreAwayError extends TaskError {}

function toError({ failure, isAway }: Refusal): TaskError {
  const Kind = isAway ? StoreAwayError : TaskError;
  // A failure of the store's thread comes of a `TaskError`.
  return new Kind(failure.type as ErrorCode, failure.message);
}

function isStoreAway(error: unknown): boolean {
  return error instanceof StoreAwayError;
}

function isWait(call: StoreCall): call is WaitCall {
  return call.op === "awaitEnd" || call.op === "awaitChange";
}

export interface Line {
  /** `over`: the caller of a wait has gone. */
  ask(call: StoreCall, over?: AbortSignal): Promise<unknown>;
  /** One result for each entry, in order. Never rejects. */
  askEach(call: EntriesCall): Promise<EntryResult<unknown>[]>;
  unanswered(): number;
}

/** Calls to the store's thread: bounded, each with a time limit, behind the breaker. */
export function createLine(port: MessagePort, breaker: Breaker): Line {
  const admit = createAdmission(maxUnanswered, "calls that wait for the store");
  const pending = new Map<number, Pending>();
  const answerLimit = createTimeLimit(answerLimitMs, systemClock);
  let lastNumber = 0;

  port.onmessage = (event: MessageEvent<Batch>) => {
    for (const { number, answer } of readBatch<StoreAnswer>(event.data)) {
      const caller = pending.get(number);
      pending.delete(number);
      if ("failure" in answer) caller?.fail(toError(answer));
      else caller?.settle(answer.value);
    }
  };

  const post = createBatchedPost<StoreQuestion>((batch) => port.postMessage(batch));

  /** The longest wait is no trial: a ping goes before it. */
  const probe = (): Promise<unknown> => send({ op: "ping", args: [] });

  const ask = (call: StoreCall, over?: AbortSignal): Promise<unknown> => {
    const guard = isWait(call) ? { isAway: isStoreAway, probe } : { isAway: isStoreAway };
    return admit(() => breaker.call(() => (over && isWait(call) ? sendUntil(call, over) : send(call)), guard));
  };

  /** A wait that may end before its time. */
  const sendUntil = async (call: WaitCall, over: AbortSignal): Promise<unknown> => {
    const answered = send(call);
    const number = lastNumber;
    const tellOver = (): void => post({ number: ++lastNumber, call: { op: "waitOver", args: [call.args[0], number] } });
    if (over.aborted) tellOver();
    over.addEventListener("abort", tellOver);
    try {
      return await answered;
    } finally {
      over.removeEventListener("abort", tellOver);
    }
  };

  const startLimit = (call: StoreCall, onOver: (limitMs: number) => void): (() => void) => {
    if (!isWait(call)) return answerLimit.start(() => onOver(answerLimitMs));
    const limitMs = call.args[1] + answerLimitMs;
    const timer = setTimeout(() => onOver(limitMs), limitMs);
    return () => clearTimeout(timer);
  };

  const send = (call: StoreCall): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const number = ++lastNumber;
      const stopLimit = startLimit(call, (limitMs) => {
        pending.delete(number);
        reject(new StoreAwayError("unavailable", `the store did not answer ${call.op} within ${limitMs} ms`));
      });
      pending.set(number, {
        settle: (value) => {
          stopLimit();
          resolve(value);
        },
        fail: (error) => {
          stopLimit();
          reject(error);
        },
      });
      post({ number, call });
    });

  const askEach = async (call: EntriesCall): Promise<EntryResult<unknown>[]> => {
    try {
      // The border of the thread: such a call is answered for each of its entries.
      const answers = (await ask(call)) as EntryAnswer[];
      return answers.map((answer) =>
        "failure" in answer ? { kind: "failed", error: toError(answer) } : { kind: "done", value: answer.value },
      );
    } catch (thrown) {
      const error = toTaskError(thrown);
      return call.entries.map(() => ({ kind: "failed", error }));
    }
  };

  return { ask, askEach, unanswered: () => pending.size };
}
