/**
 * Role: accepts, records, sends; answers questions; sweeps. Owns the moment of acceptance: a task is answered for only
 * after its commit. When the send fails the task is accepted all the same, and the sweeper sends it later.
 */

import type { Context } from "@opentelemetry/api";
import { msOf } from "./api/fields.ts";
import {
  cancelTask as cancelTaskForm,
  getTask as getTaskForm,
  getTimeline as getTimelineForm,
  toTask,
  toTimelineEntry,
} from "./api/task.ts";
import type { Config } from "./config.ts";
import { checkParts } from "./http/health.ts";
import { type Listener, listen, longestIdleTimeoutSeconds } from "./http/listen.ts";
import type { Clock } from "./limits/clock.ts";
import { createAdmission } from "./limits/concurrency.ts";
import { createTimeLimit } from "./limits/time-limit.ts";
import type { Queue, Queues } from "./queue/queue.ts";
import { sendSpanOf, toTaskMessage } from "./queue/task-message.ts";
import { type AnswerCall, createCalls, maxMessageBytes, type RpcHandlers } from "./rpc/call.ts";
import { createConnectHandler } from "./rpc/connect/server.ts";
import type { Service } from "./service.ts";
import type { DeadLetterStore } from "./store/ports/dead-letters.ts";
import { newestEntries } from "./store/ports/pages.ts";
import type { RedriveStore } from "./store/ports/redrives.ts";
import type { ScheduleStore } from "./store/ports/schedules.ts";
import { createStoreFigures, type DueTask, type SendStore } from "./store/ports/sends.ts";
import type { StoreHealth } from "./store/ports/store.ts";
import {
  type Actor,
  actorOf,
  type CancelResult,
  type NewTask,
  type TaskStore,
  toCreatedTask,
} from "./store/ports/tasks.ts";
import { createTaskTypes, type TypeStore } from "./store/ports/types.ts";
import { type Accept, createTaskHandler, createTasksHandler, type Fate, type Place } from "./task-service/create.ts";
import { createDeadLetterHandlers } from "./task-service/dead-letters.ts";
import { createPayloadChecks } from "./task-service/payload-checks.ts";
import {
  answerTask,
  type CreateTask,
  digestOf,
  noTask,
  parseCreateTask,
  parseRequest,
} from "./task-service/requests.ts";
import { createScheduleHandlers } from "./task-service/schedules.ts";
import { createSweeper, sendConfirmMs } from "./task-service/sweeper.ts";
import { createListHandler } from "./task-service/task-list.ts";
import { createTypesHandler } from "./task-service/task-types.ts";
import { createTicker } from "./task-service/ticker.ts";
import { createWatchHandler, type HoldCall } from "./task-service/watch.ts";
import { toCarrier } from "./telemetry/context/propagation.ts";
import type { Fields } from "./telemetry/logs/log.ts";
import { createScheduleMetrics, createTaskMetrics, observeStore } from "./telemetry/metrics/task-metrics.ts";
import { ownKey } from "./telemetry/names.ts";
import { metadataAttributes } from "./telemetry/spans/attributes.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { createTrouble } from "./telemetry/trouble.ts";
import { onlyValue } from "./words/entry-result.ts";
import { TaskError, toTaskError } from "./words/errors.ts";
import { writeJson } from "./words/json-text.ts";
import type { TaskRecord, TaskType } from "./words/task.ts";
import { isTaskId, newTaskId } from "./words/task-id.ts";

/** Everything but attempts, which are the worker's, and the registration of types. */
type TaskServiceStore = TaskStore &
  SendStore &
  DeadLetterStore &
  RedriveStore &
  ScheduleStore &
  Pick<TypeStore, "listTypes">;

export interface TaskServiceDeps {
  store: TaskServiceStore;
  queue: Queue;
  telemetry: Telemetry;
  clock: Clock;
  /** Default number of attempts. */
  maxAttempts: number;
  /** Tasks that ended longer ago are removed; 0: never. */
  retentionMs: number;
  /** Keys of the metadata that spans show. */
  metadataAttributes: readonly string[];
  /** Once it aborts, calls that wait for a task's end are answered. */
  draining: AbortSignal;
}

/** How long the answer for an accepted task waits for its send; a broker that hangs delays no caller further. */
const sendPatienceMs = 2000;

/** Calls held until a task has ended; more from one process would leave its other calls no room. */
const maxWaits = 4096;

const noRoom = "the disk with the data folder is nearly full";

/** A disk does not empty itself within a second. */
const noRoomRetryMs = 5000;

