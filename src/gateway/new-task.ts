/** From a task as a caller hands it in to the request that creates it. */

import type { CreateTaskRequestJson } from "../gen/tasks_pb.ts";
import { TaskError } from "../words/errors.ts";
import { toSeconds, toTimestamp } from "./requests.ts";
import type { NewTask } from "./task-schemas.ts";

/** Throws `invalid_argument` when the key cannot be one. */
export function toCreateTask(task: NewTask, idempotencyKey: string | undefined): CreateTaskRequestJson {
  if (idempotencyKey !== undefined && (idempotencyKey.length < 1 || idempotencyKey.length > 255)) {
    throw new TaskError("invalid_argument", "the Idempotency-Key must have 1 to 255 characters");
  }
  return {
    type: task.type,
    // It came out of JSON.parse.
    payload: (task.payload ?? null) as NonNullable<CreateTaskRequestJson["payload"]>,
    ...(task.delay !== undefined && { delay: toSeconds(task.delay) }),
    ...(task.run_at !== undefined && { runAt: toTimestamp(task.run_at) }),
    ...(task.timeout !== undefined && { timeout: toSeconds(task.timeout) }),
    ...(task.max_attempts !== undefined && { maxAttempts: task.max_attempts }),
    ...(task.metadata && { metadata: task.metadata }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  };
}
