/**
 * Role: the HTTP edge. Owns what callers see: routes, validation, limits, problems, and the first span of a task's
 * trace. Keeps nothing: a task is accepted by the task service or not at all. Promises that every answer, errors
 * included, carries its request, correlation and trace id.
 */

import { Hono } from "hono";
import { watchKeyFile } from "./access/api-key-watch.ts";
import type { ApiKeys } from "./access/api-keys.ts";
import { identify } from "./access/caller.ts";
import { createTokenBucket, setRateLimitHeaders } from "./access/rate-limit.ts";
import type { Config } from "./config.ts";
import { addBatchRoute } from "./gateway/batch.ts";
import { allowOrigins } from "./gateway/browsers.ts";
import { addDeadLetterRoutes } from "./gateway/dead-letters.ts";
import { addDescriptionRoutes } from "./gateway/description.ts";
import { createGuard } from "./gateway/guard.ts";
import { addHealthRoutes } from "./gateway/health.ts";
import {
  type Answering,
  type CallInRequest,
  createRequestTraces,
  type Edge,
  type EdgeContext,
  finishRequestTrace,
  type Serve,
} from "./gateway/request.ts";
import { addScheduleRoutes } from "./gateway/schedules.ts";
import { answerUnrouted, Places, type Routes } from "./gateway/serve-route.ts";
import { addEventRoute } from "./gateway/task-events.ts";
import { addTaskRoutes } from "./gateway/tasks.ts";
import { addTypeRoutes } from "./gateway/types.ts";
import type { ProcessState } from "./http/health.ts";
import { type HttpHandler, listen, urlOf } from "./http/listen.ts";
import { toProblem } from "./http/problem.ts";
import type { Breaker } from "./limits/breaker.ts";
import { type Clock, systemClock } from "./limits/clock.ts";
import { createAdmission } from "./limits/concurrency.ts";
import { createTaskServiceClient, type TaskServiceClient } from "./rpc/client.ts";
import { callsAtOnceInProcess, createConnectTransport } from "./rpc/connect/client.ts";
import type { Transport } from "./rpc/transport.ts";
import type { Service } from "./service.ts";
import type { Rate } from "./settings/parsers.ts";
import { markFailed, recordException } from "./telemetry/spans/tracing.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { toFailure, toTaskError } from "./words/errors.ts";

export interface GatewayDeps {
  taskService: TaskServiceClient;
  telemetry: Telemetry;
  processState: ProcessState;
  trustTraceContext: boolean;
  /** The current ones; undefined: no key is required. */
  apiKeys(): ApiKeys | undefined;
  /** Of each caller whose key does not say otherwise; undefined: no limit. */
  rateLimit: Rate | undefined;
  /** Origins whose pages may call. */
  corsOrigins: readonly string[];
  clock: Clock;
  /** Once it aborts, requests that wait for a task's end are answered. */
  draining: AbortSignal;
}

/** How long the task service may take for one call. */
const callTimeoutMs = 10_000;

/** Requests that the task service has not answered yet: about what it accepts in a tenth of a second. */
const maxCallsInProgress = 1024;
/** Forced traces: enough for a person, a script and a probe; too few to fill a trace store. */
const forcedPerSecond = 10;
/** Requests held until a task has ended. They cost little but their connection, and take no place of the others. */
const maxWaitsInProgress = 4096;

