/** Every route of the HTTP API, in the order in which OpenAPI tells them. */

import { deadLetterRoutes } from "./dead-letter-routes.ts";
import { healthRoutes } from "./health-routes.ts";
import type { Route } from "./route.ts";
import { taskRoutes } from "./task-routes.ts";

export const allRoutes: readonly Route[] = [taskRoutes, deadLetterRoutes, healthRoutes].flatMap((routes): Route[] =>
  Object.values(routes),
);
