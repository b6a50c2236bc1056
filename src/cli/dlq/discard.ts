/** `throughline dlq discard`: puts dead tasks away for good. */

import type { TaskAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { callEach, type EachFlags } from "../each.ts";
import { deadLetterPath } from "./path.ts";

export interface DiscardFlags extends EachFlags {
  reason: string;
}

export function discard(ids: readonly string[], flags: DiscardFlags): Promise<number> {
  const api = connectApi(flags.url);
  const body = { reason: flags.reason };
  return callEach(
    ids,
    flags,
    (id) => api.call<TaskAnswer>("POST", `${deadLetterPath(id)}/discard`, { body }),
    ({ id, status }) => `${id} ${status}`,
  );
}