export interface TaskService {
  handlers: RpcHandlers;
  /** Sweeps, and makes the runs of schedules, until the signal aborts. */
  sweepLoop(signal: AbortSignal): Promise<void>;
}

export function createTaskService(deps: TaskServiceDeps): TaskService {
  const { store, queue, clock, telemetry } = deps;
  const { events } = telemetry;
  const types = createTaskTypes(store, clock);
  const payloads = createPayloadChecks(types);
  const metrics = createTaskMetrics(telemetry.meter);
  const log = telemetry.log;
  /** Sends that are not confirmed yet, some of them for longer than their callers waited. */
  const sending = new Set<Promise<unknown>>();
  const admitWait = createAdmission(maxWaits, "calls that wait for a task");
  const patience = createTimeLimit(sendPatienceMs, clock);
  const sendTrouble = createTrouble({
    log,
    nowMs: () => clock.monotonicMs(),
    msg: "send failed, the sweeper will repeat it",
    over: "tasks are sent again",
  });
  /** New tasks are refused because the disk is nearly full. */
  let isRefusing = false;

  const acceptAll: Accept = async (arrivals) => {
    const sends: Promise<unknown>[] = [];
    const fates = await Promise.all(
      arrivals.map(async ({ message, place }): Promise<Fate> => {
        try {
          const { task, isReplayed, sent } = await accept(parseCreateTask(message), place);
          if (sent) sends.push(sent);
          return { kind: "done", id: task.id, json: writeJson(task), isReplayed };
        } catch (error) {
          return { kind: "failed", error };
        }
      }),
    );
    if (sends.length > 0) await waitPatiently(Promise.all(sends));
    return fates;
  };

  /** Resolves when the task is committed; `sent`, when the broker has taken it or it was left to the sweeper. */
  const accept = async (request: CreateTask, call: Place) => {
    const type = await types.find(request.type);
    if (type && type.payloadSchema !== null) await payloads.check(type, JSON.parse(request.payload));
    const nowMs = clock.nowMs();
    const task = toNewTask(request, type, call, nowMs);
    const actor = { ...actorIn(call.context), atMs: nowMs };
    const created = onlyValue(await store.create([{ task, actor, context: call.context }]));
    if (created.kind === "mismatch") {
      throw new TaskError("idempotency_mismatch", `the idempotency key "${request.idempotencyKey}" was used before`);
    }
    if (created.kind === "no_room") {
      tellRefusing(true);
      throw new TaskError("unavailable", noRoom, { retryAfterMs: noRoomRetryMs });
    }
    const record = created.kind === "created" ? toCreatedTask(task, actor) : created.task;
    call.span.setAttributes({
      [ownKey.taskId]: record.id,
      [ownKey.taskType]: record.type,
      ...metadataAttributes(record.metadata, deps.metadataAttributes),
    });
    if (created.kind === "replayed") {
      const timeline = await store.timeline(record.id, call.context);
      return { task: toTask(record, newestEntries(timeline)), isReplayed: true, sent: null };
    }
    tellRefusing(false);
    const sent = follow(task, call.context, nowMs);
    return { task: toTask(record, []), isReplayed: false, sent };
  };

  /** Tells of a task that was committed, and sends it; null when it is not to be sent yet. */
  const follow = (task: NewTask, context: Context, atMs: number, fields?: Fields): Promise<void> | null => {
    metrics.processed(types.labelOf(task.type), "submitted");
    taskLog(task, context).info("task created", { status: task.status, ...fields });
    events.publish("task.created", atMs);
    return task.status === "queued" ? sendFirst(task, context) : null;
  };

  /** Once when tasks begin to be refused, and once when that is over. */
  const tellRefusing = (isSo: boolean): void => {
    if (isSo === isRefusing) return;
    isRefusing = isSo;
    if (isSo) log.warn("new tasks are refused", { reason: noRoom });
    else log.info("new tasks are accepted again");
  };

  const toNewTask = (request: CreateTask, type: TaskType | undefined, call: Place, nowMs: number): NewTask => {
    const runAtMs = request.runAt ?? nowMs + (request.delay ?? 0);
    const isScheduled = runAtMs > nowMs;
    const { payload } = request;
    if (payload.length > maxMessageBytes) {
      throw new TaskError("payload_too_large", `the payload is larger than ${maxMessageBytes} bytes`);
    }
    return {
      id: newTaskId(),
      type: request.type,
      payload,
      metadata: request.metadata,
      maxAttempts: request.maxAttempts || type?.maxAttempts || deps.maxAttempts,
      timeoutMs: request.timeout ?? null,
      correlationId: call.correlationId,
      runAtMs: isScheduled ? runAtMs : nowMs,
      isTimed: isScheduled && request.runAt !== undefined,
      status: isScheduled ? "scheduled" : "queued",
      origin: toCarrier(call.context),
      sendAtMs: isScheduled ? runAtMs : nowMs + sendConfirmMs,
      idempotency: request.idempotencyKey ? { key: request.idempotencyKey, digest: digestOf(request) } : null,
    };
  };

  /** For a while; what is done later is done all the same. */
  const waitPatiently = async (work: Promise<unknown>): Promise<void> => {
    const tracked = work.finally(() => sending.delete(tracked));
    sending.add(tracked);
    const { promise: lost, resolve } = Promise.withResolvers<void>();
    const stop = patience.start(resolve);
    await Promise.race([tracked, lost]);
    stop();
  };

  const sendFirst = async (task: NewTask, context: Context): Promise<void> => {
    const due = { ...task, claim: 0, redrivenAtMs: null };
    if (!(await send(due, context))) sweeper.repeat(due);
  };

  /** Sends a task's message; false when the broker does not take it now, which leaves it to the sweeper. */
  const send = async (task: DueTask, origin: Context): Promise<boolean> => {
    // What was tried before and has to be sent again did not go well: its trace is kept.
    const context = task.claim > 0 ? telemetry.keep(origin) : origin;
    const [result] = await queue.send([{ message: toTaskMessage(task), context, span: sendSpanOf(task) }]);
    if (result?.kind === "failed") {
      sendTrouble.met({ error: result.error }, taskLog(task, context));
      return false;
    }
    sweeper.confirm(task);
    sendTrouble.passed();
    return true;
  };

  const getTask: RpcHandlers["GetTask"] = async (message, { context, signal }) => {
    const { id, wait } = parseRequest("GetTask", getTaskForm, message);
    const task = isTaskId(id) ? await read(id, msOf(wait) ?? 0, context, signal) : undefined;
    if (!task) throw noTask(id);
    return answerTask(task, await store.timeline(id, context));
  };

  const read = async (id: string, waitMs: number, context: Context, signal?: AbortSignal) => {
    if (waitMs === 0) return store.get(id, context);
    return hold(signal, (over) => store.awaitEnd(id, waitMs, context, over));
  };

  const hold: HoldCall = (signal, wait) => admitWait(() => untilOver(signal, wait));

  /** `wait` is told when it is to end: when its caller is gone, or when this service drains. */
  const untilOver = async <T>(signal: AbortSignal | undefined, wait: (over: AbortSignal) => Promise<T>): Promise<T> => {
    const over = new AbortController();
    const done = new AbortController();
    const signals = [deps.draining, ...(signal ? [signal] : [])];
    for (const each of signals) {
      if (each.aborted) over.abort();
      each.addEventListener("abort", () => over.abort(), { once: true, signal: done.signal });
    }
    try {
      return await wait(over.signal);
    } finally {
      done.abort();
    }
  };

  const getTimeline: RpcHandlers["GetTimeline"] = async (message, { context }) => {
    const { id } = parseRequest("GetTimeline", getTimelineForm, message);
    const entries = isTaskId(id) ? await store.timeline(id, context) : [];
    if (entries.length === 0) throw noTask(id);
    return { json: writeJson({ items: newestEntries(entries).map(toTimelineEntry) }) };
  };

  const cancelTask: RpcHandlers["CancelTask"] = async (message, { context }) => {
    const { id } = parseRequest("CancelTask", cancelTaskForm, message);
    const actor = actorIn(context);
    const canceled: CancelResult = isTaskId(id) ? await store.cancel(id, actor, context) : { kind: "unknown" };
    if (canceled.kind === "unknown") throw noTask(id);
    if (canceled.kind === "moved_on") throw new TaskError("conflict", `the task is ${canceled.status} already`);
    const { task } = canceled;
    if (canceled.kind === "canceled") {
      metrics.processed(types.labelOf(task.type), "canceled");
      taskLog(task, context).info("task canceled", { status: task.status });
      events.publish("task.canceled", actor.atMs);
    } else {
      taskLog(task, context).info("task canceled while it runs", { status: task.status });
    }
    return answerTask(task, await store.timeline(id, context));
  };

  const sweepLoop = async (signal: AbortSignal): Promise<void> => {
    await Promise.all([sweeper.loop(signal), ticker.loop(signal)]);
    await waitPatiently(Promise.all(sending));
    // What is not told is sent again: that must not keep the drain from its end.
    const untold = (error: unknown): void => log.warn("could not note what was sent", { error: toTaskError(error) });
    await sweeper.tellConfirmed().catch(untold);
  };

  const actorIn = (context: Context): Actor => actorOf(telemetry.service, context, clock.nowMs());

  const taskLog = (task: Pick<TaskRecord, "id" | "type" | "correlationId">, context: Context) =>
    log.in(context).with({ correlation_id: task.correlationId, task_id: task.id, task_type: task.type });

  const sweeper = createSweeper({
    store,
    queue,
    clock,
    log: log.module("task-service.sweeper"),
    send,
    actor: () => actorIn(telemetry.startContext),
    retentionMs: deps.retentionMs,
  });
  const ticker = createTicker({
    store,
    clock,
    telemetry,
    types,
    metrics: createScheduleMetrics(telemetry.meter),
    maxAttempts: deps.maxAttempts,
    metadataAttributes: deps.metadataAttributes,
    follow: async (...run) => {
      const sent = follow(...run);
      if (sent) await waitPatiently(sent);
    },
  });
  const schedules = createScheduleHandlers({ store, types, payloads, ticker, clock, log });
  const deadLetters = createDeadLetterHandlers({ store, types, payloads, clock, log, actorIn });

  return {
    handlers: {
      CreateTask: createTaskHandler(acceptAll),
      CreateTasks: createTasksHandler(acceptAll, telemetry),
      GetTask: getTask,
      GetTimeline: getTimeline,
      WatchTask: createWatchHandler(store, hold),
      ListTasks: createListHandler(store),
      ListTaskTypes: createTypesHandler(store),
      CancelTask: cancelTask,
      ...deadLetters,
      ...schedules,
    },
    sweepLoop,
  };
}

