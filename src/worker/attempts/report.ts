/** Tells how an attempt ended: on its span, in the metrics, in one log line, and as an event. */

import type { Events } from "../../telemetry/events.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import type { TaskMetrics } from "../../telemetry/metrics/task-metrics.ts";
import { ownKey } from "../../telemetry/names.ts";
import { preciseNowMs } from "../../telemetry/spans/span-start.ts";
import { type ActiveSpan, markFailed } from "../../telemetry/spans/tracing.ts";
import type { Verdict } from "../../words/retry.ts";
import type { DeadReason, TaskRecord } from "../../words/task.ts";
import type { RunResult } from "../threads/attempt.ts";

/** An attempt that has ended and is being committed. */
export interface Concluding {
  task: TaskRecord;
  claim: number;
  ran: RunResult;
  active: ActiveSpan;
  /** When it was made, or brought back from the dead letters. */
  beganAtMs: number;
  /** Lines with the task's ids and trace. */
  taskLog: Logger;
}

export interface ReportTo {
  metrics: TaskMetrics;
  events: Events;
  /** As the metrics have it. */
  taskType: string;
  committedAtMs: number;
}

/** The attempt's outcome on its span, in the metrics, in the log, and as an event. */
export function reportAttempt(
  { ran, active, beganAtMs, taskLog }: Concluding,
  verdict: Verdict,
  { metrics, events, taskType, committedAtMs }: ReportTo,
): void {
  const { outcome, durationMs } = ran;
  const { span } = active;
  const measured = span.spanContext();
  span.setAttribute(ownKey.outcome, outcome.kind);
  metrics.attempted(taskType, outcome.kind);
  const elapsed = { elapsed_ms: Math.round(durationMs * 1000) / 1000 };
  if (outcome.kind === "succeeded") {
    metrics.processed(taskType, "succeeded");
    metrics.processingDuration(taskType, "succeeded", durationMs, measured);
    metrics.endToEnd(taskType, preciseNowMs() - beganAtMs, measured);
    taskLog.info("task succeeded", elapsed);
    events.publish("task.completed", committedAtMs);
    return;
  }
  markFailed(span, outcome.error);
  const fields = { ...elapsed, error: outcome.error };
  switch (verdict.kind) {
    case "retry":
      metrics.processed(taskType, "failed");
      metrics.processed(taskType, "retried");
      metrics.processingDuration(taskType, "failed", durationMs, measured);
      taskLog.warn("attempt failed, another follows", { ...fields, retry_in_ms: verdict.delayMs });
      events.publish("task.retried", committedAtMs);
      return;
    case "bury":
      metrics.processed(taskType, "failed");
      metrics.processingDuration(taskType, "failed", durationMs, measured);
      taskLog.warn("attempt failed, it was the last", { ...fields, reason: verdict.reason });
      events.publish("task.failed", committedAtMs);
      return;
    case "return":
      taskLog.info("attempt interrupted, the task goes back", fields);
      return;
    case "cancel":
      metrics.processed(taskType, "canceled");
      taskLog.info("task canceled while it ran", fields);
      events.publish("task.canceled", committedAtMs);
      return;
    case "drop":
      taskLog.warn("lease lost, the outcome is dropped", fields);
      return;
    case "succeed":
      return;
  }
}

/** The claim itself has failed the task: its last attempt never told how it ended, or it has waited for a handler too long. */
export function reportFailedClaim(
  { task, reason }: { task: TaskRecord; reason: DeadReason },
  taskLog: Logger,
  { events, committedAtMs }: ReportTo,
): void {
  const msg =
    reason === "no_handler" ? "task failed, no worker has a handler for it" : "attempt failed, it was the last";
  taskLog.warn(msg, { reason, ...(task.error && { error: task.error }) });
  events.publish("task.failed", committedAtMs);
}

/** It was called off, and the worker that ran it is gone: it can neither end it nor tell. */
export function reportCanceled(taskLog: Logger, { metrics, events, taskType, committedAtMs }: ReportTo): void {
  metrics.processed(taskType, "canceled");
  taskLog.info("task canceled while it ran");
  events.publish("task.canceled", committedAtMs);
}
