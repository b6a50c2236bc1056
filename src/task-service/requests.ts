/** What callers of the RPC may send: the gateway, or any Connect client. Protobuf's JSON form, read once. */

import { createHash } from "node:crypto";
import { z } from "zod";
import { parseMessage } from "../rpc/call.ts";
import { longestDurationMs } from "../settings/parsers.ts";
import { TaskError } from "../words/errors.ts";
import { taskTypePattern } from "../words/task.ts";
import { canonicalId } from "../words/task-id.ts";
import { parseTime } from "../words/time-text.ts";

/** Protobuf JSON of a Duration: decimal seconds and `s`. */
export const duration = z
  .string()
  .regex(/^\d+(\.\d{1,9})?s$/)
  .transform((text) => Math.round(Number(text.slice(0, -1)) * 1000))
  .refine((ms) => ms <= longestDurationMs);

/** Protobuf JSON of a Timestamp. */
export const timestamp = z.iso.datetime({ offset: true }).transform(parseTime);

/** Found in whatever spelling of a UUID it is asked for. */
export const givenId = z.string().transform(canonicalId);

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

const getTask = z.strictObject({ id: givenId, wait: duration.optional() });
const cancelTask = z.strictObject({ id: givenId });
const getTimeline = z.strictObject({ id: givenId });

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

/**
 * Two requests with the same digest ask for the same task. Members of JSON objects have no order (RFC 8259, 4), items of
 * arrays have. A field that says its default is the same as none: so a field that a later version adds leaves the
 * digests of the requests without it as they are in the store.
 */
export function digestOf(request: CreateTask): string {
  const { type, payload, metadata, runAt, delay, timeout, maxAttempts, idempotencyKey: _key, ...others } = request;
  // A field that is missing above is no part of the digest: the compiler says so.
  others satisfies Record<string, never>;
  const said = {
    type,
    ...(payload !== null && { payload }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(runAt !== undefined && { runAt }),
    ...(delay && { delay }),
    ...(timeout !== undefined && { timeout }),
    ...(maxAttempts && { maxAttempts }),
  };
  return createHash("sha256").update(JSON.stringify(said, withSortedNames)).digest("base64url");
}

function withSortedNames(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
