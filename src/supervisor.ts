/**
 * Starts the parts of a process in order, watches them, restarts a thread that dies, and stops them in reverse. Does no
 * work of its own: with several roles each has its thread, with a single one it runs right here, as in a container.
 *
 * Promises: not ready until every part is, and not while one is being restarted; a start that fails leaves nothing
 * running; after `drain` all telemetry is out.
 */

import { accessSync, constants, mkdirSync } from "node:fs";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, type Role, withConsole } from "./config.ts";
import { TaskError, toFailure, toTaskError } from "./errors.ts";
import { type Checks, type Health, mergeChecks, type ProcessState, roleLimitMs, within, worstOf } from "./health.ts";
import { type LinkedThread, startLinkedThread } from "./linked-thread.ts";
import { type Listener, urlOf } from "./listen.ts";
import { needsStore, type RunningRole, startRole } from "./role.ts";
import { openStore, prepareStore } from "./store/open-store.ts";
import { startAdmin } from "./telemetry/admin.ts";
import type { EventsFigures } from "./telemetry/events.ts";
import { elapsedMs, type WriteLine } from "./telemetry/log.ts";
import type { MetricFamily } from "./telemetry/metric-family.ts";
import { serviceNames } from "./telemetry/names.ts";
import { observeProcess } from "./telemetry/process-metrics.ts";
import { propagatorNames, unknownPropagators } from "./telemetry/propagator.ts";
import { startTelemetry, type Telemetry } from "./telemetry/telemetry.ts";
import { housekeeping } from "./telemetry/tracing.ts";
import { refuseUnguarded, unguardedAddresses } from "./unguarded.ts";

export interface System {
  /** The real addresses, as in the ready line. */
  addresses: Record<string, string>;
  state: ProcessState;
  /** First stop signal: no new work, finish what runs, send all telemetry. Resolves when all is stopped. */
  drain(): Promise<void>;
  /** Second stop signal: cancel what runs. `drain` then resolves soon. */
  abort(): void;
  /** Ends a role's thread, as a crash would. For tests of the restart. */
  crash(part: Role | "store"): void;
  /** Resolves when something ended that only another start of the process can bring back. */
  lost: Promise<void>;
}

/** The order of the parts. */
const startOrder: readonly Role[] = ["console", "task-service", "dlq", "worker", "gateway"];

/**
 * No new request and no new task at once, however long an open request is held; then those who still serve these two.
 * The console is none of them: it stops when the others have sent their telemetry.
 */
const drainOrder: readonly (readonly Role[])[] = [["gateway", "worker"], ["dlq"], ["task-service"]];

const firstRestartDelayMs = 100;
const maxRestartDelayMs = 10_000;
/** A role that lived this long starts its back-off anew. */
const steadyAfterMs = 60_000;
/** What an aborted role may still take: outcomes given back, telemetry sent. */
const abortLimitMs = 8000;

/** Starts everything that the settings ask for. Rejects with the first part's error. */
export async function startSystem(config: Config, writeLine: WriteLine, clock: Clock = systemClock): Promise<System> {
  refuseUnguarded(config);
  const telemetry = startTelemetry(serviceNames.supervisor, config, writeLine);
  observeProcess(telemetry.meter);
  const supervisor = new Supervisor(config, telemetry, writeLine, clock);
  try {
    await supervisor.start();
    return supervisor;
  } catch (error) {
    await supervisor.giveUp();
    throw error;
  }
}

interface RoleState {
  role: Role;
  running: RunningRole | undefined;
  thread: LinkedThread | undefined;
  startedAtMs: number;
  restarts: number;
}

function isEdge({ role }: RoleState): boolean {
  return role === "gateway";
}

/** It gets the telemetry of the others, and no task needs it. */
function isConsole({ role }: RoleState): boolean {
  return role === "console";
}

