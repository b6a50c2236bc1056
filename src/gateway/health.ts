/** The routes of health, the same as on the admin address; what they tell is in `src/http/health.ts`. */

import { z } from "zod";
import { answerHealth, type ProcessState } from "../http/health.ts";
import { declareRoute } from "./route.ts";
import { addRoute, answerUnrouted, type Routes } from "./serve-route.ts";

const status = z.enum(["healthy", "degraded", "unhealthy"]);

const headers = z.object({ "cache-control": z.literal("no-store") });
const unhealthyHeaders = headers.extend({ "retry-after": z.string() });

const health = z
  .object({
    status,
    checks: z.record(z.string(), z.object({ status }).catchall(z.union([z.string(), z.number()]))),
    uptime_seconds: z.number(),
  })
  .meta({ id: "Health", description: "One check for each thing that the process leans on, and the worst of them." });

const short = z.object({ status });

const probe = (operationId: string, path: string, summary: string, schema: z.ZodType) =>
  declareRoute({
    operationId,
    tag: "health",
    method: "get",
    path,
    isUnversioned: true,
    scope: null,
    summary,
    // Probes add what they like to get past a cache.
    query: z.looseObject({}),
    answers: {
      200: { description: "It is.", schema, headers },
      503: { description: "It is not.", schema, headers: unhealthyHeaders },
    },
  });

export const healthRoutes = {
  health: probe("getHealth", "/health", "Whether the process and all it leans on are well", health),
  ready: probe("getReady", "/health/ready", "Whether the process takes requests", short),
  live: probe("getLive", "/health/live", "Whether the process is alive", short),
};

export function addHealthRoutes(routes: Routes, state: ProcessState): void {
  for (const route of Object.values(healthRoutes)) {
    addRoute(routes, route, async (c) => (await answerHealth(route.path, state)) ?? answerUnrouted(routes, c));
  }
}
