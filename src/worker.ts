/**
 * Role: receives messages, claims their tasks, runs the handlers, commits outcomes, settles messages. Owns a message
 * between receive and settle. Promises that a message is settled only after its outcome is committed, and that an
 * outcome whose claim is no longer ours changes nothing.
 */

import { type Context, type Span, SpanKind } from "@opentelemetry/api";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { TaskError, toFailure, toTaskError } from "./errors.ts";
import { type Check, checkParts } from "./health.ts";
import { residentBytes } from "./memory.ts";
import { attributeNames, type Envelope, keptAttributes, parseEnvelope, traceBeganAtMs } from "./queue/envelope.ts";
import { processAttributes } from "./queue/process-attributes.ts";
import { maxDelayMs, type Queues, type ReceivedMessage } from "./queue/queue.ts";
import { decide, type Verdict } from "./retry.ts";
import type { Service } from "./service.ts";
import type { Actor, ClaimResult, Store } from "./store/store.ts";
import type { DeadReason, TaskRecord } from "./task.ts";
import { CryptoIds } from "./telemetry/ids.ts";
import type { Logger } from "./telemetry/log.ts";
import { metadataAttributes } from "./telemetry/metadata.ts";
import { type ClaimOutcome, createTaskMetrics, observeQueueDepth, observeWorker } from "./telemetry/metrics.ts";
import { ownKey } from "./telemetry/names.ts";
import { fromCarrier, spanContextOf, toCarrier } from "./telemetry/propagation.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { type ActiveSpan, housekeeping, linksTo, markFailed, placeAttempt, startSpan } from "./telemetry/tracing.ts";
import { createTrouble } from "./telemetry/trouble.ts";
import type { RunResult } from "./worker/attempt.ts";
import { toEnding } from "./worker/ending.ts";
import type { HandledType } from "./worker/handlers.ts";
import { createLeaseKeeper } from "./worker/lease.ts";
import { createMemoryWatch } from "./worker/memory-watch.ts";
import { createOutage } from "./worker/outage.ts";
import { startPool, type ThreadPool } from "./worker/pool.ts";
import { type Concluding, reportAttempt } from "./worker/report.ts";
import type { CancelReason } from "./worker/thread-messages.ts";

export interface WorkerDeps {
  workerId: string;
  config: Config;
  store: Store;
  queues: Queues;
  pool: ThreadPool;
  telemetry: Telemetry;
  clock: Clock;
  random: () => number;
}

export interface TaskWorker {
  /** Receives until `draining` aborts, then finishes what runs; `aborting` cuts that short. */
  run(draining: AbortSignal, aborting: AbortSignal): Promise<void>;
  /** Tasks that are claimed and not settled. */
  tasksInFlight(): number;
}

/** The span of one delivery. */
interface ProcessSpan extends ActiveSpan {
  /** It begins a trace. */
  isRoot: boolean;
}

type ClaimedTask = Extract<ClaimResult, { task: TaskRecord }>;

/** SQS's longest. */
const pollMs = 20_000;
/** SQS: messages in one receive. */
const maxMessages = 10;
const errorPauseMs = 1000;
/**
 * A poll that is under way when a drain begins gets this long: cut at once, it would take the messages with it that the
 * broker is just giving, hidden until their visibility ends.
 */
const lastPollMs = 250;

