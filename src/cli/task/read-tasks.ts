/** Which tasks `throughline task list` shows, and how they are asked for. */

import type { PageAnswer, TaskAnswer } from "../api-answers.ts";
import type { ApiClient } from "../api-client.ts";
import type { ApiFlags } from "../flags.ts";
import { readPages } from "../pages.ts";

export interface ListFlags extends ApiFlags {
  status?: string;
  type?: string;
  correlationId?: string;
  /** Milliseconds. */
  since?: number;
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
    created_after: since === undefined ? undefined : new Date(Date.now() - since).toISOString(),
  };
  return readPages<TaskAnswer>(api, { path: "/tasks", query, limit, ...(signal && { signal }) });
}
