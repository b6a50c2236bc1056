/** What an attempt's ending means for its task, the same in every store. Pure. */

import { type Failure, toKeptFailure } from "../words/errors.ts";
import type { TimelineEntry } from "../words/task.ts";
import { cutText } from "../words/text.ts";
import type { Actor, Ending } from "./ports/store.ts";

const maxNotedMessageLength = 1000;
const maxNotedCauseLength = 250;

/**
 * An error as an entry of a task's history has it: a hundred attempts with one each still are a small answer, and have
 * room in an item of DynamoDB. The task itself has its newest error in full, as the trace and the log have every one.
 */
export function toNotedError(error: Failure): Failure {
  const { type, message, causes } = toKeptFailure(error);
  return {
    type,
    message: cutText(message, maxNotedMessageLength),
    ...(causes && { causes: causes.map((cause) => cutText(cause, maxNotedCauseLength)) }),
  };
}

/** A lease that ran out this long ago, with no message left, belongs to the sweeper. */
export const abandonedAfterMs = 15_000;

/** A task without a handler is sent again after half the time for which it has been due, within these. */
const shortestPutOffMs = 1000;
const longestPutOffMs = 60_000;

/** When a task that has been due since `dueMs` is sent again, in the hope of a worker that has its handler. */
export function putOffUntil(dueMs: number, nowMs: number): number {
  return nowMs + Math.min(longestPutOffMs, Math.max(shortestPutOffMs, Math.ceil((nowMs - dueMs) / 2)));
}

/** Why a task waits, or has failed, when the workers that receive it have no handler of its type. */
export function noHandlerError(type: string): Failure {
  return { type: "no_handler", message: `the worker that received the task has no handler for the type "${type}"` };
}

/** What a canceled task's attempt ends in, when another attempt would have followed. */
export function withoutFurtherAttempt(ending: Ending): Ending {
  if (ending.to !== "retrying" && ending.to !== "queued") return ending;
  return { to: "canceled", outcome: outcomeOf(ending), error: ending.error };
}

export function outcomeOf(ending: Ending) {
  switch (ending.to) {
    case "succeeded":
      return "succeeded";
    case "queued":
      return "interrupted";
    case "retrying":
    case "failed":
    case "canceled":
      return ending.outcome;
  }
}

/**
 * The state in which an earlier call has left the task, when this one repeats it because its answer was lost; null when
 * there was none. The span of an attempt stands in the history with the change that it has made.
 */
export function finishedBefore(
  timeline: readonly TimelineEntry[],
  asked: Ending,
  { traceId, spanId, atMs }: Actor,
): Ending["to"] | null {
  const own = timeline.findLast((entry) => entry.from === "running" && entry.spanId === spanId);
  if (own?.traceId !== traceId || own.atMs !== atMs || own.outcome !== outcomeOf(asked)) return null;
  return [asked, withoutFurtherAttempt(asked)].find(({ to }) => to === own.to)?.to ?? null;
}

/** When the sweeper looks at the task again if no message of it turns up. */
export function sendAtAfter(ending: Ending, nowMs: number): number | null {
  switch (ending.to) {
    case "succeeded":
    case "canceled":
      return null;
    case "retrying":
      return ending.sendAtMs;
    case "failed":
    case "queued":
      return nowMs + abandonedAfterMs;
  }
}