/** Opens the RPC address and begins to sweep. */
export async function startTaskService(
  config: Config,
  telemetry: Telemetry,
  parts: { store: TaskServiceStore & StoreHealth; queues: Queues; clock: Clock },
): Promise<Service> {
  const { store, queues, clock } = parts;
  const draining = new AbortController();
  const service = createTaskService({
    store,
    queue: queues.tasks,
    telemetry,
    clock,
    maxAttempts: config.maxAttempts,
    retentionMs: config.taskRetention,
    metadataAttributes: config.metadataAttributes,
    draining: draining.signal,
  });
  observeStore(telemetry.meter, createStoreFigures(store, clock), {
    tasks: queues.tasks.name,
    deadLetters: queues.deadLetters.name,
  });
  const { tracer } = telemetry;
  const log = telemetry.log.module("rpc");
  const answerCall = createCalls(service.handlers, { tracer, log, newCorrelationId: newTaskId });
  const { listeners, addresses } = await openListeners(config, answerCall);
  const sweepOver = new AbortController();
  const sweeping = service.sweepLoop(sweepOver.signal);
  telemetry.log.info("task service listens", { url: addresses.task_service_url, grpc_url: addresses.grpc_url ?? null });
  const stopListening = async (graceMs: number): Promise<void> => {
    draining.abort();
    await Promise.all(listeners.map((listener) => listener.stop(graceMs)));
  };
  return {
    addresses,
    checks: () => checkParts({ store, queues: [queues.tasks] }),
    drain: async () => {
      await stopListening(config.drainTimeout);
      sweepOver.abort();
      await sweeping;
    },
    abort: () => {
      sweepOver.abort();
      void stopListening(0);
    },
  };
}

interface Addresses extends Record<string, string> {
  task_service_url: string;
}

/** One for each protocol that is switched on; when one cannot be opened, none stays open. */
async function openListeners(
  config: Config,
  answerCall: AnswerCall,
): Promise<{ listeners: Listener[]; addresses: Addresses }> {
  let { host, port } = config.taskServiceListen;
  const connect = await listen(
    config.taskServiceListen,
    createConnectHandler(answerCall, () => ({ host, port })),
    // A caller says itself for how long it waits for a task's end.
    { idleTimeoutSeconds: longestIdleTimeoutSeconds, reserve: "inner" },
  );
  ({ host, port } = connect);
  const addresses = { task_service_url: connect.url };
  if (!config.grpcListen) return { listeners: [connect], addresses };
  try {
    // Its library is loaded by those alone who use it.
    const { listenGrpc } = await import("./rpc/grpc/server.ts");
    const grpc = await listenGrpc(config.grpcListen, answerCall);
    return { listeners: [connect, grpc], addresses: { ...addresses, grpc_url: grpc.url } };
  } catch (error) {
    await connect.stop(0);
    throw error;
  }
}
