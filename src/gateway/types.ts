/** Task types over HTTP. */

import { z } from "zod";
import { registeredType } from "../api/task-type.ts";
import { answerWith, type CallInRequest } from "./request.ts";
import { declareRoute } from "./route.ts";
import { addRoute, type Routes } from "./serve-route.ts";

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

export function addTypeRoutes(routes: Routes, call: CallInRequest): void {
  addRoute(routes, typeRoutes.listTypes, async (c) => answerWith(await call(c, "ListTaskTypes", {})));
}
