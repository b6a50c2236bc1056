/**
 * Many tasks in one request. Each item is checked, accepted or refused for itself, and answered in its place; what fits
 * goes to the task service in one call.
 */

import type { CreateTaskRequestJson, CreateTaskResultJson } from "../gen/tasks_pb.ts";
import { problemOf } from "../http/problem.ts";
import {
  type FieldProblem,
  fromRpcCode,
  meanings,
  retryAfterSeconds,
  TaskError,
  toTaskError,
} from "../words/errors.ts";
import { type BatchTask, batchTask, maxBatchKeyChars, maxTaskBytes } from "./batch-schemas.ts";
import type { CallInRequest } from "./edge.ts";
import { toCreateTask } from "./new-task.ts";
import { parseBody } from "./requests.ts";
import { toHttpTask } from "./responses.ts";
import { addRoute, type EdgeContext, type Routes } from "./serve-route.ts";
import { taskRoutes } from "./task-routes.ts";

type Checked = { request: CreateTaskRequestJson } | { error: TaskError };

export function addBatchRoute(routes: Routes, call: CallInRequest): void {
  addRoute(routes, taskRoutes.createTasks, async (c, { body, lost }) => {
    // The request itself has counted as one.
    if (body.length > 1) await routes.charge(c, taskRoutes.createTasks, body.length - 1);
    const options = { key: keyIn(c), isLarge: isLarge(c), lost: byItem(lost) };
    const checked = body.map((item, index) => check(item, index, options));
    const tasks = checked.flatMap((one) => ("request" in one ? [one.request] : []));
    const { results = [] } = tasks.length > 0 ? await call(c, "CreateTasks", { tasks }) : {};
    const left = results.values();
    const { traceId } = c.get("trace").span.spanContext();
    const told = checked.map((one, index) =>
      toItem("error" in one ? one.error : toResult(left.next().value, index), traceId),
    );
    const isReplayed = told.every(({ status }) => status === 200);
    return Response.json(told, { status: 207, ...(isReplayed && { headers: { "idempotent-replayed": "true" } }) });
  });
}

function keyIn(c: EdgeContext): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || (key.length > 0 && key.length <= maxBatchKeyChars)) return key;
  throw new TaskError(
    "invalid_argument",
    `the Idempotency-Key of a batch must have 1 to ${maxBatchKeyChars} characters`,
  );
}

/** Only then can one of its items be too large. */
function isLarge(c: EdgeContext): boolean {
  const announced = c.req.header("content-length");
  return announced === undefined || Number(announced) > maxTaskBytes;
}

interface CheckOptions {
  /** Of the whole batch. */
  key: string | undefined;
  isLarge: boolean;
  /** What cannot be kept as it is, by the item that they are in. */
  lost: ReadonlyMap<string, readonly FieldProblem[]>;
}

function check(item: unknown, index: number, { key, isLarge, lost }: CheckOptions): Checked {
  const problems = [...(lost.get(String(index)) ?? [])];
  const [first] = problems;
  if (first) return { error: new TaskError("invalid_argument", `${first.pointer}: ${first.detail}`, { problems }) };
  try {
    if (isLarge && Buffer.byteLength(JSON.stringify(item)) > maxTaskBytes) {
      throw new TaskError("payload_too_large", `the task is larger than ${maxTaskBytes} bytes`);
    }
    const { idempotency_key: own, ...task }: BatchTask = parseBody(batchTask, item);
    return { request: toCreateTask(task, own ?? keyOf(key, index)) };
  } catch (thrown) {
    const { code, message, problems } = toTaskError(thrown);
    const within = withinBody(problems, index);
    const [first] = within;
    const detail = first ? `${first.pointer}: ${first.detail}` : message;
    return { error: new TaskError(code, detail, { problems: within }) };
  }
}

const maxLostOfItem = 20;

/** By the first name of their pointers, not too many of each. */
function byItem(lost: Iterable<FieldProblem>): Map<string, FieldProblem[]> {
  const items = new Map<string, FieldProblem[]>();
  for (const problem of lost) {
    const [, index = ""] = problem.pointer.split("/", 2);
    const known = items.get(index);
    if (!known) items.set(index, [problem]);
    else if (known.length < maxLostOfItem) known.push(problem);
  }
  return items;
}

/** Pointers lead into the body, of which this is an item. */
function withinBody(problems: readonly Partial<FieldProblem>[], index: number): FieldProblem[] {
  return problems.map(({ pointer = "", detail = "" }) => ({ pointer: `/${index}${pointer}`, detail }));
}

/** A batch that is sent again with its key makes none of its tasks twice, and those that are missing. */
function keyOf(key: string | undefined, index: number): string | undefined {
  return key === undefined ? undefined : `${key}/${index}`;
}

function toResult(result: CreateTaskResultJson | undefined, index: number): CreateTaskResultJson | TaskError {
  if (result?.task) return result;
  if (!result?.refusal) return new TaskError("internal", "the task service answered without a task");
  const { code = "", message = "", retryAfter, problems = [] } = result.refusal;
  const retryAfterMs = retryAfter === undefined ? {} : { retryAfterMs: Number.parseFloat(retryAfter) * 1000 };
  const options = { isRemote: true, problems: withinBody(problems, index), ...retryAfterMs };
  return new TaskError(fromRpcCode(code), message, options);
}

function toItem(result: CreateTaskResultJson | TaskError, traceId: string) {
  if (result instanceof TaskError) {
    const retryAfter = retryAfterSeconds(result);
    return {
      status: meanings[result.code].httpStatus,
      error: problemOf(result, traceId),
      ...(retryAfter !== undefined && { retry_after: retryAfter }),
    };
  }
  return { status: result.replayed ? 200 : 202, task: result.task && toHttpTask(result.task) };
}
