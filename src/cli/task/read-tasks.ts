/** Which tasks `throughline task list` shows, and how they are asked for. */

import type { PageAnswer, TaskAnswer } from "../api-answers.ts";
import type { ApiClient } from "../api-client.ts";
import type { ApiFlags } from "../flags.ts";
import { readPages } from "../pages.ts";
import { toMoment } from "../values.ts";

export interface ListFlags extends ApiFlags {
  status?: string;
  type?: string;
  correlationId?: string;
  /** A time, or how long ago. */
  since?: string;
  limit: number;
  watch?: boolean;
  quiet?: boolean;
}

export function readTasks(api: ApiClient, flags: ListFlags, signal?: AbortSignal): Promise<PageAnswer<TaskAnswer>> {
  const { status, type, correlationId, since, limit } = flags;
  const query = {
    status,
    type,
    correlation_id: correlationId,
    created_after: since === undefined ? undefined : toMoment(since),
  };
  return readPages<TaskAnswer>(api, { path: "/tasks", query, limit, ...(signal && { signal }) });
}
