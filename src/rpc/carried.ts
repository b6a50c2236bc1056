/**
 * What a call of `CreateTasks` with contexts carries, as JSON text: requests that are texts already on the way there, the
 * records of tasks on the way back. No payload is parsed for it.
 */

import { parseDuration } from "../settings/parsers.ts";
import { fromRpcCode, meanings, TaskError } from "../words/errors.ts";
import { JsonText, readJson } from "../words/json-text.ts";
import type { Exchange, RpcAnswer } from "./transport.ts";
import { idHeader, replayedHeader } from "./wire.ts";

export function writeCarried(calls: readonly Pick<Exchange, "request" | "context">[]): string {
  const tasks = calls.map(({ request }) => request).join(",");
  const contexts = calls.map(({ context }) => JSON.stringify(context)).join(",");
  return `{"tasks":[${tasks}],"contexts":[${contexts}]}`;
}

/** `task`: the text of its record. */
export function writeTaskResult(task: string, isReplayed: boolean): string {
  return `{"task":${task},"replayed":${isReplayed}}`;
}

export function writeRefusalResult({ code, message, problems, retryAfterMs }: TaskError): string {
  const refusal = {
    code: meanings[code].rpcCode,
    message,
    ...(problems.length > 0 && { problems }),
    ...(retryAfterMs !== undefined && { retry_after: `${retryAfterMs / 1000}s` }),
  };
  return JSON.stringify({ refusal });
}

/** One answer for each of `count` calls, in order, as each would have come alone. */
export function readResults(json: string, count: number): (RpcAnswer | TaskError)[] {
  let read: unknown;
  let fault: unknown;
  try {
    read = readJson(json, Number.POSITIVE_INFINITY, ["task"]);
  } catch (cause) {
    fault = cause;
  }
  const { results }: { results?: unknown } = Object(read);
  const all: unknown[] = Array.isArray(results) ? results : [];
  return Array.from({ length: count }, (_, at) => toResult(all[at], fault));
}

function toResult(result: unknown, fault: unknown): RpcAnswer | TaskError {
  const { task, replayed, refusal }: { task?: unknown; replayed?: unknown; refusal?: unknown } = Object(result);
  if (task instanceof JsonText && task.text !== "null") return toAnswer(task.text, replayed === true);
  return refusal === undefined || refusal === null ? noTask(fault) : readRefusal(Object(refusal));
}

function toAnswer(json: string, isReplayed: boolean): RpcAnswer {
  return {
    json,
    metadata: (name) => {
      if (name === replayedHeader) return isReplayed ? "true" : undefined;
      return name === idHeader ? idIn(json) : undefined;
    },
  };
}

/** The first member of a record, as this build's task services write it. */
const idFirst = /^\{"id":"([^"\\]+)"/;

function idIn(record: string): string | undefined {
  const first = idFirst.exec(record)?.[1];
  if (first !== undefined) return first;
  const { id }: { id?: unknown } = Object(readJson(record, Number.POSITIVE_INFINITY));
  return typeof id === "string" ? id : undefined;
}

function readRefusal({ code, message, problems, retry_after: retryAfter }: Record<string, unknown>): TaskError {
  return new TaskError(fromRpcCode(String(code)), String(message), {
    isRemote: true,
    ...(Array.isArray(problems) && { problems }),
    ...(typeof retryAfter === "string" && { retryAfterMs: parseDuration(retryAfter) }),
  });
}

function noTask(cause?: unknown): TaskError {
  return new TaskError("internal", "the task service answered without a task", { cause });
}
