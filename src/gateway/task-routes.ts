/** The routes of tasks, as the HTTP API promises them. */

import { z } from "zod";
import { parseDuration } from "../settings/parsers.ts";
import { taskStatuses } from "../words/task.ts";
import { batchBody, batchResult, maxBatchBytes, maxBatchKeyChars } from "./batch-schemas.ts";
import { cursor, pageLimit, timeAsked } from "./paging.ts";
import { declareRoute } from "./route.ts";
import { newTask, task, taskType, timelineEntry } from "./task-schemas.ts";

/** The longest that a request may be held for a task's end: a minute. */
const waitText = /^(?:[0-5]?\d{1,4}ms|60000ms|[0-5]?\d(?:\.\d{1,3})?s|60s|[01]m)$/;

const wait = z.string().regex(waitText, "expected a duration of at most 60s").transform(parseDuration);

/** The id of an event: the number of a change of state, and the progress, if any, as JSON writes it. Empty: of none. */
export const eventIdText = /^(?:(\d{1,9})(?::(0|1|0\.\d{1,20}|\de-\d{1,3}|\d\.\d{1,20}e-\d{1,3}))?)?$/;

const taskEvent = z
  .object({
    id: z.string().meta({ pattern: eventIdText.source }),
    event: z.enum(["state", "progress"]),
    data: z.string().meta({ contentMediaType: "application/json" }),
  })
  .meta({ id: "TaskEvent", description: "One event of the stream." });

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

  createTasks: declareRoute({
    operationId: "createTasks",
    tag,
    method: "post",
    path: "/tasks/batch",
    scope: "submit",
    summary: "Hand in up to 1,000 tasks",
    description:
      "One result for each, in their order. Each is checked and accepted for itself: what is wrong with one spoils no other.",
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
      status: z.enum(taskStatuses).optional(),
      type: taskType.optional(),
      correlation_id: z.string().min(1).max(64).optional(),
      created_after: timeAsked.optional().meta({ description: "Made later than this." }),
      created_before: timeAsked.optional().meta({ description: "Made earlier than this." }),
      limit: pageLimit,
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

  getEvents: declareRoute({
    operationId: "getEvents",
    tag,
    method: "get",
    path: "/tasks/{id}/events",
    scope: "read",
    summary: "Follow a task until it has ended",
    description:
      "Events `state`, with an entry of the timeline and its `number`, and `progress`, with `progress` from 0 to 1. A comment every 15 seconds keeps the connection.",
    headers: z.object({
      "last-event-id": z.string().optional().meta({
        pattern: eventIdText.source,
        description: "Goes on behind the event of that id, as browsers ask by themselves.",
      }),
    }),
    answers: {
      200: {
        description: "The events, as they come.",
        schema: taskEvent,
        contentType: "text/event-stream",
        headers: z.object({ "cache-control": z.literal("no-store, no-cache, no-transform") }),
      },
      204: { description: "The task has ended, and nothing was missed: do not come back." },
    },
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
