/** Every route of the HTTP API, in the order in which the gateway serves them. */

import { batchRoute } from "./batch.ts";
import { deadLetterRoutes } from "./dead-letters.ts";
import { descriptionRoutes } from "./description.ts";
import { healthRoutes } from "./health.ts";
import type { Route } from "./route.ts";
import { scheduleRoutes } from "./schedules.ts";
import { eventRoute } from "./task-events.ts";
import { taskRoutes } from "./tasks.ts";
import { typeRoutes } from "./types.ts";

export const allRoutes: readonly Route[] = [
  ...Object.values(taskRoutes),
  batchRoute,
  eventRoute,
  ...Object.values(typeRoutes),
  ...Object.values(deadLetterRoutes),
  ...Object.values(scheduleRoutes),
  ...Object.values(healthRoutes),
  ...Object.values(descriptionRoutes),
];
