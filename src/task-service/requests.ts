/** What callers of the RPC may send: the gateway, or any Connect client. Protobuf's JSON form, read once. */

import { createHash } from "node:crypto";
import { z } from "zod";
import { TaskError } from "../errors.ts";
import { parseMessage } from "../rpc/call.ts";
import { longestDurationMs } from "../settings.ts";
import { taskTypePattern } from "../task.ts";

/** Protobuf JSON of a Duration: decimal seconds and `s`. */
export const duration = z
  .string()
  .regex(/^\d+(\.\d{1,9})?s$/)
  .transform((text) => Math.round(Number(text.slice(0, -1)) * 1000))
  .refine((ms) => ms <= longestDurationMs);

export const timestamp = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

const defaultLimit = 20;
const maxLimit = 100;

/** Of a page; 0 asks for the usual. */
export const pageLimit = z
  .int()
  .min(0)
  .max(maxLimit)
  .default(0)
  .transform((count) => count || defaultLimit);

const createTask = z
  .strictObject({
    type: z.string().regex(taskTypePattern),
    payload: z.unknown().default(null),
    metadata: z.record(z.string(), z.string()).default({}),
    runAt: timestamp.optional(),
    delay: duration.optional(),
    timeout: duration.optional(),
    maxAttempts: z.int().min(0).max(100).default(0),
    idempotencyKey: z.string().max(255).default(""),
  })
  .refine((request) => request.delay === undefined || request.runAt === undefined);

export type CreateTask = z.infer<typeof createTask>;

const getTask = z.strictObject({ id: z.string(), wait: duration.optional() });
const cancelTask = z.strictObject({ id: z.string() });
const getTimeline = z.strictObject({ id: z.string() });

export function parseCreateTask(message: unknown): CreateTask {
  return parseMessage("CreateTask", message, (it) => createTask.safeParse(it));
}

export function parseGetTask(message: unknown): z.infer<typeof getTask> {
  return parseMessage("GetTask", message, (it) => getTask.safeParse(it));
}

export function parseCancelTask(message: unknown): z.infer<typeof cancelTask> {
  return parseMessage("CancelTask", message, (it) => cancelTask.safeParse(it));
}

export function parseGetTimeline(message: unknown): z.infer<typeof getTimeline> {
  return parseMessage("GetTimeline", message, (it) => getTimeline.safeParse(it));
}

export function noTask(id: string): TaskError {
  return new TaskError("not_found", `there is no task "${id}"`);
}

/** Two requests with the same digest ask for the same task. */
export function digestOf(request: CreateTask): string {
  return createHash("sha256").update(JSON.stringify(request)).digest("base64url");
}
