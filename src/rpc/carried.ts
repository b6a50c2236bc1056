/**
 * What a call of `CreateTasks` with contexts carries, as JSON text: requests that are texts already on the way there, the
 * records of tasks on the way back. No payload is parsed for it.
 */

import { parseDuration } from "../settings/parsers.ts";
import { fromRpcCode, meanings, TaskError } from "../words/errors.ts";
import { eachItem, eachMember } from "../words/json-text.ts";
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
  const results: (RpcAnswer | TaskError)[] = [];
  try {
    eachMember(json, 0, (name, listAt) => {
      if (name === "results") eachItem(json, listAt, (from) => results.push(readResult(json, from)));
    });
  } catch (cause) {
    results.push(...Array(count).fill(noTask(cause)));
  }
  while (results.length < count) results.push(noTask());
  return results;
}

function readResult(json: string, at: number): RpcAnswer | TaskError {
  let task: string | undefined;
  let refusal: string | undefined;
  let isReplayed = false;
  eachMember(json, at, (name, from, to) => {
    if (name === "task") task = json.slice(from, to);
    else if (name === "refusal") refusal = json.slice(from, to);
    else if (name === "replayed") isReplayed = json.startsWith("true", from);
  });
  if (task !== undefined && task !== "null") return toAnswer(task, isReplayed);
  return refusal === undefined ? noTask() : readRefusal(JSON.parse(refusal));
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

function idIn(record: string): string | undefined {
  let id: string | undefined;
  eachMember(record, 0, (name, from, to) => {
    if (name === "id") id = JSON.parse(record.slice(from, to));
  });
  return id;
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
