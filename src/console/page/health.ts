/** What the gateway's process says of itself; 503 is an answer too. */

import type { Health } from "../../words/health.ts";
import { ApiProblem, apiHeaders } from "./api.ts";

const limitMs = 10_000;

/** Rejects with `ApiProblem` when the gateway does not answer. */
export async function askHealth(signal: AbortSignal): Promise<Health> {
  const answer = await fetch("/health", {
    headers: apiHeaders(),
    signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
    credentials: "omit",
    cache: "no-store",
  }).catch((cause: unknown) => {
    if (signal.aborted) throw cause;
    throw new ApiProblem(0, { detail: "Nothing answers: is throughline still running?" });
  });
  const body: Partial<Health> & { detail?: string } = await answer.json();
  const { status, checks, uptime_seconds: uptime } = body;
  if (status === undefined || checks === undefined || uptime === undefined) throw new ApiProblem(answer.status, body);
  return { status, checks, uptime_seconds: uptime };
}
