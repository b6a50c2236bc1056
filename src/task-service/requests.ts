/** What callers of the RPC may send: the gateway, or any other client. The form of the API, read once. */

import { createHash } from "node:crypto";
import type { z } from "zod";
import { batchTask } from "../api/batch.ts";
import { msOf, toRefusal } from "../api/fields.ts";
import { toTask } from "../api/task.ts";
import type { Answer } from "../rpc/call.ts";
import { canonical, type RpcMethod } from "../rpc/methods.ts";
import { idHeader } from "../rpc/wire.ts";
import { newestEntries } from "../store/ports/pages.ts";
import { TaskError } from "../words/errors.ts";
import { canonicalJson, JsonText, textOf, writeJson } from "../words/json-text.ts";
import type { TaskRecord, TimelineEntry } from "../words/task.ts";
import { parseTime } from "../words/time-text.ts";

/**
 * A request that fits `form`, as it is or after protobuf's other spellings were brought into those of the API. Throws
 * `invalid_argument` with a pointer for everything that does not fit.
 */
export function parseRequest<Form extends z.ZodType>(method: RpcMethod, form: Form, message: unknown): z.output<Form> {
  const first = form.safeParse(message);
  if (first.success) return first.data;
  const second = form.safeParse(canonical(method, message));
  if (second.success) return second.data;
  throw toRefusal(second.error);
}

/** Durations and times in milliseconds; `payload` is JSON text. */
export interface CreateTask {
  type: string;
  payload: string;
  metadata: Record<string, string>;
  runAt?: number | undefined;
  delay?: number | undefined;
  timeout?: number | undefined;
  maxAttempts?: number | undefined;
  idempotencyKey?: string | undefined;
}

export function parseCreateTask(message: unknown): CreateTask {
  const task = parseRequest("CreateTask", batchTask, message);
  return {
    type: task.type,
    payload: textOf(task.payload),
    metadata: task.metadata ?? {},
    runAt: task.run_at === undefined ? undefined : parseTime(task.run_at),
    delay: msOf(task.delay),
    timeout: msOf(task.timeout),
    maxAttempts: task.max_attempts,
    idempotencyKey: task.idempotency_key,
  };
}

/** The answer that is a task, with as much of its history as an answer takes. */
export function answerTask(task: TaskRecord, timeline: readonly TimelineEntry[]): Answer {
  return { json: writeJson(toTask(task, newestEntries(timeline))), metadata: { [idHeader]: task.id } };
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
  const given = {
    type,
    ...(payload !== "null" && { payload: new JsonText(payload) }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(runAt !== undefined && { runAt }),
    ...(delay && { delay }),
    ...(timeout !== undefined && { timeout }),
    ...(maxAttempts && { maxAttempts }),
  };
  return createHash("sha256")
    .update(canonicalJson(writeJson(given)))
    .digest("base64url");
}