/** The routes, as a handler of requests. */
export function createGateway(deps: GatewayDeps): HttpHandler {
  const { taskService } = deps;
  const admitCall = createAdmission(maxCallsInProgress, "requests in progress");
  const admitWait = createAdmission(maxWaitsInProgress, "requests that wait for a task");
  const guard = createGuard(deps);
  const startTrace = createRequestTraces({
    tracer: deps.telemetry.tracer,
    trustTraceContext: deps.trustTraceContext,
    admitForced: createTokenBucket(deps.clock, forcedPerSecond),
  });
  const call: CallInRequest = (c, method, request) => admitCall(() => ask(c, method, request));

  const ask: CallInRequest = (c, method, request, heldMs = 0, signal) => {
    const { context, correlationId, requestId } = c.trace;
    const options = { correlationId, requestId, timeoutMs: callTimeoutMs + heldMs, isHeld: heldMs > 0 };
    return taskService.call(method, request, context, signal ? { ...options, signal } : options);
  };

  /** Every answer comes from here: it has a trace, and its errors are problems. */
  const serve: Serve = async ({ req, env: { peer } }, route, answer) => {
    const request = req.raw;
    const caller = identify(deps.apiKeys(), request.headers.get("authorization"), deps.clock.nowMs());
    const trace = startTrace(request, peer, caller, route);
    const c: EdgeContext = { request, path: req.path, peer, caller, trace, allowance: undefined };
    const answered = await answerSafely(c, answer, deps.telemetry);
    if (c.allowance) setRateLimitHeaders(answered.headers, c.allowance);
    finishRequestTrace(trace, answered);
    return answered;
  };

  const app = new Hono<Edge>();
  if (deps.corsOrigins.length > 0) app.use(allowOrigins(deps.corsOrigins, serve));
  const routes: Routes = { app, places: new Places(), serve, ...guard };
  addTaskRoutes(routes, { call, ask, admitWait, draining: deps.draining });
  addBatchRoute(routes, call);
  addEventRoute(routes, { call, ask, clock: deps.clock, draining: deps.draining });
  addTypeRoutes(routes, call);
  addDeadLetterRoutes(routes, call);
  addScheduleRoutes(routes, call);
  addHealthRoutes(routes, deps.processState);
  addDescriptionRoutes(routes);

  app.notFound((h) => serve(h, undefined, (c) => answerUnrouted(routes, c)));

  return (request, peer) => app.fetch(request, { peer });
}

/** The edge's one catch. */
async function answerSafely(c: EdgeContext, answer: Answering, telemetry: Telemetry): Promise<Response> {
  try {
    return await answer(c);
  } catch (thrown) {
    return answerError(thrown, c, telemetry);
  }
}

/** Every error becomes a problem; only a fault of ours or of what we lean on marks the span. */
function answerError(thrown: unknown, c: EdgeContext, telemetry: Telemetry): Response {
  const error = toTaskError(thrown);
  const { span, context } = c.trace;
  const answer = toProblem(error, span.spanContext().traceId);
  if (answer.status >= 500) {
    const failure = toFailure(error);
    markFailed(span, failure);
    if (error.code === "internal" && !error.isRemote) {
      recordException(span, toFailure(thrown));
      telemetry.log.in(context).error("request failed", { error: failure });
    }
  }
  return answer;
}

/** Where the settings say, else where this process, or another with the same settings, has its task service. */
function taskServiceUrlOf({ taskServiceUrl, taskServiceListen, grpcListen, rpc }: Config): string {
  return taskServiceUrl ?? urlOf((rpc === "grpc" && grpcListen) || taskServiceListen);
}

function createConnect(url: string, { role }: Config): Transport {
  return role.includes("task-service")
    ? createConnectTransport(url, callsAtOnceInProcess)
    : createConnectTransport(url);
}

/** Its library is loaded by those alone who use it. */
async function createGrpc(url: string): Promise<Transport> {
  const { createGrpcTransport } = await import("./rpc/grpc/client.ts");
  return createGrpcTransport(url);
}

/** Opens the gateway's address; `breaker` is the one around the task service. */
export async function startGateway(
  config: Config,
  telemetry: Telemetry,
  parts: { processState: ProcessState; breaker: Breaker },
): Promise<Service> {
  const { breaker } = parts;
  const draining = new AbortController();
  const watchDeps = { clock: systemClock, log: telemetry.log, signal: draining.signal };
  const watch = config.apiKeysFile === undefined ? undefined : await watchKeyFile(config.apiKeysFile, watchDeps);
  const url = taskServiceUrlOf(config);
  const transport = config.rpc === "grpc" ? await createGrpc(url) : createConnect(url, config);
  const taskService = createTaskServiceClient({ url, transport, tracer: telemetry.tracer, breaker });
  const handler = createGateway({
    taskService,
    telemetry,
    processState: parts.processState,
    trustTraceContext: config.trustTraceContext,
    apiKeys: () => watch?.keys(),
    rateLimit: config.rateLimit,
    corsOrigins: config.corsOrigins,
    clock: systemClock,
    draining: draining.signal,
  });
  const listener = await listen(config.gatewayListen, handler);
  telemetry.log.info("gateway listens", { url: listener.url });
  return {
    addresses: { gateway_url: listener.url },
    checks: async () => {
      // Without requests nothing else would find out that the task service is away, or back.
      await taskService.probe().catch(() => {});
      return {};
    },
    drain: async () => {
      draining.abort();
      await listener.stop(config.drainTimeout);
      taskService.close();
    },
    abort: () => void listener.stop(0),
  };
}
