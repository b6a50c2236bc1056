/** Batches of tasks as the API takes and answers them. */

import { z } from "zod";
import { problem } from "../http/problem.ts";
import type { FieldProblem } from "../words/errors.ts";
import { count } from "./fields.ts";
import { newTask, task } from "./task.ts";

/** Of one of its tasks, and of the whole. */
export const maxTaskBytes = 256 * 1024;
export const maxBatchBytes = 4 * 1024 * 1024;

/** A header is one for all of them: the key of each has the item's number behind it. */
export const maxBatchKeyChars = 250;

/** A task of a batch, and the request of one task in RPC. */
export const batchTask = newTask.safeExtend({
  idempotency_key: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: "In place of the header `Idempotency-Key`, which names the whole batch." }),
});

/** Each item is checked for itself: what is wrong with one is no fault of the request. */
export const batchBody = z
  .array(z.unknown().meta({ description: "As `POST /v1/tasks` takes it, and an `idempotency_key` of its own." }))
  .min(1)
  .max(1000)
  .meta({
    examples: [
      [
        { type: "echo", payload: 1 },
        { type: "echo", payload: 2, delay: "10s" },
      ],
    ],
  });

export const batchResult = z
  .object({
    status: z.int().meta({ description: "As `POST /v1/tasks` would have answered: 202 accepted, 200 seen before." }),
    task: task.optional(),
    error: problem.optional(),
    retry_after: count.optional().meta({ description: "After how many seconds it is worth trying again." }),
  })
  .meta({ id: "BatchResult", description: "What became of one task of a batch." });

const text = z.string().optional();

/** The context of a call of `CreateTask` that another carries. */
const callContext = z.strictObject({
  traceparent: text,
  tracestate: text,
  baggage: text,
  correlation_id: text,
  request_id: text,
  b3: text,
  b3multi: text,
});

/** The request of `CreateTasks`: each task is checked by itself. */
export const createTasks = z
  .strictObject({ tasks: z.array(z.unknown()).min(1).max(1000), contexts: z.array(callContext).default([]) })
  .refine(({ tasks, contexts }) => contexts.length === 0 || contexts.length === tasks.length, {
    path: ["contexts"],
    message: "expected none, or one for each task",
  });

/** What the task service answers of one task of a batch. */
export interface BatchOutcome {
  task?: z.input<typeof task>;
  replayed?: boolean;
  refusal?: { code: string; message: string; retry_after?: string; problems?: FieldProblem[] };
}
