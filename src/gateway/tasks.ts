/** The routes of tasks: hand one in, look at it, wait for its end, cancel it. */

import type { GetTaskResponseJson, TaskJson } from "../gen/tasks_pb.ts";
import type { Admit } from "../limits/concurrency.ts";
import { TaskError } from "../words/errors.ts";
import type { CallInRequest } from "./edge.ts";
import { toCreateTask } from "./new-task.ts";
import { toSeconds, toTimestamp } from "./requests.ts";
import { toHttpEntry, toHttpTask } from "./responses.ts";
import { addRoute, type EdgeContext, type Routes } from "./serve-route.ts";
import { taskRoutes } from "./task-routes.ts";

export interface TaskRouteDeps {
  /** Takes a place among the calls in progress. */
  call: CallInRequest;
  /** Takes none. */
  ask: CallInRequest;
  /** Places for those that wait for a task's end. */
  admitWait: Admit;
  /** Once it aborts, nobody is kept waiting for a task's end. */
  draining: AbortSignal;
}

export function addTaskRoutes(routes: Routes, { call, ask, admitWait, draining }: TaskRouteDeps): void {
  /** Body in, accepted task out. */
  addRoute(routes, taskRoutes.createTask, async (c, { body }) => {
    const request = toCreateTask(body, c.req.header("idempotency-key"));
    const { task, replayed } = await call(c, "CreateTask", request);
    if (!task?.id) throw new TaskError("internal", "the task service answered without a task");
    const headers = {
      location: `${c.req.path.startsWith("/v1/") ? "/v1" : ""}/tasks/${task.id}`,
      ...(replayed && { "idempotent-replayed": "true" }),
    };
    return Response.json(toHttpTask(task), { status: replayed ? 200 : 202, headers });
  });

  addRoute(routes, taskRoutes.listTasks, async (c, { query: { limit = 0, cursor = "", ...filter } }) => {
    const { status, type, correlation_id: correlationId, created_after: after, created_before: before } = filter;
    const { items, nextCursor } = await call(c, "ListTasks", {
      ...(status && { status }),
      ...(type && { type }),
      ...(correlationId && { correlationId }),
      ...(after !== undefined && { createdAfter: toTimestamp(after) }),
      ...(before !== undefined && { createdBefore: toTimestamp(before) }),
      limit,
      cursor,
    });
    return Response.json({ items: (items ?? []).map(toHttpTask), next_cursor: nextCursor || null });
  });

  addRoute(routes, taskRoutes.getTask, async (c, { id, query: { wait: waitMs = 0 } }) => {
    const waiting = (): Promise<GetTaskResponseJson> => waitForEnd(c, id, waitMs);
    const { task } = waitMs > 0 ? await admitWait(waiting) : await call(c, "GetTask", { id });
    return answerTask(task, 200);
  });

  /** The task as it ends; as it is, when the time is over or the gateway drains. */
  const waitForEnd = async (c: EdgeContext, id: string, waitMs: number): Promise<GetTaskResponseJson> => {
    // A caller that leaves gives its place back, here and at the task service.
    const ended = ask(c, "GetTask", { id, wait: toSeconds(waitMs) }, waitMs, c.req.raw.signal);
    const over = new AbortController();
    const drained = aborted(draining, over.signal).then(() => ask(c, "GetTask", { id }));
    // The slower call's rejection is ignored.
    ended.catch(() => {});
    drained.catch(() => {});
    try {
      return await Promise.race([ended, drained]);
    } finally {
      over.abort();
    }
  };

  addRoute(routes, taskRoutes.getTimeline, async (c, { id }) => {
    const { entries } = await call(c, "GetTimeline", { id });
    return Response.json({ items: (entries ?? []).map(toHttpEntry) });
  });

  addRoute(routes, taskRoutes.cancelTask, async (c, { id }) => {
    const { task } = await call(c, "CancelTask", { id });
    return answerTask(task, 202);
  });
}

function answerTask(task: TaskJson | undefined, status: number): Response {
  if (!task) throw new TaskError("internal", "the task service answered without a task");
  return Response.json(toHttpTask(task), { status });
}

/** Resolves when `signal` aborts; when `over` does first, it never does, and leaves nothing behind. */
function aborted(signal: AbortSignal, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true, signal: over });
  });
}
