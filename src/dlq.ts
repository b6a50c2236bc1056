/**
 * Role: records what died, and brings it back. Receives dead letters, those that workers sent and those that the broker moved by itself,
 * and moves their tasks to `dead`. A letter is deleted only after its death is recorded; one that names no task is kept
 * as it is, and never comes back.
 */

import { type Context, type Span, SpanKind } from "@opentelemetry/api";
import type { Config } from "./config.ts";
import { createRedriver, type RedriverDeps } from "./dlq/redrive.ts";
import { checkParts } from "./http/health.ts";
import type { Clock } from "./limits/clock.ts";
import { attributeNames, parseDeadReason, parseEnvelope, traceBeganAtMs } from "./queue/envelope.ts";
import { processAttributes } from "./queue/process-attributes.ts";
import type { Queue, Queues, ReceivedMessage } from "./queue/queue.ts";
import type { Service } from "./service.ts";
import type { DeadLetterStore } from "./store/ports/dead-letters.ts";
import type { StoreHealth } from "./store/ports/store.ts";
import { actorOf } from "./store/ports/tasks.ts";
import { createTaskTypes, type TypeStore } from "./store/ports/types.ts";
import { fromCarrier, spanContextOf } from "./telemetry/context/propagation.ts";
import { createTaskMetrics, observeQueueDepth } from "./telemetry/metrics/task-metrics.ts";
import { ownKey } from "./telemetry/names.ts";
import { type ActiveSpan, linksTo, markFailed, startSpan } from "./telemetry/spans/tracing.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { createTrouble } from "./telemetry/trouble.ts";
import { toFailure, toTaskError } from "./words/errors.ts";
import type { DeadReason, TaskRecord } from "./words/task.ts";
import { createPollers } from "./worker/attempts/pollers.ts";
import { createSeats } from "./worker/attempts/seats.ts";

export interface DlqDeps {
  store: Pick<DeadLetterStore, "recordDead" | "keepUnreadable"> & Pick<TypeStore, "listTypes">;
  queue: Queue;
  telemetry: Telemetry;
  clock: Clock;
  visibilityMs: number;
  /** The queue that dead letters come from. */
  sourceQueue: string;
}

/** Letters that are recorded at once. */
const maxLetters = 40;
/** A letter that could not be recorded comes back after this long, twice as long each time, up to the longest. */
const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** So many failures in a row are the store's, not a letter's: then no letter is received for a while. */
const failuresToPause = 5;
const awayPauseMs = 1000;

