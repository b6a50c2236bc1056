/** Waiting for a task's end, for as long as it takes. */

import { systemClock } from "../../limits/clock.ts";
import { TaskError } from "../../words/errors.ts";
import { isEnded } from "../../words/task.ts";
import type { TaskAnswer } from "../api-answers.ts";
import type { ApiAnswer, ApiClient } from "../api-client.ts";

/** The longest that the API holds an answer. */
const longestHoldMs = 60_000;

/** A gateway that is replaced is away for a moment; one that stays away ends the wait. */
const maxFailures = 5;
const pauseMs = 1000;

export function taskPath(id: string): string {
  return `/tasks/${encodeURIComponent(id)}`;
}

/** The task as it ends; as it is, when `limitMs` is over before. */
export async function waitForEnd(
  api: ApiClient,
  id: string,
  limitMs = Number.POSITIVE_INFINITY,
): Promise<ApiAnswer<TaskAnswer>> {
  const deadline = performance.now() + limitMs;
  for (let failures = 0; ; ) {
    const holdMs = Math.round(Math.max(0, Math.min(longestHoldMs, deadline - performance.now())));
    try {
      const answer = await api.call<TaskAnswer>("GET", taskPath(id), {
        query: { wait: `${holdMs}ms` },
        heldMs: holdMs,
      });
      if (isEnded(answer.body.status) || performance.now() >= deadline) return answer;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!isPassing(error) || failures > maxFailures || performance.now() >= deadline) throw error;
      await systemClock.sleep(pauseMs, new AbortController().signal);
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof TaskError && (error.code === "unavailable" || error.code === "resource_exhausted");
}
