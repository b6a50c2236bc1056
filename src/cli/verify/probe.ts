/** The probe: a task with a trace of its own, followed to its end through the HTTP API, and if asked beyond it. */

import { systemClock } from "../../limits/clock.ts";
import { parseTraceparent } from "../../telemetry/context/trace-context.ts";
import { preciseNowMs } from "../../telemetry/spans/span-start.ts";
import { isEnded, type TaskStatus } from "../../words/task.ts";
import type { RedriveAnswer, TaskAnswer } from "../api-answers.ts";
import type { ApiAnswer, ApiClient } from "../api-client.ts";
import { deadLetterPath, deadLettersPath } from "../dlq/path.ts";
import { taskPath, waitForEnd } from "../task/wait.ts";
import type { SeenTimes } from "./clocks.ts";
import type { ProbeFacts } from "./hops.ts";

export interface ProbeRun {
  taskId: string;
  type: string;
  status: TaskStatus;
  /** It went all the way that it was sent. */
  isDone: boolean;
  /** From when it was submitted until it was seen to have ended, the first time; null: it was not. */
  tookMs: number | null;
  facts: ProbeFacts;
  times: SeenTimes;
}

export interface ProbeOptions {
  isToDie: boolean;
  limit: AbortSignal;
  deadlineMs: number;
}

const reason = "throughline verify";
const pollMs = 50;
/** A probe that nobody takes is not worth more. */
const probeTimeout = "30s";

/** Rejects with `TaskError` when the API refuses or is away; a probe that does not end in time is no error. */
export async function runProbe(api: ApiClient, { isToDie, limit, deadlineMs }: ProbeOptions): Promise<ProbeRun> {
  const type = isToDie ? "fail" : "echo";
  const payload = isToDie ? { message: "a probe, sent to die", fatal: true } : { probe: reason };
  const traceId = randomHex(16);
  const headers = { traceparent: `00-${traceId}-${randomHex(8)}-01`, "x-force-trace": "true" };
  const submittedAtMs = preciseNowMs();
  const accepted = await api.call<TaskAnswer>("POST", "/tasks", {
    body: { type, payload, max_attempts: 1, timeout: probeTimeout },
    headers,
  });
  const acceptedAtMs = preciseNowMs();
  const { id } = accepted.body;
  let { body: task } = await waitForEnd(api, id, Math.max(0, deadlineMs - performance.now()));
  const tookMs = isEnded(task.status) ? preciseNowMs() - submittedAtMs : null;
  let isDone = task.status === (isToDie ? "dead" : "succeeded");
  if (isToDie && isDone) {
    task = await bringBack(api, id, limit);
    isDone = task.attempts.length > 1 && task.status === "dead";
    if (isDone) await api.call("POST", `${deadLetterPath(id)}/discard`, { body: { reason } });
  }
  const doneAtMs = isDone ? preciseNowMs() : Number.POSITIVE_INFINITY;
  return {
    taskId: id,
    type,
    status: task.status,
    isDone,
    tookMs,
    facts: {
      traceId,
      submittedAtMs,
      gatewayTraceId: gatewayTraceIdOf(accepted),
      taskTraceId: accepted.body.trace_id,
      attemptTraceIds: task.attempts.map(({ trace_id }) => trace_id),
      isToDie,
    },
    times: { submittedAtMs, acceptedAtMs, doneAtMs },
  };
}

/** The task once it has died again, or as it is when the time is over. */
async function bringBack(api: ApiClient, id: string, limit: AbortSignal): Promise<TaskAnswer> {
  await api.call<RedriveAnswer>("POST", `${deadLettersPath}/redrive`, { body: { ids: [id], reason } });
  for (;;) {
    const { body: task } = await api.call<TaskAnswer>("GET", taskPath(id));
    if (limit.aborted || (task.attempts.length > 1 && task.status === "dead")) return task;
    await systemClock.sleep(pollMs, limit);
  }
}

function gatewayTraceIdOf({ headers }: ApiAnswer<TaskAnswer>): string | undefined {
  return parseTraceparent(headers.get("traceresponse") ?? "")?.traceId;
}

function randomHex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
}
