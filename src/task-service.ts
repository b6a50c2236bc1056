/**
 * Role: accepts, records, sends; answers questions; sweeps. Owns the moment of acceptance: a task is answered for only
 * after its commit. When the send fails the task is accepted all the same, and the sweeper sends it later.
 */

import type { Context } from "@opentelemetry/api";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { TaskError, toTaskError } from "./errors.ts";
import { checkWithin } from "./health.ts";
import { listen } from "./listen.ts";
import { attributeNames, encodeTask } from "./queue/envelope.ts";
import type { Queue, Queues } from "./queue/queue.ts";
import { type Call, createRpcHandler, type RpcHandlers } from "./rpc/server.ts";
import { toTaskJson, toTimelineJson } from "./rpc/task-view.ts";
import type { Service } from "./service.ts";
import type { Actor, DueTask, NewTask, Store } from "./store/store.ts";
import { isTaskId, newTaskId, type TaskRecord, type TaskType } from "./task.ts";
import { type CreateTask, digestOf, parseCreateTask, parseGetTask, parseGetTimeline } from "./task-service/requests.ts";
import { createTaskTypes } from "./task-service/task-types.ts";
import { createTaskMetrics } from "./telemetry/metrics.ts";
import { ownKey } from "./telemetry/names.ts";
import { fromCarrier, spanContextOf, toCarrier } from "./telemetry/propagation.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { housekeeping } from "./telemetry/tracing.ts";

export interface TaskServiceDeps {
  store: Store;
  queue: Queue;
  telemetry: Telemetry;
  clock: Clock;
  /** Default number of attempts. */
  maxAttempts: number;
}

/** A send that nobody confirmed within this time is the sweeper's to repeat. */
const sendConfirmMs = 30_000;

/** How often the sweeper looks when it knows of nothing due. */
const sweepEveryMs = 1000;

/** Tasks sent by one sweep; the next follows at once while there are as many. */
const sweepLimit = 100;

export interface TaskService {
  handlers: RpcHandlers;
  /** Runs until the signal aborts. */
  sweepLoop(signal: AbortSignal): Promise<void>;
}

