/** The routes of health, the same as on the admin address. */

import { answerHealth, type ProcessState } from "../http/health.ts";
import { healthRoutes } from "./health-routes.ts";
import { addRoute, type Routes } from "./serve-route.ts";

export function addHealthRoutes(routes: Routes, state: ProcessState): void {
  for (const route of Object.values(healthRoutes)) {
    addRoute(routes, route, async (c) => (await answerHealth(route.path, state)) ?? c.notFound());
  }
}
