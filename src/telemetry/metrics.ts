/** The instruments of the roles. UCUM units, no unit and no `total` in a name: Prometheus adds both. */

import type { Counter, Histogram, Meter } from "@opentelemetry/api";
import type { Breaker, BreakerState } from "../breaker.ts";
import type { QueueDepth } from "../queue/queue.ts";
import type { DeadReason } from "../task.ts";

export type ProcessedStatus = "submitted" | "succeeded" | "failed" | "retried" | "dead" | "canceled";

export interface TaskMetrics {
  /** Counts one task (or, for `failed` and `retried`, one attempt). */
  processed(taskType: string, status: ProcessedStatus): void;
  /** How long one attempt's handler took. */
  processingDuration(taskType: string, status: "succeeded" | "failed", durationMs: number): void;
  dead(taskType: string, reason: DeadReason): void;
  /** Counts dead letters that a redrive brought back, or could not. */
  redriven(result: "moved" | "failed", count: number): void;
}

export function createTaskMetrics(meter: Meter): TaskMetrics {
  const processed: Counter = meter.createCounter("tasks_processed", { description: "Tasks, by what became of them" });
  const duration: Histogram = meter.createHistogram("task_processing_duration", {
    description: "Time a handler took for one attempt",
    unit: "s",
    advice: { explicitBucketBoundaries: [0.01, 0.05, 0.1, 0.5, 1, 5, 30] },
  });
  const dead: Counter = meter.createCounter("tasks_dead", { description: "Tasks that became dead letters" });
  const redrives: Counter = meter.createCounter("task_redrives", {
    description: "Dead letters that a redrive brought back, or could not",
  });
  return {
    processed: (taskType, status) => processed.add(1, { task_type: taskType, status }),
    processingDuration: (taskType, status, ms) => duration.record(ms / 1000, { task_type: taskType, status }),
    dead: (taskType, reason) => dead.add(1, { task_type: taskType, reason }),
    redriven: (result, count) => {
      if (count > 0) redrives.add(count, { result });
    },
  };
}

/** Observes how many messages a queue holds, whenever metrics are collected. A broker that is away gives no points. */
export function observeQueueDepth(meter: Meter, queue: { name: string; depth(): Promise<QueueDepth> }): void {
  const gauge = meter.createObservableGauge("sqs_queue_depth", { description: "Messages in a queue, by state" });
  gauge.addCallback(async (result) => {
    const depth = await queue.depth().catch(() => undefined);
    if (!depth) return;
    result.observe(depth.visible, { queue: queue.name, state: "visible" });
    result.observe(depth.inFlight, { queue: queue.name, state: "in_flight" });
    result.observe(depth.delayed, { queue: queue.name, state: "delayed" });
  });
}

const breakerValues: Record<BreakerState, number> = { closed: 0, half_open: 1, open: 2 };

/** Observes the state of a circuit breaker, whenever metrics are collected. */
export function observeBreaker(meter: Meter, breaker: Pick<Breaker, "name" | "state">): void {
  const gauge = meter.createObservableGauge("circuit_breaker_state", {
    description: "Circuit breakers: 0 closed, 1 half-open, 2 open",
  });
  gauge.addCallback((result) => result.observe(breakerValues[breaker.state()], { breaker: breaker.name }));
}
