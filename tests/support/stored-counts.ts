/** How much the store of a running system holds: what a refusal must leave as it is. */

import type { TestSystem } from "./system.ts";

export function storedCounts(running: TestSystem): Record<string, unknown>[] {
  return running.rows(`
    SELECT (SELECT count(*) FROM tasks) AS tasks,
           (SELECT count(*) FROM tasks_timeline WHERE from_status IS NULL) AS timelines,
           (SELECT count(*) FROM tasks_keys) AS keys`);
}
