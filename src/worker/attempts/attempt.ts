/**
 * What the worker keeps of a message from its receive until it is settled, and of a task from its claim: plain values,
 * which lie in tables.
 */

import type { Context, Span } from "@opentelemetry/api";
import type { Config } from "../../config.ts";
import type { Clock } from "../../limits/clock.ts";
import { attributeNames, type Envelope } from "../../queue/envelope.ts";
import type { Queue, ReceivedMessage } from "../../queue/queue.ts";
import type { AttemptStore, Lease } from "../../store/ports/attempts.ts";
import type { Actor } from "../../store/ports/tasks.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import type { TaskMetrics } from "../../telemetry/metrics/task-metrics.ts";
import { markFailed } from "../../telemetry/spans/tracing.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { type TaskError, toFailure } from "../../words/errors.ts";
import type { TaskRecord } from "../../words/task.ts";
import type { ThreadPool } from "../threads/pool.ts";
import type { LeaseKeeper } from "./lease.ts";
import type { MissingHandlers } from "./missing-handlers.ts";
import type { Outage } from "./outage.ts";
import type { ProgressReporter } from "./progress.ts";
import type { Settlement } from "./settle.ts";

/** What the parts of a worker share. */
export interface WorkerParts {
  workerId: string;
  config: Config;
  store: AttemptStore;
  queue: Queue;
  pool: ThreadPool;
  telemetry: Telemetry;
  clock: Clock;
  random: () => number;
  metrics: TaskMetrics;
  outage: Outage;
  leases: LeaseKeeper<Attempt>;
  progress: ProgressReporter;
  missing: MissingHandlers;
  settlement: Settlement;
}

/** One delivery of a message, under its span `process …`. */
export interface Delivery {
  readonly message: ReceivedMessage;
  readonly envelope: Envelope;
  readonly span: Span;
  readonly context: Context;
  /** Its span begins a trace. */
  readonly isRoot: boolean;
  /** When its task was made, or brought back from the dead letters. */
  readonly beganAtMs: number;
  /** Of the newest call that claims its task. */
  actor: Actor;
  /** When that call left, on the monotonic clock. */
  claimedAtMs: number;
}

/** A claimed task. */
export interface Attempt extends Lease {
  /** Of its run. */
  readonly number: number;
  readonly delivery: Delivery;
  readonly message: ReceivedMessage;
  readonly task: TaskRecord;
  /** Its type as the metrics have it. */
  readonly label: string;
  /** Lines with the task's ids and trace. */
  readonly log: Logger;
  /** How far its handler says that it is, from 0 to 1. */
  share: number | undefined;
}

/** The entries as the store is to be asked for them: one that takes long must not hold up the others. */
export function asksFor<Entry>(entries: readonly Entry[], store: AttemptStore): readonly (readonly Entry[])[] {
  if (store.entriesAreApart) return entries.map((entry) => [entry]);
  return entries.length > 0 ? [entries] : [];
}

/** A type as the metrics have it. */
export function labelOf(pool: ThreadPool, type: string): string {
  return pool.find(type) ? type : "_other";
}

/** A logger with the ids and the trace of a task that was claimed. */
export function logOf(log: Logger, task: TaskRecord, context: Context): Logger {
  return log.in(context).with({
    correlation_id: task.correlationId,
    task_id: task.id,
    task_type: task.type,
    attempt: task.attempt,
  });
}

/**
 * The delivery is over. With an error its message stays as it is: it comes back when its visibility ends, and the claim
 * decides again.
 */
export function endDelivery({ message, envelope, span, context }: Delivery, log: Logger, error?: TaskError): void {
  if (error) {
    markFailed(span, toFailure(error));
    const ids = { correlation_id: message.attributes[attributeNames.correlationId], task_id: envelope.taskId };
    logUnhandled(log.in(context).with({ ...ids, task_type: envelope.type }), error);
  }
  span.end();
}

export function logUnhandled(about: Logger, error: TaskError): void {
  about[error.code === "unavailable" ? "warn" : "error"]("handling a message failed", { error });
}
