/** Tells how an attempt ended: on its span, in the metrics, in one log line, and as an event. */

import type { Logger } from "../../telemetry/logs/log.ts";
import { ownKey } from "../../telemetry/names.ts";
import { preciseNowMs } from "../../telemetry/spans/span-start.ts";
import { markFailed } from "../../telemetry/spans/tracing.ts";
import type { Verdict } from "../../words/retry.ts";
import type { DeadReason, TaskRecord } from "../../words/task.ts";
import type { RunResult } from "../threads/thread-runs.ts";
import { type Attempt, labelOf, type WorkerParts } from "./attempt.ts";

/** The attempt's outcome, which was committed at `committedAtMs`. */
export function reportAttempt(
  { attempt, ran }: { attempt: Attempt; ran: RunResult },
  verdict: Verdict,
  committedAtMs: number,
  { metrics, telemetry: { events } }: WorkerParts,
): void {
  const { log, label, delivery } = attempt;
  const { span, beganAtMs } = delivery;
  const { outcome, durationMs } = ran;
  const measured = span.spanContext();
  span.setAttribute(ownKey.outcome, outcome.kind);
  metrics.attempted(label, outcome.kind);
  const elapsed = { elapsed_ms: Math.round(durationMs * 1000) / 1000 };
  if (outcome.kind === "succeeded") {
    metrics.processed(label, "succeeded");
    metrics.processingDuration(label, "succeeded", durationMs, measured);
    metrics.endToEnd(label, preciseNowMs() - beganAtMs, measured);
    log.info("task succeeded", elapsed);
    events.publish("task.completed", committedAtMs);
    return;
  }
  markFailed(span, outcome.error);
  const fields = { ...elapsed, error: outcome.error };
  switch (verdict.kind) {
    case "retry":
      metrics.processed(label, "failed");
      metrics.processed(label, "retried");
      metrics.processingDuration(label, "failed", durationMs, measured);
      log.warn("attempt failed, another follows", { ...fields, retry_in_ms: verdict.delayMs });
      events.publish("task.retried", committedAtMs);
      return;
    case "bury":
      metrics.processed(label, "failed");
      metrics.processingDuration(label, "failed", durationMs, measured);
      log.warn("attempt failed, it was the last", { ...fields, reason: verdict.reason });
      events.publish("task.failed", committedAtMs);
      return;
    case "return":
      log.info("attempt interrupted, the task goes back", fields);
      return;
    case "cancel":
      metrics.processed(label, "canceled");
      log.info("task canceled while it ran", fields);
      events.publish("task.canceled", committedAtMs);
      return;
    case "drop":
      log.warn("lease lost, the outcome is dropped", fields);
      return;
    case "succeed":
      return;
  }
}

/** The attempt's outcome was not committed: the claim is another worker's. */
export function reportRefused({ delivery, label, log }: Attempt, { metrics }: WorkerParts): void {
  delivery.span.setAttribute(ownKey.outcome, "lease_lost");
  metrics.attempted(label, "lease_lost");
  log.warn("the outcome was refused: the claim is no longer ours");
}

/** The claim itself has failed the task: its last attempt never told how it ended, or it has waited for a handler too long. */
export function reportFailedClaim(
  { task, reason }: { task: TaskRecord; reason: DeadReason },
  log: Logger,
  committedAtMs: number,
  { telemetry }: WorkerParts,
): void {
  const msg =
    reason === "no_handler" ? "task failed, no worker has a handler for it" : "attempt failed, it was the last";
  log.warn(msg, { reason, ...(task.error && { error: task.error }) });
  telemetry.events.publish("task.failed", committedAtMs);
}

/** It was called off, and the worker that ran it is gone: it can neither end it nor report it. */
export function reportCanceled(
  { type }: TaskRecord,
  log: Logger,
  committedAtMs: number,
  { metrics, telemetry, pool }: WorkerParts,
): void {
  metrics.processed(labelOf(pool, type), "canceled");
  log.info("task canceled while it ran");
  telemetry.events.publish("task.canceled", committedAtMs);
}