export function createWorker(deps: WorkerDeps): TaskWorker {
  const { config, store, queues, pool, telemetry, clock, workerId } = deps;
  const queue = queues.tasks;
  const leaseMs = config.visibilityTimeout;
  const metrics = createTaskMetrics(telemetry.meter);
  const { log, events } = telemetry;
  const nowMs = (): number => clock.nowMs();
  const troubles = {
    receive: createTrouble({ log, nowMs, msg: "receive failed", over: "messages are received again" }),
    settle: createTrouble({ log, nowMs, msg: "settling a message failed", over: "messages are settled again" }),
  };
  const ids = new CryptoIds();
  const types = new Map<string, HandledType>(pool.types.map((type) => [type.type, type]));
  const leases = createLeaseKeeper({ store, queue, clock, leaseMs, log: log.module("worker.lease") });
  const outage = createOutage({ clock, leaseMs, log: log.module("worker.outage") });
  const handling = new Set<Promise<void>>();
  let inFlight = 0;
  /** Messages that have a seat reserved in the pool and have not used it. */
  const seated = new WeakSet<ReceivedMessage>();

  const run = async (draining: AbortSignal, aborting: AbortSignal): Promise<void> => {
    const done = new AbortController();
    const keeping = leases.loop(done.signal);
    await receiveLoop(draining, aborting);
    outage.drain();
    await Promise.all(handling);
    done.abort();
    await keeping;
  };

  const receiveLoop = async (draining: AbortSignal, aborting: AbortSignal): Promise<void> => {
    const polling = abortedLater(draining, lastPollMs);
    while (!draining.aborted) {
      await pool.whenFree(draining);
      if (outage.isOn()) {
        await clock.sleep(errorPauseMs, draining);
        continue;
      }
      const max = Math.min(maxMessages, pool.free());
      if (draining.aborted || max === 0) continue;
      let unused = max;
      pool.reserve(max);
      try {
        const messages = await queue.receive({ max, waitMs: pollMs, visibilityMs: leaseMs, signal: polling });
        troubles.receive.passed();
        if (draining.aborted) {
          for (const message of messages) track(giveBack(message));
          continue;
        }
        unused -= messages.length;
        for (const message of messages) track(handleSeated(message, aborting));
      } catch (error) {
        troubles.receive.met({ error: toTaskError(error) });
        await clock.sleep(errorPauseMs, draining);
      } finally {
        pool.release(unused);
      }
    }
  };

  /** Whatever becomes of the message, its seat is free afterwards. */
  const handleSeated = async (message: ReceivedMessage, aborting: AbortSignal): Promise<void> => {
    seated.add(message);
    try {
      await handle(message, aborting);
    } finally {
      if (seated.delete(message)) pool.release(1);
    }
  };

  const track = (work: Promise<void>): void => {
    const settled = work.catch((error: unknown) => tellUnhandled(error, log)).finally(() => handling.delete(settled));
    handling.add(settled);
  };

  /** A message that came in a drain is visible again at once: for another worker, or the next start. */
  const giveBack = (message: ReceivedMessage): Promise<void> => settle(queue.changeVisibility(message, 0));

  /** One delivery, from receive to settle. */
  const handle = async (message: ReceivedMessage, aborting: AbortSignal): Promise<void> => {
    const sent = fromCarrier(message.attributes);
    const envelope = readEnvelope(message);
    if (envelope instanceof TaskError) return setAside(message, sent, envelope);
    const { parent, links } = placeAttempt(
      types.get(envelope.type)?.tracePolicy ?? config.tracePolicy,
      sent,
      clock.nowMs() - traceBeganAtMs(envelope, message.attributes),
    );
    const active = startSpan(telemetry.tracer, `process ${queue.name}`, parent, {
      kind: SpanKind.CONSUMER,
      attributes: spanAttributesOf(message, envelope),
      links,
    });
    try {
      await claimAndRun(message, envelope, { ...active, isRoot: !spanContextOf(parent) }, aborting);
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

  const claimAndRun = async (
    message: ReceivedMessage,
    envelope: Envelope,
    active: ProcessSpan,
    aborting: AbortSignal,
  ): Promise<void> => {
    let actor = actorOf(active);
    const claimed = await outage.claim(
      () => {
        actor = actorOf(active);
        return store.claim({ id: envelope.taskId, worker: workerId, leaseMs, actor }, active.context);
      },
      () => settle(queue.changeVisibility(message, leaseMs)),
    );
    metrics.claimed(claimOutcomes[claimed.kind]);
    if (claimed.kind === "won" || claimed.kind === "failed") placeInHistory(claimed, active);
    if (claimed.kind === "won") return attempt(message, claimed, { active, startedAtMs: actor.atMs }, aborting);
    active.span.setAttribute(ownKey.outcome, claimed.kind);
    switch (claimed.kind) {
      case "ended":
        if (claimed.task) tellCanceled(claimed.task, active, actor.atMs);
        return settle(queue.delete(message));
      case "leased":
      case "early":
        return settle(queue.changeVisibility(message, Math.min(claimed.untilMs - clock.nowMs(), maxDelayMs)));
      case "failed":
        // Failed by this very claim, and not by one before whose letter was not sent.
        if (claimed.task.endedAtMs === actor.atMs) tellFailed(claimed.task, claimed.reason, active, actor.atMs);
        return bury(message, claimed.task.attempt, claimed.reason, active.context);
      case "unknown":
        return bury(message, 0, "unknown_task", active.context);
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
    { active, startedAtMs }: { active: ActiveSpan; startedAtMs: number },
    aborting: AbortSignal,
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
    leases.hold(lease);
    inFlight += 1;
    try {
      const running = runHandler(task, context, AbortSignal.any([ending.signal, aborting]));
      seated.delete(message);
      const verdict = await conclude({ task, claim, ran: await running, active, beganAtMs, taskLog });
      await leases.release(lease);
      if (verdict) await carryOut(verdict, message, task, context);
    } finally {
      inFlight -= 1;
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

  /** An attempt before this claim never told how it ended, and there is none left. */
  const tellFailed = (task: TaskRecord, reason: DeadReason, { context }: ActiveSpan, atMs: number): void => {
    const fields = { reason, ...(task.error && { error: task.error }) };
    logOf(task, context).warn("attempt failed, it was the last", fields);
    events.publish("task.failed", atMs);
  };

  /** The worker that ran it is gone, and can neither end it nor tell. */
  const tellCanceled = (task: TaskRecord, { context }: ActiveSpan, atMs: number): void => {
    metrics.processed(labelOf(task.type), "canceled");
    logOf(task, context).info("task canceled while it ran");
    events.publish("task.canceled", atMs);
  };

  const runHandler = (task: TaskRecord, context: Context, signal: AbortSignal): Promise<RunResult> => {
    const type = types.get(task.type);
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
      signal,
    });
  };

  /** Decides, and commits. Nothing is left to do when the claim was no longer ours: somebody else owns the message. */
  const conclude = async (concluding: Concluding): Promise<Verdict | undefined> => {
    const { task, claim, ran, active, taskLog } = concluding;
    const { outcome } = ran;
    if (outcome.kind !== "succeeded") telemetry.keep(active.context);
    const policy = { maxAttempts: task.maxAttempts, baseMs: config.retryBase, capMs: config.retryCap };
    const verdict = decide(outcome, task.attempt, policy, deps.random);
    const report = (done: Verdict, committedAtMs: number): void =>
      reportAttempt(concluding, done, { metrics, events, taskType: labelOf(task.type), committedAtMs });
    if (verdict.kind === "drop") {
      report(verdict, nowMs());
      return undefined;
    }
    const ending = toEnding(verdict, outcome, clock.nowMs());
    const request = { id: task.id, claim, ending, actor: actorOf(active) };
    const became = await outage.commit(() => store.finish(request, active.context));
    if (became === null) {
      active.span.setAttribute(ownKey.outcome, "lease_lost");
      metrics.attempted(labelOf(task.type), "lease_lost");
      taskLog.warn("the outcome was refused: the claim is no longer ours");
      return undefined;
    }
    // Its user has called it off since the lease was last prolonged: no further attempt follows.
    const isCalledOff = became === "canceled" && "error" in verdict;
    const done: Verdict = isCalledOff ? { kind: "cancel", error: verdict.error } : verdict;
    report(done, request.actor.atMs);
    return done;
  };

  /** Settles the message as the verdict says. */
  const carryOut = async (
    verdict: Verdict,
    message: ReceivedMessage,
    task: TaskRecord,
    context: Context,
  ): Promise<void> => {
    switch (verdict.kind) {
      case "drop":
        return;
      case "succeed":
      case "cancel":
        return settle(queue.delete(message));
      case "retry":
        // A longer wait than the queue can keep is the sweeper's.
        if (verdict.delayMs > maxDelayMs) return settle(queue.delete(message));
        return settle(queue.changeVisibility(message, verdict.delayMs));
      case "return":
        return settle(queue.changeVisibility(message, 0));
      case "bury":
        return bury(message, task.attempt, verdict.reason, context);
    }
  };

  /** Sends the message on to the dead-letter queue, and only then takes it from its own. */
  const bury = async (
    message: ReceivedMessage,
    attempts: number,
    reason: DeadReason,
    buried: Context,
  ): Promise<void> => {
    const context = telemetry.keep(buried);
    const { traceparent } = message.attributes;
    await queues.deadLetters.send(
      {
        body: message.body,
        attributes: {
          [attributeNames.deadReason]: reason,
          [attributeNames.sourceQueue]: queue.name,
          ...(traceparent && { [attributeNames.sourceTraceparent]: traceparent }),
        },
        kept: keptAttributes(message.attributes),
        correlationId: message.attributes[attributeNames.correlationId],
      },
      context,
      {
        attributes: {
          [ownKey.deadReason]: reason,
          [ownKey.deadSourceQueue]: queue.name,
          [ownKey.attempts]: attempts,
        },
      },
    );
    await settle(queue.delete(message));
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
      await bury(message, 0, "unreadable", context);
    } finally {
      span.end();
    }
  };

  /** A settle that fails is repeated by the next delivery, whose claim finds the task as it was left. */
  const settle = async (settling: Promise<void>): Promise<void> => {
    try {
      await settling;
      troubles.settle.passed();
    } catch (error) {
      troubles.settle.met({ error: toTaskError(error) });
    }
  };

  const spanAttributesOf = (message: ReceivedMessage, envelope: Envelope | undefined) => ({
    ...processAttributes(queue, message, clock.nowMs()),
    ...(envelope && { [ownKey.taskId]: envelope.taskId, [ownKey.taskType]: envelope.type }),
    [ownKey.workerId]: workerId,
  });

  /** The type as a metric's label. */
  const labelOf = (type: string): string => (types.has(type) ? type : "_other");

  const actorOf = ({ span }: { span: Span }): Actor => {
    const { traceId, spanId } = span.spanContext();
    return { atMs: clock.nowMs(), service: telemetry.service, traceId, spanId };
  };

  return { run, tasksInFlight: () => inFlight };
}

/** What a claim's answer counts as. */
const claimOutcomes: Record<ClaimResult["kind"], ClaimOutcome> = {
  won: "won",
  leased: "lost",
  early: "lost",
  ended: "ended",
  failed: "ended",
  unknown: "ended",
};

/** Aborts `delayMs` after `signal`. */
function abortedLater(signal: AbortSignal, delayMs: number): AbortSignal {
  const later = new AbortController();
  signal.addEventListener("abort", () => setTimeout(() => later.abort(), delayMs), { once: true });
  return later.signal;
}

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
  parts: { store: Store; queues: Queues },
): Promise<Service> {
  const { store, queues } = parts;
  const { log } = telemetry;
  const poolLog = log.module("worker.pool");
  const handlerLog = log.module("handler");
  const pool = await startPool(config, {
    onSpans: (spans) => telemetry.adopt(spans),
    onLog: (run, line) => {
      handlerLog
        .with({
          trace_id: line.traceId,
          span_id: line.spanId,
          trace_flags: line.traceFlags,
          correlation_id: run.correlationId,
          task_id: run.taskId,
          task_type: run.type,
          attempt: run.attempt,
        })
        [line.level](line.msg, line.fields);
    },
    onThreadCondemned: (name, reason) =>
      poolLog.warn("handler thread takes no new task, another takes its place", { thread: name, reason }),
    onThreadEnded: (name, reason) =>
      poolLog.warn("handler thread ended, another takes its place", { thread: name, reason }),
  });
  await store.registerTypes(pool.types, housekeeping);
  observeQueueDepth(telemetry.meter, queues.tasks);
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
    clock: systemClock,
    random: Math.random,
  });
  observeWorker(telemetry.meter, { threads: pool.threadStates, tasksInFlight: worker.tasksInFlight });
  const running = worker.run(draining.signal, aborting.signal);
  const memory = createMemoryWatch({
    pool,
    clock: systemClock,
    log: log.module("worker.memory"),
    limitBytes: config.memoryLimit,
    residentBytes,
  });
  const watching = memory.loop(draining.signal);
  log.info("worker receives", { worker: workerId, types: pool.types.map(({ type }) => type) });
  return {
    addresses: {},
    checks: async () => {
      const [checks, workers] = await Promise.all([
        checkParts({ store, queues: [queues.tasks, queues.deadLetters] }),
        checkPool(pool, memory.isAbove()),
      ]);
      return { ...checks, workers };
    },
    drain: async () => {
      draining.abort();
      await Promise.all([running, watching]);
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
  const figures = { threads, busy, stuck };
  if (threads === 0) return { status: "unhealthy", ...figures };
  return { status: isMemoryAbove || stuck > 0 ? "degraded" : "healthy", ...figures };
}
