/** Tasks over HTTP: hand one in, list them, look at one, wait for its end, cancel it. */

import { z } from "zod";
import { cursor, queryLimit } from "../api/fields.ts";
import { newTask, task, taskQuery, timelineEntry } from "../api/task.ts";
import type { Admit } from "../limits/concurrency.ts";
import type { RpcAnswer } from "../rpc/transport.ts";
import { idHeader, replayedHeader } from "../rpc/wire.ts";
import { parseDuration } from "../settings/parsers.ts";
import { TaskError } from "../words/errors.ts";
import { answerWith, type CallInRequest, type EdgeContext, headerOf, pathOf } from "./request.ts";
import { declareRoute } from "./route.ts";
import { addRoute, type Routes } from "./serve-route.ts";

/** The longest that a request may be held for a task's end: a minute. */
const waitText = /^(?:[0-5]?\d{1,4}ms|60000ms|[0-5]?\d(?:\.\d{1,3})?s|60s|[01]m)$/;

const wait = z.string().regex(waitText, "expected a duration of at most 60s");

const tag = "tasks";

export const taskRoutes = {
  createTask: declareRoute({
    operationId: "createTask",
    tag,
    method: "post",
    path: "/tasks",
    scope: "submit",
    summary: "Hand in a task",
    description: "Once it is answered, the task is on disk, and will run or be reported dead, whatever crashes next.",
    headers: z.object({
      "idempotency-key": z
        .string()
        .min(1)
        .max(255)
        .optional()
        .meta({ description: "The same key with the same body makes no second task, but shows the first." }),
    }),
    body: newTask,
    answers: {
      202: {
        description: "The task is accepted.",
        schema: task,
        headers: z.object({ location: z.string().meta({ description: "Path of the task." }) }),
      },
      200: {
        description: "It was handed in before with this `Idempotency-Key`: the task as it is by now.",
        schema: task,
        headers: z.object({ location: z.string(), "idempotent-replayed": z.literal("true") }),
      },
    },
    problems: ["idempotency_mismatch"],
  }),

  listTasks: declareRoute({
    operationId: "listTasks",
    tag,
    method: "get",
    path: "/tasks",
    scope: "read",
    summary: "List tasks",
    description: "What is made meanwhile shifts no page. A page may have less than its limit and not be the last.",
    query: z.strictObject({
      ...taskQuery,
      limit: queryLimit,
      cursor: cursor.meta({ description: "The `next_cursor` of an earlier answer to the same question." }),
    }),
    answers: {
      200: {
        description: "The newest first.",
        schema: z.object({ items: z.array(task), next_cursor: z.string().nullable() }),
      },
    },
  }),

  getTask: declareRoute({
    operationId: "getTask",
    tag,
    method: "get",
    path: "/tasks/{id}",
    scope: "read",
    summary: "Look at a task, or wait for its end",
    query: z.strictObject({
      wait: wait.optional().meta({
        description: "Holds the answer until the task has ended, for at most this long, and a minute.",
        override: { examples: ["20s"] },
      }),
    }),
    answers: { 200: { description: "The task.", schema: task } },
    problems: ["not_found"],
  }),

  getTimeline: declareRoute({
    operationId: "getTimeline",
    tag,
    method: "get",
    path: "/tasks/{id}/timeline",
    scope: "read",
    summary: "Every change of a task's state",
    answers: { 200: { description: "The oldest first.", schema: z.object({ items: z.array(timelineEntry) }) } },
    problems: ["not_found"],
  }),

  cancelTask: declareRoute({
    operationId: "cancelTask",
    tag,
    method: "post",
    path: "/tasks/{id}/cancel",
    scope: "operate",
    summary: "Cancel a task",
    description: "One that waits never starts; one that runs has its signal aborted, in whichever process it runs.",
    answers: { 202: { description: "The task as it is now.", schema: task } },
    problems: ["not_found", "conflict"],
  }),
};

export interface TaskRouteDeps {
  /** Takes a place among the calls in progress. */
  call: CallInRequest;
  /** Takes none. */
  ask: CallInRequest;
  /** Places for those that wait for a task's end. */
  admitWait: Admit;
  /** Once it aborts, requests that wait for a task's end are answered. */
  draining: AbortSignal;
}

export function addTaskRoutes(routes: Routes, { call, ask, admitWait, draining }: TaskRouteDeps): void {
  /** Body in, accepted task out. */
  addRoute(routes, taskRoutes.createTask, async (c, { body }) => {
    const key = headerOf(c, "idempotency-key");
    if (key !== undefined && (key.length < 1 || key.length > 255)) {
      throw new TaskError("invalid_argument", "the Idempotency-Key must have 1 to 255 characters");
    }
    const answer = await call(c, "CreateTask", key === undefined ? body : { ...body, idempotency_key: key });
    const isReplayed = answer.metadata(replayedHeader) === "true";
    const location = pathOf(c, `/tasks/${answer.metadata(idHeader)}`);
    return isReplayed
      ? answerWith(answer, 200, { location, [replayedHeader]: "true" })
      : answerWith(answer, 202, { location });
  });

  addRoute(routes, taskRoutes.listTasks, async (c, { query }) => answerWith(await call(c, "ListTasks", query)));

  addRoute(routes, taskRoutes.getTask, async (c, { id, query: { wait } }) => {
    const waitMs = wait === undefined ? 0 : parseDuration(wait);
    const waiting = (): Promise<RpcAnswer> => waitForEnd(c, id, waitMs);
    return answerWith(waitMs > 0 ? await admitWait(waiting) : await call(c, "GetTask", { id }));
  });

  /** The task as it ends; as it is, when the time is over or the gateway drains. */
  const waitForEnd = async (c: EdgeContext, id: string, waitMs: number): Promise<RpcAnswer> => {
    // A caller that leaves gives its place back, here and at the task service.
    const ended = ask(c, "GetTask", { id, wait: `${waitMs}ms` }, waitMs, c.request.signal);
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

  addRoute(routes, taskRoutes.getTimeline, async (c, { id }) => answerWith(await call(c, "GetTimeline", { id })));

  addRoute(routes, taskRoutes.cancelTask, async (c, { id }) => answerWith(await call(c, "CancelTask", { id }), 202));
}

/** Resolves when `signal` aborts; when `over` does first, it never does, and leaves nothing behind. */
function aborted(signal: AbortSignal, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true, signal: over });
  });
}
