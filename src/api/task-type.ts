/** Task types that workers have registered, as the API shows them. */

import { z } from "zod";
import { showDuration } from "../settings/parsers.ts";
import { JsonText } from "../words/json-text.ts";
import type { TaskType } from "../words/task.ts";
import { taskType } from "./task.ts";

export const registeredType = z
  .object({
    type: taskType,
    max_attempts: z.int().min(1).nullable().meta({ description: "null: the default of the deployment." }),
    timeout: z
      .string()
      .nullable()
      .meta({ description: "Deadline of an attempt; null: the default of the deployment.", examples: ["30s"] }),
    isolation: z.enum(["shared", "exclusive"]).meta({ description: "Whether it has a thread to itself." }),
    payload_schema: z
      .unknown()
      .meta({ description: "JSON Schema (draft 2020-12) of its payloads; null when it is not known." }),
  })
  .meta({ id: "TaskType", description: "What a worker has said that it can run." });

/** The record of a type. */
export function toTaskType({
  type,
  maxAttempts,
  timeoutMs,
  isolation,
  payloadSchema,
}: TaskType): z.input<typeof registeredType> {
  return {
    type,
    max_attempts: maxAttempts,
    timeout: timeoutMs === null ? null : showDuration(timeoutMs),
    isolation,
    payload_schema: payloadSchema === null ? null : new JsonText(payloadSchema),
  };
}
