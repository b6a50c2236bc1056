/**
 * Role: receives messages, claims their tasks, runs the handlers, commits outcomes, settles messages. Owns a message
 * between receive and settle. Promises that a message is settled only after its outcome is committed, and that an
 * outcome whose claim is no longer ours changes nothing.
 */

import { type Context, SpanKind } from "@opentelemetry/api";
import type { Config } from "./config.ts";
import { residentBytes } from "./host/runtime.ts";
import { type Check, checkParts } from "./http/health.ts";
import type { Clock } from "./limits/clock.ts";
import { attributeNames, type Envelope, parseEnvelope, traceBeganAtMs } from "./queue/envelope.ts";
import { processAttributes } from "./queue/process-attributes.ts";
import type { Queues, ReceivedMessage } from "./queue/queue.ts";
import { warnOfTaskQueue } from "./queue/queue-look.ts";
import type { Service } from "./service.ts";
import type { AttemptStore, ClaimResult } from "./store/ports/attempts.ts";
import type { StoreHealth } from "./store/ports/store.ts";
import { type Actor, actorOf } from "./store/ports/tasks.ts";
import type { TypeStore } from "./store/ports/types.ts";
import { fromCarrier, spanContextOf, toCarrier } from "./telemetry/context/propagation.ts";
import type { Logger } from "./telemetry/logs/log.ts";
import {
  type ClaimOutcome,
  createTaskMetrics,
  observeQueueDepth,
  observeWorker,
} from "./telemetry/metrics/task-metrics.ts";
import { ownKey } from "./telemetry/names.ts";
import { metadataAttributes } from "./telemetry/spans/attributes.ts";
import { CryptoIds } from "./telemetry/spans/span-start.ts";
import {
  type ActiveSpan,
  housekeeping,
  linksTo,
  markFailed,
  placeAttempt,
  startSpan,
} from "./telemetry/spans/tracing.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { onlyValue } from "./words/entry-result.ts";
import { TaskError, toFailure, toTaskError } from "./words/errors.ts";
import { decide, type Verdict } from "./words/retry.ts";
import type { TaskRecord } from "./words/task.ts";
import { toEnding } from "./worker/attempts/ending.ts";
import { createLeaseKeeper } from "./worker/attempts/lease.ts";
import { createMissingHandlers } from "./worker/attempts/missing-handlers.ts";
import { createOutage } from "./worker/attempts/outage.ts";
import { createPollers } from "./worker/attempts/pollers.ts";
import { createProgressTeller } from "./worker/attempts/progress.ts";
import {
  type Concluding,
  type ReportTo,
  reportAttempt,
  reportCanceled,
  reportFailedClaim,
} from "./worker/attempts/report.ts";
import { createSettlement } from "./worker/attempts/settlement.ts";
import { tellPassedOver } from "./worker/handlers/handler-files.ts";
import type { RunRequest, RunResult } from "./worker/threads/attempt.ts";
import { createMemoryWatch } from "./worker/threads/memory-watch.ts";
import { startPool, type ThreadPool } from "./worker/threads/pool.ts";
import type { CancelReason } from "./worker/threads/thread-messages.ts";

export interface WorkerDeps {
  workerId: string;
  config: Config;
  store: AttemptStore;
  queues: Queues;
  pool: ThreadPool;
  telemetry: Telemetry;
  clock: Clock;
  random: () => number;
  /** Cuts short what runs; its reason is a `CancelReason`. */
  aborting: AbortSignal;
}

export interface TaskWorker {
  /** Receives until `draining` aborts, then finishes what runs. */
  run(draining: AbortSignal): Promise<void>;
  /** Tasks that are claimed and not settled. */
  tasksInFlight(): number;
  /** What the health tells of task types that have no handler here. */
  missingHandlers(): Check | undefined;
}

/** The span of one delivery. */
interface ProcessSpan extends ActiveSpan {
  /** It begins a trace. */
  isRoot: boolean;
}

type ClaimedTask = Extract<ClaimResult, { task: TaskRecord }>;

