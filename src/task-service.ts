/**
 * Role: accepts, records, sends; answers questions; sweeps. Owns the moment of acceptance: a task is answered for only
 * after its commit. When the send fails the task is accepted all the same, and the sweeper sends it later.
 */

import type { Context } from "@opentelemetry/api";
import type { Config } from "./config.ts";
import { checkParts } from "./http/health.ts";
import { type Listener, listen, longestIdleTimeoutSeconds } from "./http/listen.ts";
import type { Clock } from "./limits/clock.ts";
import type { Queue, Queues } from "./queue/queue.ts";
import { type AnswerCall, createCalls, type RpcHandlers } from "./rpc/call.ts";
import { createConnectHandler } from "./rpc/connect/server.ts";
import type { Service } from "./service.ts";
import type { DeadLetterStore } from "./store/ports/dead-letters.ts";
import type { RedriveStore } from "./store/ports/redrives.ts";
import type { ScheduleStore } from "./store/ports/schedules.ts";
import { createStoreFigures, type SendStore } from "./store/ports/sends.ts";
import type { StoreHealth } from "./store/ports/store.ts";
import { type Actor, actorOf, type TaskStore } from "./store/ports/tasks.ts";
import { createTaskTypes, type TypeStore } from "./store/ports/types.ts";
import { createAcceptance } from "./task-service/accept.ts";
import { createTaskHandler, createTasksHandler } from "./task-service/create.ts";
import { createDeadLetterHandlers } from "./task-service/dead-letters.ts";
import { createNews } from "./task-service/news.ts";
import { createPayloadChecks } from "./task-service/payload-checks.ts";
import { createScheduleHandlers } from "./task-service/schedules.ts";
import { createSends } from "./task-service/sends.ts";
import { createSweeper } from "./task-service/sweeper.ts";
import { createTaskHandlers } from "./task-service/tasks.ts";
import { createTicker } from "./task-service/ticker.ts";
import { observeStore } from "./telemetry/metrics/task-metrics.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { newTaskId } from "./words/task-id.ts";

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

export interface TaskService {
  handlers: RpcHandlers;
  /** Sweeps, and makes the runs of schedules, until the signal aborts. */
  sweepLoop(signal: AbortSignal): Promise<void>;
}

export function createTaskService(deps: TaskServiceDeps): TaskService {
  const { store, queue, clock, telemetry } = deps;
  const { log, service } = telemetry;
  const actorIn = (context: Context): Actor => actorOf(service, context, clock.nowMs());
  const types = createTaskTypes(store, clock);
  const payloads = createPayloadChecks(types);
  const news = createNews(telemetry, types);
  const sends = createSends({ queue, clock, telemetry, news });
  const accept = createAcceptance({ ...deps, types, payloads, sends, news, log, service });
  const ticker = createTicker({ ...deps, types, sends, news });
  const sweeper = createSweeper({
    ...deps,
    sends,
    log: log.module("task-service.sweeper"),
    actor: () => actorIn(telemetry.startContext),
  });

  return {
    handlers: {
      CreateTask: createTaskHandler(accept),
      CreateTasks: createTasksHandler(accept, telemetry),
      ...createTaskHandlers({ ...deps, news, actorIn }),
      ...createDeadLetterHandlers({ store, types, payloads, clock, log, actorIn }),
      ...createScheduleHandlers({ store, types, payloads, ticker, clock, log }),
    },
    sweepLoop: async (signal) => {
      await Promise.all([sweeper.loop(signal), ticker.loop(signal)]);
      await sweeper.end();
    },
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
