/** Whether a call to the task service is held, seen from outside. */

import { parsePrometheus } from "./metric-series.ts";

/** Other questions to the store are answered between two looks. */
const looks = 5;

/** Whether the store owes the task service an answer, not for a moment only. */
export async function isTaskServiceWaiting(adminUrl: string | undefined): Promise<boolean> {
  for (let look = 0; look < looks; look++) {
    const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
    const used = series.find(
      ({ name, labels }) =>
        name === "db_client_connection_count" &&
        labels.service_name === "task-service" &&
        labels.db_client_connection_state === "used",
    );
    if (used?.value !== 1) return false;
  }
  return true;
}