class Supervisor implements System {
  addresses: Record<string, string> = {};
  readonly state: ProcessState = { isReady: async () => this.#isReady(), health: () => this.#health() };

  #config: Config;
  readonly #telemetry: Telemetry;
  readonly #writeLine: WriteLine;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #roles: RoleState[];
  readonly #stopping = new AbortController();
  readonly #lost = Promise.withResolvers<void>();
  readonly lost = this.#lost.promise;
  #admin: Listener | undefined;
  #store: LinkedThread | undefined;
  #broker: LinkedThread | undefined;
  #isStarted = false;
  #isLost = false;
  #draining: Promise<void> | undefined;

  constructor(config: Config, telemetry: Telemetry, writeLine: WriteLine, clock: Clock) {
    this.#config = config;
    this.#telemetry = telemetry;
    this.#writeLine = writeLine;
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    this.#roles = startOrder
      .filter((role) => config.role.includes(role))
      .map((role) => ({ role, running: undefined, thread: undefined, startedAtMs: 0, restarts: 0 }));
  }

  async start(): Promise<void> {
    this.#admin = await startAdmin(this.#config.adminListen, {
      state: this.state,
      scrape: () => this.#scrape(),
      events: () => this.#events(),
    });
    this.#tellUnknownPropagators();
    this.#tellUnguarded();
    const needs = this.#roles.some(({ role }) => needsStore(role));
    const needsThread = needs && this.#config.store === "sqlite";
    const consoles = this.#roles.filter(isConsole);
    const needsBroker = this.#config.queue === "embedded" && this.#roles.length > consoles.length;
    if (needsThread || needsBroker || consoles.length > 0) makeFolder(this.#config.dataDir);
    await settled([
      ...consoles.map((state) => this.#startRole(state)),
      needsBroker ? this.#startBroker(0) : Promise.resolve(),
      needsThread ? this.#startStore() : Promise.resolve(),
      needs ? this.#prepareStore() : Promise.resolve(),
    ]);
    if (needsBroker) await this.#forgetSends();
    // The gateway takes traffic last: everything behind it is there by then.
    const edge = this.#roles.filter(isEdge);
    const inner = this.#roles.filter((state) => !isEdge(state) && !isConsole(state));
    await settled(inner.map((state) => this.#startRole(state)));
    await settled(edge.map((state) => this.#startRole(state)));
    this.addresses.admin_url = this.#admin.url;
    if (this.#config.queueEndpoint !== undefined) this.addresses.queue_endpoint = this.#config.queueEndpoint;
    this.#isStarted = true;
    const roles = this.#roles.map(({ role }) => role);
    this.#telemetry.log.info("ready", {
      ...this.addresses,
      roles,
      elapsed_ms: this.#clock.nowMs() - this.#startedAtMs,
    });
  }

  /** OpenTelemetry, "Environment variables": a value that is not known is warned of and ignored. */
  #tellUnknownPropagators(): void {
    const unknown = unknownPropagators(this.#config.otel.propagators);
    if (unknown.length === 0) return;
    this.#telemetry.log.warn("OTEL_PROPAGATORS has unknown names, they are ignored", {
      unknown,
      known: propagatorNames,
    });
  }

  /** What others than the gateway listen on is for one's own network, which only its owner knows. */
  #tellUnguarded(): void {
    if (this.#config.allowUnauthenticated) return;
    for (const { what, flag, address } of unguardedAddresses(this.#config)) {
      const fields = { address: what, flag, url: urlOf(address) };
      this.#telemetry.log.warn("other machines can reach an address that asks nobody who they are", fields);
    }
  }

  /** Ends what a failed start has left. */
  async giveUp(): Promise<void> {
    this.#stopping.abort();
    for (const { running, thread } of this.#roles) {
      running?.abort();
      thread?.terminate();
    }
    this.#broker?.terminate();
    this.#store?.terminate();
    await this.#admin?.stop(0);
    await this.#telemetry.stop();
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  abort(): void {
    for (const { running } of this.#roles) running?.abort();
  }

  crash(part: Role | "store"): void {
    const thread = part === "store" ? this.#store : this.#roles.find(({ role }) => role === part)?.thread;
    thread?.crash();
  }

  async #drain(): Promise<void> {
    const { log } = this.#telemetry;
    this.#stopping.abort();
    const startMs = performance.now();
    log.info("draining", { limit_ms: this.#config.drainTimeout });
    const drainLimit = setTimeout(() => this.abort(), Math.max(0, this.#config.drainTimeout - abortLimitMs / 4));
    for (const group of drainOrder) {
      const states = this.#roles.filter(({ role }) => group.includes(role));
      await Promise.all(states.map((state) => this.#drainRole(state)));
    }
    clearTimeout(drainLimit);
    const [consoles, others] = [this.#roles.filter(isConsole), this.#roles.filter((state) => !isConsole(state))];
    await Promise.all(others.map((state) => this.#stopRole(state)));
    for (const state of consoles) {
      await this.#drainRole(state);
      await this.#stopRole(state);
    }
    if (this.#broker) await isDoneWithin(abortLimitMs, this.#broker.link.ask("stop"));
    this.#broker?.terminate();
    if (this.#store) await isDoneWithin(abortLimitMs, this.#store.link.ask("close"));
    this.#store?.terminate();
    log.info("stopped", { elapsed_ms: elapsedMs(startMs) });
    await this.#admin?.stop(0);
    await this.#telemetry.stop();
  }

  async #drainRole({ role, running }: RoleState): Promise<void> {
    const limitMs = this.#isLost ? abortLimitMs : this.#config.drainTimeout + abortLimitMs;
    const isDone = await isDoneWithin(limitMs, running?.drain());
    if (!isDone) this.#telemetry.log.error("a role did not stop in time, it is ended", { role });
  }

  async #stopRole({ running, thread }: RoleState): Promise<void> {
    await isDoneWithin(abortLimitMs, running?.stop());
    thread?.terminate();
  }

  /** Elsewhere whoever runs it owns what it needs, and a slip of a name must not make another. */
  async #prepareStore(): Promise<void> {
    if (this.#config.environment === "development") await prepareStore(this.#config);
  }

  async #startStore(): Promise<void> {
    let isUp = false;
    const store = startLinkedThread("store", "store", {}, (reason) => {
      // While it starts, the question below rejects, and whoever asked sees to the restart.
      if (isUp) void this.#restartStore(reason);
    });
    this.#store = store;
    await store.link.ask("open", { folder: this.#config.dataDir, table: this.#config.table });
    isUp = true;
  }

  async #startBroker(port: number): Promise<void> {
    let isUp = false;
    const broker = startLinkedThread("broker", "broker", {}, (reason) => {
      if (isUp) void this.#restartBroker(reason);
    });
    this.#broker = broker;
    const endpoint = await broker.link.ask<string>("start", { folder: this.#config.dataDir, port });
    isUp = true;
    this.#config = { ...this.#config, queueEndpoint: endpoint };
  }

  /** A fresh embedded broker knows no message: what was sent to the one before counts as not sent. */
  async #forgetSends(): Promise<void> {
    const { tracer } = this.#telemetry;
    const { store, close } = await openStore(this.#config, { port: await this.#storePort(), tracer });
    await store.resendAll(housekeeping);
    close();
  }

  /** A new line to the store's thread; undefined on a store that has none. */
  async #storePort(): Promise<MessagePort | undefined> {
    if (this.#config.store !== "sqlite") return undefined;
    if (!this.#store) throw new TaskError("internal", "the store's thread is not running");
    const { port1, port2 } = new MessageChannel();
    await this.#store.link.ask("serve", port2, [port2]);
    return port1;
  }

  async #startRole(state: RoleState): Promise<void> {
    const { role } = state;
    const storePort = needsStore(role) ? await this.#storePort() : undefined;
    state.startedAtMs = this.#clock.nowMs();
    state.running =
      this.#roles.length === 1
        ? await startRole(role, this.#config, {
            storePort,
            processState: this.state,
            addresses: async () => this.addresses,
            writeLine: this.#writeLine,
            onKept: () => {},
          })
        : await this.#startRoleThread(state, storePort);
    Object.assign(this.addresses, state.running.addresses);
    this.#config = withAddresses(this.#config, state.running.addresses);
  }

  async #startRoleThread(state: RoleState, storePort: MessagePort | undefined): Promise<RunningRole> {
    const handlers = {
      lines: (lines: string) => this.#writeLine(lines),
      isReady: () => this.#isReady(),
      health: () => this.#health(),
      addresses: () => this.addresses,
      kept: (traceId: string) => this.#keepElsewhere(state, traceId),
    };
    const thread = startLinkedThread("role", state.role, handlers, (reason) => {
      // While a role starts, the question below rejects, and whoever started it sees to the restart.
      if (state.running) void this.#restartRole(state, reason);
    });
    state.thread = thread;
    const { link } = thread;
    const start = { role: state.role, config: this.#config, storePort };
    const addresses = await link.ask<Record<string, string>>("start", start, storePort ? [storePort] : []);
    return {
      addresses,
      checks: () => link.ask<Checks>("checks"),
      scrape: () => link.ask<MetricFamily[]>("scrape"),
      events: () => link.ask<EventsFigures>("events"),
      drain: () => link.ask<void>("drain"),
      stop: () => link.ask<void>("stop"),
      abort: () => link.tell("abort"),
      keepTrace: (traceId) => link.tell("keepTrace", traceId),
    };
  }

  /** A trace that failed in one role is kept by those that it came through. */
  #keepElsewhere(failed: RoleState, traceId: string): void {
    for (const state of this.#roles) if (state !== failed) state.running?.keepTrace(traceId);
  }

  async #restartRole(state: RoleState, reason: string): Promise<void> {
    state.running = undefined;
    if (!this.#isStarted || this.#stopping.signal.aborted) return;
    const livedMs = this.#clock.nowMs() - state.startedAtMs;
    state.restarts = livedMs > steadyAfterMs ? 1 : state.restarts + 1;
    const delayMs = Math.min(maxRestartDelayMs, firstRestartDelayMs * 2 ** (state.restarts - 1));
    const { log } = this.#telemetry;
    log.error("a role's thread ended, it is started again", { role: state.role, reason, delay_ms: delayMs });
    await this.#clock.sleep(delayMs, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    const startMs = performance.now();
    try {
      await this.#startRole(state);
      log.info("the role runs again", { role: state.role, elapsed_ms: elapsedMs(startMs) });
    } catch (error) {
      state.thread?.terminate();
      await this.#restartRole(state, toFailure(error).message);
    }
  }

  /** Without its broker no role gets further, but none has to start anew: the address stays. */
  async #restartBroker(reason: string): Promise<void> {
    if (!this.#isStarted || this.#stopping.signal.aborted) return;
    this.#telemetry.log.error("the embedded broker ended, it is started again", { reason });
    await this.#clock.sleep(firstRestartDelayMs, this.#stopping.signal);
    try {
      await this.#startBroker(Number(new URL(this.#config.queueEndpoint ?? "http://x:0").port));
      await this.#forgetSends();
    } catch (error) {
      this.#broker?.terminate();
      await this.#restartBroker(toFailure(error).message);
    }
  }

  /** Every role's line to the store is cut when its thread ends: all start anew, the single one with its process. */
  async #restartStore(reason: string): Promise<void> {
    if (!this.#isStarted || this.#stopping.signal.aborted) return;
    const { log } = this.#telemetry;
    if (this.#roles.length === 1) {
      log.error("the store's thread ended, and the process with it", { reason });
      this.#isLost = true;
      this.#lost.resolve();
      return;
    }
    log.error("the store's thread ended, every role that asks it starts again", { reason });
    await this.#clock.sleep(firstRestartDelayMs, this.#stopping.signal);
    try {
      await this.#startStore();
    } catch (error) {
      this.#store?.terminate();
      return this.#restartStore(toFailure(error).message);
    }
    for (const { role } of this.#roles) if (needsStore(role)) this.crash(role);
  }

  #isReady(): boolean {
    const isStopping = this.#stopping.signal.aborted;
    const areRunning = this.#roles.every((state) => state.running !== undefined || isConsole(state));
    return this.#isStarted && !isStopping && areRunning;
  }

  async #health(): Promise<Health> {
    const needed = this.#roles.filter((state) => !isConsole(state) || this.#roles.length === 1);
    const all = await Promise.all(needed.map(({ running }) => checksOf(running)));
    const checks = mergeChecks(all.filter((each) => each !== undefined));
    const status = all.includes(undefined) ? "unhealthy" : worstOf(checks);
    return { status, checks, uptime_seconds: Math.floor((this.#clock.nowMs() - this.#startedAtMs) / 1000) };
  }

  async #scrape(): Promise<MetricFamily[][]> {
    const parts = [this.#telemetry, ...this.#roles.map(({ running }) => running)];
    // A part that is away is told by what it does not say.
    return Promise.all(parts.map(async (part) => part?.scrape().catch(() => []) ?? []));
  }

  async #events(): Promise<EventsFigures[]> {
    const figures = this.#roles.map(({ running }) => running && answerOf(running.events()));
    return (await Promise.all(figures)).filter((each) => each !== undefined);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    const reason = toFailure(cause).message;
    throw new TaskError("unavailable", `the data folder "${folder}" cannot be written: ${reason}`, { cause });
  }
}

/** undefined: the role does not run, or its thread does not answer. */
async function checksOf(running: RunningRole | undefined): Promise<Checks | undefined> {
  return running && answerOf(running.checks());
}

/** What a role answers; nothing when it is just being ended, or its thread is held up. */
function answerOf<T>(asked: Promise<T>): Promise<T | undefined> {
  return within(
    roleLimitMs,
    asked.catch(() => undefined),
    undefined,
  );
}

/** Later roles and restarted ones use the real addresses, so that a port that was 0 stays what it became. */
function withAddresses(config: Config, addresses: Record<string, string>): Config {
  const { gateway_url: gatewayUrl, task_service_url: connectUrl, grpc_url: grpcUrl } = addresses;
  const { console_url: consoleUrl, otlp_url: otlpUrl } = addresses;
  const taskServiceUrl = config.rpc === "grpc" ? grpcUrl : connectUrl;
  return {
    ...(otlpUrl === undefined ? config : withConsole(config, otlpUrl)),
    ...(consoleUrl !== undefined && { consoleListen: { ...config.consoleListen, port: portOf(consoleUrl) } }),
    ...(otlpUrl !== undefined && { otlpListen: { ...config.otlpListen, port: portOf(otlpUrl) }, mayMoveOtlp: false }),
    ...(gatewayUrl !== undefined && { gatewayListen: { ...config.gatewayListen, port: portOf(gatewayUrl) } }),
    ...(connectUrl !== undefined && {
      taskServiceListen: { ...config.taskServiceListen, port: portOf(connectUrl) },
    }),
    ...(grpcUrl !== undefined && config.grpcListen && { grpcListen: { ...config.grpcListen, port: portOf(grpcUrl) } }),
    ...(taskServiceUrl !== undefined && { taskServiceUrl: config.taskServiceUrl ?? taskServiceUrl }),
  };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** All of them, or the first error after every one has settled: nothing is left half started unseen. */
async function settled(starting: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(starting)) {
    if (result.status === "rejected") throw toTaskError(result.reason);
  }
}

/** True when `work` is done within `limitMs`; what it throws counts as done. */
async function isDoneWithin(limitMs: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const done = Promise.resolve(work).then(
    () => true,
    () => true,
  );
  return within(limitMs, done, false);
}
