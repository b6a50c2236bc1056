/** The routes of tasks, as the HTTP API promises them. */

import { z } from "zod";
import { durationPattern } from "../settings.ts";
import { duration } from "./requests.ts";
import { declareRoute } from "./route.ts";
import { newTask, task, timelineEntry } from "./task-schemas.ts";

/** The longest that a request may be held for a task's end. */
const maxWaitMs = 60_000;
const waitWords = "expected a duration of at most 60s";

const wait = z
  .string()
  .refine((text) => duration.safeParse(text).success, waitWords)
  .transform((text) => duration.parse(text))
  .refine((ms) => ms <= maxWaitMs, waitWords);

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

  getTask: declareRoute({
    operationId: "getTask",
    tag,
    method: "get",
    path: "/tasks/{id}",
    scope: "read",
    summary: "Look at a task, or wait for its end",
    query: z.strictObject({
      wait: wait.optional().meta({
        pattern: durationPattern.source,
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
