/** The route of task types. */

import type { TaskTypeJson } from "../gen/tasks_pb.ts";
import type { CallInRequest } from "./edge.ts";
import { toHttpDuration } from "./schedule-view.ts";
import { addRoute, type Routes } from "./serve-route.ts";
import { typeRoutes } from "./type-routes.ts";

export function addTypeRoutes(routes: Routes, call: CallInRequest): void {
  addRoute(routes, typeRoutes.listTypes, async (c) => {
    const { items } = await call(c, "ListTaskTypes", {});
    return Response.json({ items: (items ?? []).map(toHttpType) });
  });
}

function toHttpType({ type, maxAttempts, timeout, isolation, payloadSchema }: TaskTypeJson): Record<string, unknown> {
  return {
    type,
    max_attempts: maxAttempts ?? null,
    timeout: toHttpDuration(timeout),
    isolation,
    payload_schema: payloadSchema ? JSON.parse(payloadSchema) : null,
  };
}