export function createWorker(deps: WorkerDeps): TaskWorker {
  const { config, store, queues, pool, telemetry, clock, workerId } = deps;
  const queue = queues.tasks;
  const leaseMs = config.visibilityTimeout;
  const metrics = createTaskMetrics(telemetry.meter);
  const { log, events } = telemetry;
  const ids = new CryptoIds();
  const leases = createLeaseKeeper({ store, queue, clock, leaseMs, log: log.module("worker.lease") });
  const settlement = createSettlement({ queues, telemetry, clock });
  const outage = createOutage({ clock, leaseMs, log: log.module("worker.outage") });
  const missing = createMissingHandlers({ clock, log, hasHandler: (type) => pool.find(type) !== undefined });
  const progress = createProgressTeller({ store, clock, log: log.module("worker.progress") });
  /** Of each attempt: a signal made of this one's and the worker's own would cost more than both. */
  const attempts = new Set<AbortController>();
  deps.aborting.addEventListener("abort", () => {
    for (const ending of attempts) ending.abort(deps.aborting.reason);
  });

  const run: TaskWorker["run"] = async (draining) => {
    const done = new AbortController();
    const keeping = leases.loop(done.signal);
    await pollers.loop(draining);
    outage.drain();
    await pollers.done();
    done.abort();
    await Promise.all([keeping, progress.stop()]);
  };

  /** One delivery, from receive to settle. */
  const handle = async (message: ReceivedMessage): Promise<void> => {
    const sent = fromCarrier(message.attributes);
    const envelope = readEnvelope(message);
    if (envelope instanceof TaskError) return setAside(message, sent, envelope);
    const { parent, links } = placeAttempt(
      pool.find(envelope.type)?.tracePolicy ?? config.tracePolicy,
      sent,
      clock.nowMs() - traceBeganAtMs(envelope, message.attributes),
    );
    const active = startSpan(telemetry.tracer, `process ${queue.name}`, parent, {
      kind: SpanKind.CONSUMER,
      attributes: spanAttributesOf(message, envelope),
      links,
    });
    try {
      await claimAndRun(message, envelope, { ...active, isRoot: !spanContextOf(parent) });
    } catch (error) {
      markFailed(active.span, toFailure(error));
      const ids = { correlation_id: message.attributes[attributeNames.correlationId], task_id: envelope.taskId };
      tellUnhandled(error, log.in(active.context).with({ ...ids, task_type: envelope.type }));
    } finally {
      active.span.end();
    }
  };

  /** The message stays as it is: it comes back when its visibility ends, and the claim decides again. */
  const tellUnhandled = (thrown: unknown, about: Logger): void => {
    const error = toTaskError(thrown);
    about[error.code === "unavailable" ? "warn" : "error"]("handling a message failed", { error });
  };

  const claimAndRun = async (message: ReceivedMessage, envelope: Envelope, active: ProcessSpan): Promise<void> => {
    let actor = actorIn(active.context);
    let claimedAtMs = clock.monotonicMs();
    const lacksHandler = pool.find(envelope.type) ? {} : { lacksHandler: { limitMs: config.handlerWait } };
    const claimed = await outage.claim(
      async () => {
        actor = actorIn(active.context);
        claimedAtMs = clock.monotonicMs();
        const { context } = active;
        const request = { id: envelope.taskId, worker: workerId, leaseMs, actor, ...lacksHandler, context };
        return onlyValue(await store.claim([request]));
      },
      () => settlement.hide(message, leaseMs),
    );
    metrics.claimed(claimOutcomes[claimed.kind]);
    if (claimed.kind === "won" || claimed.kind === "failed") placeInHistory(claimed, active);
    if (claimed.kind === "won") return attempt(message, claimed, { active, startedAtMs: actor.atMs, claimedAtMs });
    active.span.setAttribute(ownKey.outcome, claimed.kind);
    switch (claimed.kind) {
      case "ended":
        if (claimed.task) reportCanceled(logOf(claimed.task, active.context), reportTo(claimed.task, actor.atMs));
        return settlement.delete(message);
      case "leased":
      case "early":
        return settlement.hide(message, claimed.untilMs - clock.nowMs());
      case "put_off":
        missing.met(envelope.type, log.in(active.context).with({ task_id: envelope.taskId, task_type: envelope.type }));
        // The sweeper sends it anew: a message that waited here would use up the broker's receives.
        return settlement.delete(message);
      case "failed":
        // Failed by this very claim, and not by one before whose letter was not sent.
        if (claimed.task.endedAtMs === actor.atMs) {
          reportFailedClaim(claimed, logOf(claimed.task, active.context), reportTo(claimed.task, actor.atMs));
        }
        return settlement.bury(message, claimed.task.attempt, claimed.reason, active.context);
      case "unknown":
        return settlement.bury(message, 0, "unknown_task", active.context);
    }
  };

  /** What the claim tells of the task's past: links to where it comes from, and a trace that is kept once it failed. */
  const placeInHistory = (claimed: ClaimedTask, { span, context, isRoot }: ProcessSpan): void => {
    const { redrivenFrom } = claimed.task;
    const previous = claimed.kind === "won" ? claimed.previous : null;
    // The redrive's own span links to the death as well; this one is there also when that one was lost in a crash.
    const earlier = [redrivenFrom, isRoot ? previous : null].filter((traceparent) => traceparent !== null);
    span.addLinks(linksTo(...earlier.map((traceparent) => spanContextOf(fromCarrier({ traceparent })))));
    if (previous !== null) telemetry.keep(context);
  };

  const attempt = async (
    message: ReceivedMessage,
    { claim, task }: Extract<ClaimResult, { kind: "won" }>,
    { active, startedAtMs, claimedAtMs }: { active: ActiveSpan; startedAtMs: number; claimedAtMs: number },
  ): Promise<void> => {
    const { span, context } = active;
    span.setAttribute(ownKey.attempt, task.attempt);
    span.setAttributes(metadataAttributes(task.metadata, config.metadataAttributes));
    const taskLog = logOf(task, context);
    taskLog.info("task started");
    metrics.queueWait(labelOf(task.type), clock.nowMs() - task.runAtMs, span.spanContext());
    events.publish("task.started", startedAtMs);
    const beganAtMs = traceBeganAtMs({ taskId: task.id }, message.attributes);
    const ending = new AbortController();
    const lease = {
      id: task.id,
      claim,
      message,
      onLost: () => ending.abort("lease_lost" satisfies CancelReason),
      onCanceled: () => ending.abort("canceled" satisfies CancelReason),
    };
    leases.hold(lease, claimedAtMs);
    attempts.add(ending);
    if (deps.aborting.aborted) ending.abort(deps.aborting.reason);
    try {
      const running = runHandler(task, context, {
        signal: ending.signal,
        onProgress: (share) => progress.say(lease, share),
      });
      pollers.seat(message);
      const ran = await running;
      const share = progress.end(lease);
      const verdict = await conclude({ task, claim, ran, active, beganAtMs, taskLog }, share);
      await leases.release(lease);
      if (verdict) await settlement.carryOut(verdict, message, task, context);
    } finally {
      attempts.delete(ending);
      progress.end(lease);
      await leases.release(lease);
    }
  };

  const logOf = (task: TaskRecord, context: Context): Logger =>
    log.in(context).with({
      correlation_id: task.correlationId,
      task_id: task.id,
      task_type: task.type,
      attempt: task.attempt,
    });

  const reportTo = (task: TaskRecord, committedAtMs: number): ReportTo => {
    return { metrics, events, taskType: labelOf(task.type), committedAtMs };
  };

  const runHandler = (
    task: TaskRecord,
    context: Context,
    hooks: Pick<RunRequest, "signal" | "onProgress">,
  ): Promise<RunResult> => {
    const type = pool.find(task.type);
    return pool.run({
      run: {
        taskId: task.id,
        type: task.type,
        payload: task.payload,
        attempt: task.attempt,
        correlationId: task.correlationId,
        metadata: task.metadata,
        carrier: toCarrier(context),
        spanId: ids.generateSpanId(),
      },
      timeoutMs: task.timeoutMs ?? type?.timeoutMs ?? config.taskTimeout,
      isAlone: task.runsAlone || type?.isolation === "exclusive",
      ...hooks,
    });
  };

  /** Decides, and commits. Nothing is left to do when the claim was no longer ours: somebody else owns the message. */
  const conclude = async (concluding: Concluding, progress?: number): Promise<Verdict | undefined> => {
    const { task, claim, ran, active, taskLog } = concluding;
    const { outcome } = ran;
    if (outcome.kind !== "succeeded") telemetry.keep(active.context);
    const policy = { maxAttempts: task.maxAttempts, baseMs: config.retryBase, capMs: config.retryCap };
    const verdict = decide(outcome, task.attempt, policy, deps.random);
    if (verdict.kind === "drop") {
      reportAttempt(concluding, verdict, reportTo(task, clock.nowMs()));
      return undefined;
    }
    const ending = toEnding(verdict, outcome, clock.nowMs());
    const said = progress === undefined ? {} : { progress };
    const { context } = active;
    const request = { id: task.id, claim, ending, actor: actorIn(context), ...said, context };
    const became = await outage.commit(async () => onlyValue(await store.finish([request])));
    if (became === null) {
      active.span.setAttribute(ownKey.outcome, "lease_lost");
      metrics.attempted(labelOf(task.type), "lease_lost");
      taskLog.warn("the outcome was refused: the claim is no longer ours");
      return undefined;
    }
    // Its user has called it off since the lease was last prolonged: no further attempt follows.
    const isCalledOff = became === "canceled" && "error" in verdict;
    const done: Verdict = isCalledOff ? { kind: "cancel", error: verdict.error } : verdict;
    reportAttempt(concluding, done, reportTo(task, request.actor.atMs));
    return done;
  };

  /** A message that names no task goes to the dead letters as it is, in a trace of its own unless it carries one. */
  const setAside = async (message: ReceivedMessage, sent: Context, problem: TaskError): Promise<void> => {
    const { span, context } = startSpan(telemetry.tracer, `process ${queue.name}`, sent, {
      kind: SpanKind.CONSUMER,
      attributes: spanAttributesOf(message, undefined),
      links: linksTo(spanContextOf(sent)),
    });
    markFailed(span, toFailure(problem));
    log
      .in(context)
      .error("unreadable message, it goes to the dead letters", { error: problem, message_id: message.id });
    try {
      await settlement.bury(message, 0, "unreadable", context);
    } finally {
      span.end();
    }
  };

  const spanAttributesOf = (message: ReceivedMessage, envelope: Envelope | undefined) => ({
    ...processAttributes(queue, message, clock.nowMs()),
    ...(envelope && { [ownKey.taskId]: envelope.taskId, [ownKey.taskType]: envelope.type }),
    [ownKey.workerId]: workerId,
  });

  /** The type as a metric's label. */
  const labelOf = (type: string): string => (pool.find(type) ? type : "_other");

  const actorIn = (context: Context): Actor => actorOf(telemetry.service, context, clock.nowMs());

  const pollers = createPollers({
    queue,
    seats: pool,
    clock,
    log,
    leaseMs,
    isPaused: () => outage.isOn(),
    handle,
    giveBack: (message) => settlement.hide(message, 0),
    onUnhandled: (error) => tellUnhandled(error, log),
  });

  return { run, tasksInFlight: () => attempts.size, missingHandlers: () => missing.check() };
}