/** Receives until the signal aborts, then finishes what it has. */
export function createDlq(deps: DlqDeps): { run(draining: AbortSignal): Promise<void> } {
  const { store, queue, telemetry, clock } = deps;
  const metrics = createTaskMetrics(telemetry.meter);
  const types = createTaskTypes(store);
  const log = telemetry.log;
  const recording = createTrouble({
    log,
    nowMs: () => clock.monotonicMs(),
    msg: "recording a dead letter failed",
    over: "dead letters are recorded again",
  });
  let failures = 0;
  let pausedUntilMs = 0;

  /** Each letter for itself: one that fails is hidden for a while, and holds up no other. */
  const take = async (message: ReceivedMessage): Promise<void> => {
    try {
      await handle(message);
      failures = 0;
      recording.passed();
    } catch (error) {
      failures += 1;
      if (failures >= failuresToPause) pausedUntilMs = clock.monotonicMs() + awayPauseMs;
      recording.met({ error: toTaskError(error) });
      await hide(message, Math.min(longestPauseMs, firstPauseMs * 2 ** (message.receiveCount - 1)));
    }
  };

  /** A letter whose visibility cannot be changed comes back when it ends. */
  const hide = async (message: ReceivedMessage, hideMs: number): Promise<void> => {
    await queue.settle([{ message, hideMs }]);
  };

  const pollers = createPollers({
    queue,
    seats: createSeats({ vacant: () => maxLetters, taken: () => 0 }),
    clock,
    log,
    leaseMs: deps.visibilityMs,
    isPaused: () => clock.monotonicMs() < pausedUntilMs,
    handle: take,
    giveBack: (message) => hide(message, 0),
    onUnhandled: (error) => log.error("handling a dead letter failed", { error: toTaskError(error) }),
    told: { failed: "receiving dead letters failed", over: "dead letters are received again" },
  });

  const run = async (draining: AbortSignal): Promise<void> => {
    await pollers.loop(draining);
    await pollers.done();
  };

  const handle = async (message: ReceivedMessage): Promise<void> => {
    const active = startProcessSpan(message);
    try {
      await recordDead(message, active);
    } catch (error) {
      markFailed(active.span, toFailure(error));
      throw error;
    } finally {
      active.span.end();
    }
    const [deleted] = await queue.settle([{ message, hideMs: null }]);
    if (deleted?.kind === "failed") throw deleted.error;
  };

  const recordDead = async (message: ReceivedMessage, active: ActiveSpan): Promise<void> => {
    const { span, context } = active;
    telemetry.keep(context);
    const taskId = taskIdOf(message);
    if (taskId === undefined) return keep(message, context);
    const report = {
      id: taskId,
      reason: parseDeadReason(message.attributes[attributeNames.deadReason]),
      actor: actorOf(telemetry.service, context, clock.nowMs()),
    };
    const death = await store.recordDead(report, context);
    if (death.kind === "unknown") return keep(message, context);
    if (death.kind === "known") return;
    const { task, reason } = death;
    span.setAttribute(ownKey.attempts, task.attempt);
    await count(task, reason, message, span);
    log
      .in(context)
      .with({ correlation_id: task.correlationId, task_id: task.id, task_type: task.type, attempt: task.attempt })
      .error("task is dead", { reason, ...(task.error && { error: task.error }) });
    telemetry.events.publish("task.dead", report.actor.atMs);
  };

  /** A death is recorded already: what cannot be asked now must not bring its letter back. */
  const count = async (task: TaskRecord, reason: DeadReason, message: ReceivedMessage, span: Span): Promise<void> => {
    if (types.labelOf(task.type) !== task.type) await types.refresh().catch(() => {});
    const label = types.labelOf(task.type);
    metrics.processed(label, "dead");
    metrics.dead(label, reason);
    const beganAtMs = traceBeganAtMs({ taskId: task.id }, message.attributes);
    metrics.endToEnd(label, clock.nowMs() - beganAtMs, span.spanContext());
  };

  const keep = async (message: ReceivedMessage, context: Context): Promise<void> => {
    const { id, body, attributes } = message;
    const reason = parseDeadReason(attributes[attributeNames.deadReason]);
    await store.keepUnreadable({ messageId: id, body, attributes, reason, atMs: clock.nowMs() }, context);
    log.in(context).error("a dead letter names no task, it is kept as it is", { message_id: id, reason });
  };

  const startProcessSpan = (message: ReceivedMessage): ActiveSpan => {
    const sent = fromCarrier(message.attributes);
    const source = fromCarrier({ traceparent: message.attributes[attributeNames.sourceTraceparent] ?? "" });
    const taskId = taskIdOf(message);
    return startSpan(telemetry.tracer, `process ${queue.name}`, sent, {
      kind: SpanKind.CONSUMER,
      links: linksTo(spanContextOf(sent), spanContextOf(source)),
      attributes: {
        ...processAttributes(queue, message, clock.nowMs()),
        ...(taskId && { [ownKey.taskId]: taskId }),
        [ownKey.taskType]: message.attributes[attributeNames.taskType] ?? "",
        [ownKey.deadReason]: parseDeadReason(message.attributes[attributeNames.deadReason]),
        [ownKey.deadSourceQueue]: message.attributes[attributeNames.sourceQueue] ?? deps.sourceQueue,
      },
    });
  };

  return { run };
}

function taskIdOf(message: ReceivedMessage): string | undefined {
  try {
    return parseEnvelope(message.body).taskId;
  } catch {
    // What is not one of ours is kept by `keep`.
    return undefined;
  }
}

/** Begins to receive dead letters. */
export async function startDlq(
  config: Config,
  telemetry: Telemetry,
  parts: { store: DlqDeps["store"] & RedriverDeps["store"] & StoreHealth; queues: Queues; clock: Clock },
): Promise<Service> {
  const { store, queues, clock } = parts;
  observeQueueDepth(telemetry.meter, queues.deadLetters);
  const draining = new AbortController();
  const dlq = createDlq({
    store,
    queue: queues.deadLetters,
    telemetry,
    clock,
    visibilityMs: config.visibilityTimeout,
    sourceQueue: config.queueName,
  });
  const redriver = createRedriver({
    store,
    tasks: queues.tasks,
    telemetry,
    metrics: createTaskMetrics(telemetry.meter),
    clock,
  });
  const running = Promise.all([dlq.run(draining.signal), redriver.loop(draining.signal)]);
  telemetry.log.info("dead-letter processor receives");
  return {
    addresses: {},
    checks: () => checkParts({ store, queues: [queues.deadLetters, queues.tasks] }),
    drain: async () => {
      draining.abort();
      await running;
    },
    abort: () => draining.abort(),
  };
}
