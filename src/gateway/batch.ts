/**
 * Many tasks in one request. Each item is checked, accepted or refused for itself, and answered in its place; what fits
 * goes to the task service in one call.
 */

import { z } from "zod";
import {
  type BatchOutcome,
  batchBody,
  batchResult,
  batchTask,
  maxBatchBytes,
  maxBatchKeyChars,
  maxTaskBytes,
} from "../api/batch.ts";
import { checkForm } from "../api/fields.ts";
import { wellFormed } from "../http/body.ts";
import { problemOf } from "../http/problem.ts";
import type { RpcAnswer } from "../rpc/transport.ts";
import { replayedHeader } from "../rpc/wire.ts";
import { parseDuration } from "../settings/parsers.ts";
import {
  type FieldProblem,
  fromRpcCode,
  meanings,
  retryAfterSeconds,
  TaskError,
  toTaskError,
} from "../words/errors.ts";
import { readJson, writeJson } from "../words/json-text.ts";
import { answerWith, type CallInRequest, type EdgeContext, headerOf } from "./request.ts";
import { declareRoute } from "./route.ts";
import { addRoute, type Routes } from "./serve-route.ts";

export const batchRoute = declareRoute({
  operationId: "createTasks",
  tag: "tasks",
  method: "post",
  path: "/tasks/batch",
  scope: "submit",
  summary: "Hand in up to 1,000 tasks",
  description:
    "One result for each, in their order. Each is checked and accepted for itself: a refused one affects no other.",
  headers: z.object({
    "idempotency-key": z
      .string()
      .min(1)
      .max(maxBatchKeyChars)
      .optional()
      .meta({ description: "Sent again with the same key, each task is made that was not, and shown that was." }),
  }),
  body: batchBody,
  maxBodyBytes: maxBatchBytes,
  checksItems: true,
  answers: {
    207: {
      description: "What became of each.",
      schema: z.array(batchResult),
      headers: z.object({ "idempotent-replayed": z.literal("true").optional() }),
    },
  },
});

type Checked = { request: object } | { error: TaskError };

export function addBatchRoute(routes: Routes, call: CallInRequest): void {
  addRoute(routes, batchRoute, async (c, { body }) => {
    // The request itself has counted as one.
    if (body.length > 1) await routes.charge(c, batchRoute, body.length - 1);
    const options = { key: keyIn(c), isLarge: isLarge(c) };
    const checked = body.map((item, index) => check(item, index, options));
    const tasks = checked.flatMap((one) => ("request" in one ? [one.request] : []));
    const left = (tasks.length > 0 ? outcomesOf(await call(c, "CreateTasks", { tasks })) : []).values();
    const { traceId } = c.trace.span.spanContext();
    const items = checked.map((one, index) =>
      toItem("error" in one ? one.error : toResult(left.next().value, index), traceId),
    );
    const isReplayed = items.every(({ status }) => status === 200);
    return answerWith({ json: writeJson(items) }, 207, isReplayed ? { [replayedHeader]: "true" } : {});
  });
}

/** Payloads stay text on their way. */
function outcomesOf({ json }: RpcAnswer): BatchOutcome[] {
  const { results = [] }: { results?: BatchOutcome[] } = Object(readJson(json, Number.POSITIVE_INFINITY));
  return results;
}

function keyIn(c: EdgeContext): string | undefined {
  const key = headerOf(c, "idempotency-key");
  if (key === undefined || (key.length > 0 && key.length <= maxBatchKeyChars)) return key;
  throw new TaskError(
    "invalid_argument",
    `the Idempotency-Key of a batch must have 1 to ${maxBatchKeyChars} characters`,
  );
}

/** Only then can one of its items be too large. */
function isLarge(c: EdgeContext): boolean {
  const announced = headerOf(c, "content-length");
  return announced === undefined || Number(announced) > maxTaskBytes;
}

interface CheckOptions {
  /** Of the whole batch. */
  key: string | undefined;
  isLarge: boolean;
}

function check(item: unknown, index: number, { key, isLarge }: CheckOptions): Checked {
  try {
    if (isLarge && Buffer.byteLength(writeJson(item)) > maxTaskBytes) {
      throw new TaskError("payload_too_large", `the task is larger than ${maxTaskBytes} bytes`);
    }
    const task = wellFormed(item, key !== undefined);
    const { idempotency_key: own = keyOf(key, index) } = checkForm(batchTask, task);
    return { request: { ...Object(task), ...(own !== undefined && { idempotency_key: own }) } };
  } catch (thrown) {
    const { code, message, problems } = toTaskError(thrown);
    const within = withinBody(problems, index);
    const [first] = within;
    const detail = first ? `${first.pointer}: ${first.detail}` : message;
    return { error: new TaskError(code, detail, { problems: within }) };
  }
}

/** Pointers lead into the body, of which this is an item. */
function withinBody(problems: readonly Partial<FieldProblem>[], index: number): FieldProblem[] {
  return problems.map(({ pointer = "", detail = "" }) => ({ pointer: `/${index}${pointer}`, detail }));
}

/** A batch that is sent again with its key makes none of its tasks twice, and those that are missing. */
function keyOf(key: string | undefined, index: number): string | undefined {
  return key === undefined ? undefined : `${key}/${index}`;
}

function toResult(result: BatchOutcome | undefined, index: number): BatchOutcome | TaskError {
  if (result?.task) return result;
  if (!result?.refusal) return new TaskError("internal", "the task service answered without a task");
  const { code, message, retry_after: retryAfter, problems = [] } = result.refusal;
  const retryAfterMs = retryAfter === undefined ? {} : { retryAfterMs: parseDuration(retryAfter) };
  const options = { isRemote: true, problems: withinBody(problems, index), ...retryAfterMs };
  return new TaskError(fromRpcCode(code), message, options);
}

function toItem(result: BatchOutcome | TaskError, traceId: string) {
  if (result instanceof TaskError) {
    const retryAfter = retryAfterSeconds(result);
    return {
      status: meanings[result.code].httpStatus,
      error: problemOf(result, traceId),
      ...(retryAfter !== undefined && { retry_after: retryAfter }),
    };
  }
  return { status: result.replayed ? 200 : 202, task: result.task };
}