export function createTaskService(deps: TaskServiceDeps): TaskService {
  const { store, queue, clock, telemetry } = deps;
  const types = createTaskTypes(store);
  const metrics = createTaskMetrics(telemetry.meter);
  const log = telemetry.log;
  /** Ids whose send the broker has confirmed; told to the store with the next sweep. */
  let confirmed: string[] = [];

  const createTask: RpcHandlers["CreateTask"] = async (message, call) => {
    const request = parseCreateTask(message);
    const type = await types.find(request.type);
    const nowMs = clock.nowMs();
    const task = toNewTask(request, type, call, nowMs);
    call.span.setAttribute(ownKey.taskId, task.id);
    const created = await store.create(task, { ...actorOf(call.context), atMs: nowMs }, call.context);
    if (created.kind === "mismatch") {
      throw new TaskError("idempotency_mismatch", `the idempotency key "${request.idempotencyKey}" was used before`);
    }
    if (created.kind === "replayed") {
      const timeline = await store.timeline(created.task.id, call.context);
      return { task: toTaskJson(created.task, timeline), replayed: true };
    }
    metrics.processed(type?.type ?? "_other", "submitted");
    taskLog(created.task, call.context).info("task created", { status: task.status });
    if (task.status === "queued") await send(task, call.context);
    return { task: toTaskJson(created.task, []) };
  };

  const toNewTask = (request: CreateTask, type: TaskType | undefined, call: Call, nowMs: number): NewTask => {
    const runAtMs = request.runAt ?? nowMs + (request.delay ?? 0);
    const isScheduled = runAtMs > nowMs;
    return {
      id: newTaskId(),
      type: request.type,
      payload: JSON.stringify(request.payload),
      metadata: request.metadata,
      maxAttempts: request.maxAttempts || type?.maxAttempts || deps.maxAttempts,
      timeoutMs: request.timeout ?? null,
      correlationId: call.correlationId,
      runAtMs: isScheduled ? runAtMs : nowMs,
      status: isScheduled ? "scheduled" : "queued",
      origin: toCarrier(call.context),
      sendAtMs: isScheduled ? runAtMs : nowMs + sendConfirmMs,
      idempotency: request.idempotencyKey ? { key: request.idempotencyKey, digest: digestOf(request) } : null,
    };
  };

  /** Sends a task's message; a broker that refuses it now leaves it to the sweeper. */
  const send = async (task: DueTask, context: Context): Promise<void> => {
    const message = {
      body: encodeTask({ taskId: task.id, type: task.type }),
      attributes: { [attributeNames.correlationId]: task.correlationId, [attributeNames.taskType]: task.type },
      correlationId: task.correlationId,
    };
    try {
      await queue.send(message, context, { attributes: { [ownKey.taskId]: task.id, [ownKey.taskType]: task.type } });
      confirmed.push(task.id);
    } catch (error) {
      taskLog(task, context).warn("send failed, the sweeper will repeat it", { error: toTaskError(error) });
    }
  };

  const getTask: RpcHandlers["GetTask"] = async (message, { context }) => {
    const { id, wait } = parseGetTask(message);
    const task = isTaskId(id) ? await read(id, wait ?? 0, context) : undefined;
    if (!task) throw new TaskError("not_found", `there is no task "${id}"`);
    return { task: toTaskJson(task, await store.timeline(id, context)) };
  };

  const read = (id: string, waitMs: number, context: Context): Promise<TaskRecord | undefined> =>
    waitMs > 0 ? store.awaitEnd(id, waitMs, context) : store.get(id, context);

  const getTimeline: RpcHandlers["GetTimeline"] = async (message, { context }) => {
    const { id } = parseGetTimeline(message);
    const entries = isTaskId(id) ? await store.timeline(id, context) : [];
    if (entries.length === 0) throw new TaskError("not_found", `there is no task "${id}"`);
    return { entries: entries.map(toTimelineJson) };
  };

  const sweepLoop = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const swept = await sweep().catch((error: unknown) => {
        log.warn("sweep failed", { error: toTaskError(error) });
        return 0;
      });
      if (swept < sweepLimit) await clock.sleep(sweepEveryMs, signal);
    }
    await tellConfirmed();
  };

  /** Sends what is due, was never confirmed, or was left behind; with the context that was stored with it. */
  const sweep = async (): Promise<number> => {
    await tellConfirmed();
    const due = await store.takeDue(sweepLimit, sendConfirmMs, actorOf(telemetry.startContext));
    await Promise.all(due.map((task) => send(task, fromCarrier(task.origin))));
    return due.length;
  };

  const tellConfirmed = async (): Promise<void> => {
    if (confirmed.length === 0) return;
    const ids = confirmed;
    confirmed = [];
    await store.markSent(ids, housekeeping);
  };

  const actorOf = (context: Context): Actor => {
    const span = spanContextOf(context);
    const service = telemetry.service;
    return { atMs: clock.nowMs(), service, traceId: span?.traceId ?? "", spanId: span?.spanId ?? "" };
  };

  const taskLog = (task: Pick<TaskRecord, "id" | "type" | "correlationId">, context: Context) =>
    log.in(context).with({ correlation_id: task.correlationId, task_id: task.id, task_type: task.type });

  return { handlers: { CreateTask: createTask, GetTask: getTask, GetTimeline: getTimeline }, sweepLoop };
}

/** Opens the RPC address and begins to sweep. */
export async function startTaskService(
  config: Config,
  telemetry: Telemetry,
  parts: { store: Store; queues: Queues },
): Promise<Service> {
  const { store, queues } = parts;
  const service = createTaskService({
    store,
    queue: queues.tasks,
    telemetry,
    clock: systemClock,
    maxAttempts: config.maxAttempts,
  });
  const draining = new AbortController();
  let { host, port } = config.taskServiceListen;
  const handler = createRpcHandler(service.handlers, {
    tracer: telemetry.tracer,
    address: () => ({ host, port }),
    newCorrelationId: newTaskId,
  });
  const listener = await listen(config.taskServiceListen, handler);
  ({ host, port } = listener);
  const sweeping = service.sweepLoop(draining.signal);
  telemetry.log.info("task service listens", { url: listener.url });
  return {
    addresses: { task_service_url: listener.url },
    checks: async () => ({
      database: await checkWithin({ connections_active: 1, connections_idle: 0, connections_max: 1 }, store.ping()),
      message_queue: await checkWithin({ queues_monitored: 1 }, queues.tasks.depth()),
    }),
    drain: async () => {
      await listener.stop(config.drainTimeout);
      draining.abort();
      await sweeping;
    },
    abort: () => {
      draining.abort();
      void listener.stop(0);
    },
  };
}
