/** What the HTTP API answers, as far as the command line reads it. Times are RFC 3339. */

import type { TaskStatus } from "../task.ts";

export interface FailureAnswer {
  type: string;
  message: string;
}

export interface TaskAnswer {
  id: string;
  type: string;
  status: TaskStatus;
  payload: unknown;
  result: unknown;
  error: FailureAnswer | null;
  attempt: number;
  max_attempts: number;
  correlation_id: string;
  trace_id: string;
  metadata: Record<string, string>;
  created_at: string;
  run_at: string;
  started_at: string | null;
  ended_at: string | null;
}
