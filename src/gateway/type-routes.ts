/** The route of task types, as the HTTP API promises it. */

import { z } from "zod";
import { declareRoute } from "./route.ts";
import { taskType } from "./task-schemas.ts";

const registeredType = z
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

export const typeRoutes = {
  listTypes: declareRoute({
    operationId: "listTaskTypes",
    tag: "tasks",
    method: "get",
    path: "/types",
    scope: "read",
    summary: "List the task types that workers run",
    description: "Empty while no worker has ever registered: then every type is taken.",
    answers: { 200: { description: "By name.", schema: z.object({ items: z.array(registeredType) }) } },
  }),
};
