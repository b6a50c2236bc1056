/** `throughline task cancel`: ends tasks that have not ended. */

import type { TaskAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { callEach, type EachFlags } from "../each.ts";
import { taskPath } from "./wait.ts";

export type CancelFlags = EachFlags;

export function cancelTasks(ids: readonly string[], flags: CancelFlags): Promise<number> {
  const api = connectApi(flags.url);
  return callEach(
    ids,
    flags,
    (id) => api.call<TaskAnswer>("POST", `${taskPath(id)}/cancel`),
    // One that runs is told to stop, and is canceled when it has.
    ({ id, status }) => `${id} ${status === "canceled" ? status : `${status}, told to stop`}`,
  );
}
