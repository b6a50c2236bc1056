/**
 * Role: receives messages, claims their tasks, runs the handlers, commits outcomes, settles messages. Owns a message
 * between receive and settle. Promises that a message is settled only after its outcome is committed, and that an
 * outcome whose claim is no longer ours changes nothing. What waits is done for a batch, what is done for one task is
 * plain code in a loop: see worker/attempts/, in the order receive, claim, run, conclude, settle.
 */

import type { Config } from "./config.ts";
import { residentBytes } from "./host/runtime.ts";
import { type Check, checkParts } from "./http/health.ts";
import type { Clock } from "./limits/clock.ts";
import type { Queues } from "./queue/queue.ts";
import { warnOfTaskQueue } from "./queue/queue-look.ts";
import type { Service } from "./service.ts";
import type { AttemptStore } from "./store/ports/attempts.ts";
import type { StoreHealth } from "./store/ports/store.ts";
import type { TypeStore } from "./store/ports/types.ts";
import { createTaskMetrics, observeQueueDepth, observeWorker } from "./telemetry/metrics/task-metrics.ts";
import { housekeeping } from "./telemetry/spans/tracing.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import type { Attempt, WorkerParts } from "./worker/attempts/attempt.ts";
import { Claims } from "./worker/attempts/claim.ts";
import { LeaseKeeper } from "./worker/attempts/lease.ts";
import { createMissingHandlers } from "./worker/attempts/missing-handlers.ts";
import { Outage } from "./worker/attempts/outage.ts";
import { ProgressReporter } from "./worker/attempts/progress.ts";
import { Receiver } from "./worker/attempts/receive.ts";
import { Runs } from "./worker/attempts/run.ts";
import { Settlement } from "./worker/attempts/settle.ts";
import { tellPassedOver } from "./worker/handlers/handler-files.ts";
import { createMemoryWatch } from "./worker/threads/memory-watch.ts";
import { startPool, type ThreadPool } from "./worker/threads/pool.ts";
import type { HandlerLogLine } from "./worker/threads/thread-messages.ts";

export interface WorkerDeps {
  workerId: string;
  config: Config;
  store: AttemptStore;
  queues: Queues;
  pool: ThreadPool;
  telemetry: Telemetry;
  clock: Clock;
  random: () => number;
}

export interface TaskWorker {
  /** Receives until `draining` aborts, then finishes what runs. */
  run(draining: AbortSignal): Promise<void>;
  /** Tasks that are claimed and not settled. */
  tasksInFlight(): number;
  /** What the health tells of task types that have no handler here. */
  missingHandlers(): Check | undefined;
}

export function createWorker(deps: WorkerDeps): TaskWorker {
  const { config, store, queues, pool, telemetry, clock } = deps;
  const { log, meter } = telemetry;
  const queue = queues.tasks;
  const leaseMs = config.visibilityTimeout;
  const outage = new Outage({ clock, leaseMs, log: log.module("worker.outage") });
  const progress = new ProgressReporter({ store, clock, log: log.module("worker.progress") });
  const missing = createMissingHandlers({ clock, log, hasHandler: (type) => pool.find(type) !== undefined });
  const leases = new LeaseKeeper<Attempt>({
    store,
    queue,
    clock,
    leaseMs,
    log: log.module("worker.lease"),
    onLost: ({ number }) => pool.cancel(number, "lease_lost"),
    onCanceled: ({ number }) => pool.cancel(number, "canceled"),
  });
  const settlement = new Settlement({ queues, telemetry, clock });
  const metrics = createTaskMetrics(meter);
  const parts: WorkerParts = { ...deps, queue, metrics, outage, leases, progress, missing, settlement };
  const runs = new Runs(parts);
  const claims = new Claims(parts, runs);
  const receiver = new Receiver({
    queue,
    intake: pool.intake,
    clock,
    log,
    visibilityMs: leaseMs,
    isPaused: () => outage.isOn(),
    take: (messages) => claims.take(messages),
    giveBack: (messages) => settlement.hide(messages, 0),
  });
  return {
    run: async (draining) => {
      const done = new AbortController();
      const keeping = leases.loop(done.signal);
      await receiver.loop(draining);
      outage.drain();
      await receiver.done();
      await runs.done();
      done.abort();
      await Promise.all([keeping, progress.stop()]);
    },
    tasksInFlight: () => runs.size,
    missingHandlers: () => missing.check(),
  };
}

interface RoleParts {
  store: AttemptStore & Pick<TypeStore, "registerTypes"> & StoreHealth;
  queues: Queues;
  clock: Clock;
}

/** Starts the handler threads, registers their types, and begins to receive. */
export async function startWorker(config: Config, telemetry: Telemetry, parts: RoleParts): Promise<Service> {
  const { store, queues, clock } = parts;
  const { log, meter } = telemetry;
  const pool = await startHandlers(config, telemetry);
  const register = (): Promise<void> => store.registerTypes(pool.types(), housekeeping);
  await register();
  observeQueueDepth(meter, queues.tasks);
  const draining = new AbortController();
  const warning = warnOfTaskQueue(config, log);
  const workerId = `worker-${crypto.randomUUID().slice(0, 8)}`;
  const worker = createWorker({ workerId, config, store, queues, pool, telemetry, clock, random: Math.random });
  observeWorker(meter, { threads: () => pool.threadStates(), tasksInFlight: worker.tasksInFlight });
  const running = worker.run(draining.signal);
  const memory = createMemoryWatch({
    pool,
    clock,
    log: log.module("worker.memory"),
    limitBytes: config.memoryLimit,
    residentBytes,
  });
  const watching = memory.loop(draining.signal);
  const edits = config.watchesHandlers ? await watchEdits(config, { pool, register, telemetry }) : undefined;
  tellPassedOver(config.handlers, log);
  log.info("worker receives", { worker: workerId, types: pool.types().map(({ type }) => type) });
  const drain = (): void => {
    draining.abort();
    pool.drain();
  };
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
      drain();
      await Promise.all([running, watching, warning, edits?.close()]);
      pool.close();
    },
    abort: () => {
      drain();
      pool.abort();
    },
  };
}

/** The pool, whose threads' spans and lines become the role's. */
function startHandlers(config: Config, telemetry: Telemetry): Promise<ThreadPool> {
  const poolLog = telemetry.log.module("worker.pool");
  const handlerLog = telemetry.log.module("handler");
  return startPool(config, {
    onSpans: (spans) => telemetry.adopt(spans),
    onLog: ({ level, msg, fields, task, span }) => handlerLog.with(idsOf({ task, span }))[level](msg, fields),
    onThreadCondemned: (name, reason) =>
      poolLog.warn("handler thread takes no new task, another takes its place", { thread: name, reason }),
    onThreadEnded: (name, reason) =>
      poolLog.warn("handler thread ended, another takes its place", { thread: name, reason }),
  });
}

/** Of a handler's line: the ids of its span and of its task. */
function idsOf({ task, span }: Pick<HandlerLogLine, "task" | "span">) {
  return {
    ...(span && { trace_id: span.traceId, span_id: span.spanId, trace_flags: span.traceFlags }),
    ...(task && {
      correlation_id: task.correlationId,
      task_id: task.taskId,
      task_type: task.type,
      attempt: task.attempt,
    }),
  };
}

async function watchEdits(
  config: Config,
  { pool, register, telemetry }: { pool: ThreadPool; register: () => Promise<void>; telemetry: Telemetry },
) {
  const { watchHandlers } = await import("./worker/handlers/edits.ts");
  const edits = watchHandlers({ config, pool, register, log: telemetry.log.module("worker.edits") });
  await edits.ready;
  return edits;
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
