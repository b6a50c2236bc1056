/** `throughline schedule pause`, `resume` and `delete`, of one or several. */

import type { ScheduleAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { callEach, type EachFlags } from "../each.ts";
import { schedulePath } from "./path.ts";

export function controlSchedules(
  ids: readonly string[],
  command: "pause" | "resume",
  flags: EachFlags,
): Promise<number> {
  const api = connectApi(flags.url);
  return callEach(
    ids,
    flags,
    (id) => api.call<ScheduleAnswer>("POST", `${schedulePath(id)}/${command}`),
    ({ id, paused, next_runs: [next] }) => `${id} ${paused ? "paused" : `goes on${next ? `, next at ${next}` : ""}`}`,
  );
}

/** With `--json`, of each its id: the API says no more than that it is gone. */
export function deleteSchedules(ids: readonly string[], flags: EachFlags): Promise<number> {
  const api = connectApi(flags.url);
  return callEach(
    ids,
    flags,
    async (id) => {
      const gone = await api.call<null>("DELETE", schedulePath(id));
      return { ...gone, body: id, text: JSON.stringify({ id }) };
    },
    (id) => `${id} deleted`,
  );
}