/** What a claim's answer counts as. */
const claimOutcomes: Record<ClaimResult["kind"], ClaimOutcome> = {
  won: "won",
  leased: "lost",
  early: "lost",
  put_off: "no_handler",
  ended: "ended",
  failed: "ended",
  unknown: "ended",
};

function readEnvelope(message: ReceivedMessage): Envelope | TaskError {
  try {
    return parseEnvelope(message.body);
  } catch (error) {
    return toTaskError(error);
  }
}

/** Starts the handler threads, registers their types, and begins to receive. */
export async function startWorker(
  config: Config,
  telemetry: Telemetry,
  parts: { store: AttemptStore & Pick<TypeStore, "registerTypes"> & StoreHealth; queues: Queues; clock: Clock },
): Promise<Service> {
  const { store, queues, clock } = parts;
  const { log } = telemetry;
  const poolLog = log.module("worker.pool");
  const handlerLog = log.module("handler");
  const pool = await startPool(config, {
    onSpans: (spans) => telemetry.adopt(spans),
    onLog: ({ level, msg, fields, task, span }) => {
      handlerLog
        .with({
          ...(span && { trace_id: span.traceId, span_id: span.spanId, trace_flags: span.traceFlags }),
          ...(task && {
            correlation_id: task.correlationId,
            task_id: task.taskId,
            task_type: task.type,
            attempt: task.attempt,
          }),
        })
        [level](msg, fields);
    },
    onThreadCondemned: (name, reason) =>
      poolLog.warn("handler thread takes no new task, another takes its place", { thread: name, reason }),
    onThreadEnded: (name, reason) =>
      poolLog.warn("handler thread ended, another takes its place", { thread: name, reason }),
  });
  const register = (): Promise<void> => store.registerTypes(pool.types(), housekeeping);
  await register();
  observeQueueDepth(telemetry.meter, queues.tasks);
  const warning = warnOfTaskQueue(config, log);
  const draining = new AbortController();
  const aborting = new AbortController();
  draining.signal.addEventListener("abort", () => pool.drain(), { once: true });
  const workerId = `worker-${crypto.randomUUID().slice(0, 8)}`;
  const worker = createWorker({
    workerId,
    config,
    store,
    queues,
    pool,
    telemetry,
    clock,
    random: Math.random,
    aborting: aborting.signal,
  });
  observeWorker(telemetry.meter, { threads: pool.threadStates, tasksInFlight: worker.tasksInFlight });
  const running = worker.run(draining.signal);
  const memory = createMemoryWatch({
    pool,
    clock,
    log: log.module("worker.memory"),
    limitBytes: config.memoryLimit,
    residentBytes,
  });
  const watching = memory.loop(draining.signal);
  const edits = config.watchesHandlers
    ? (await import("./worker/handlers/edits.ts")).watchHandlers({
        config,
        pool,
        register,
        log: log.module("worker.edits"),
      })
    : undefined;
  await edits?.ready;
  tellPassedOver(config.handlers, log);
  log.info("worker receives", { worker: workerId, types: pool.types().map(({ type }) => type) });
  return {
    addresses: {},
    checks: async () => {
      const [checks, workers] = await Promise.all([
        checkParts({ store, queues: [queues.tasks, queues.deadLetters] }),
        checkPool(pool, memory.isAbove()),
      ]);
      const handlers = worker.missingHandlers();
      return { ...checks, workers, ...(handlers && { handlers }) };
    },
    drain: async () => {
      draining.abort();
      await Promise.all([running, watching, warning, edits?.close()]);
      pool.close();
    },
    abort: () => {
      draining.abort();
      aborting.abort("aborted" satisfies CancelReason);
    },
  };
}

async function checkPool(pool: ThreadPool, isMemoryAbove: boolean): Promise<Check> {
  const stuck = await pool.stuck();
  const { threads, busy } = pool.figures();
  const failure = pool.failure();
  const figures = { threads, busy, stuck, ...(failure !== undefined && { reason: failure }) };
  // One that is being replaced is missing for a moment.
  if (threads === 0) return { status: failure === undefined ? "degraded" : "unhealthy", ...figures };
  return { status: isMemoryAbove || stuck > 0 || failure !== undefined ? "degraded" : "healthy", ...figures };
}
