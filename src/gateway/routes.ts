/** Every route of the HTTP API, in the order in which OpenAPI tells them, and the nouns that they are about. */

import { deadLetterRoutes } from "./dead-letter-routes.ts";
import { descriptionRoutes } from "./description-routes.ts";
import { healthRoutes } from "./health-routes.ts";
import type { Route } from "./route.ts";
import { scheduleRoutes } from "./schedule-routes.ts";
import { taskRoutes } from "./task-routes.ts";
import { typeRoutes } from "./type-routes.ts";

export const allRoutes: readonly Route[] = [
  taskRoutes,
  typeRoutes,
  deadLetterRoutes,
  scheduleRoutes,
  healthRoutes,
  descriptionRoutes,
].flatMap((routes): Route[] => Object.values(routes));

export const tags: readonly { name: string; description: string }[] = [
  { name: "tasks", description: "Hand in work, and see what becomes of it." },
  { name: "dead letters", description: "Tasks that failed for good: why they did, and their way back." },
  { name: "schedules", description: "Tasks that are made again and again." },
  { name: "health", description: "For whoever watches over the process." },
  { name: "description", description: "What there is." },
];
