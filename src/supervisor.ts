/**
 * Starts the parts of a process in order, watches them, restarts a thread that dies, and stops them in reverse. Does no
 * work of its own: with several roles each has its thread, with a single one it runs right here, as in a container.
 *
 * Promises: not ready until every part is, and not while one is being restarted; a start that fails leaves nothing
 * running; after `drain` all telemetry is out.
 */

import { accessSync, constants, mkdirSync } from "node:fs";
import type { Config, Role } from "./config.ts";
import { type Health, keepAnswer, mergeChecks, type ProcessState, worstOf } from "./http/health.ts";
import { type Listener, urlOf } from "./http/listen.ts";
import { refuseUnguarded, unguardedAddresses } from "./http/open-addresses.ts";
import { type Clock, createStepDetector, systemClock } from "./limits/clock.ts";
import { repeat } from "./limits/repeat.ts";
import { needsStore } from "./role.ts";
import { prepareStore } from "./store/open-store.ts";
import { EmbeddedThreads } from "./supervisor/embedded-threads.ts";
import { type RoleSurroundings, SupervisedRole } from "./supervisor/supervised-role.ts";
import { abortLimitMs, type Supervision, withAddresses } from "./supervisor/supervision.ts";
import { watchOpenFiles, watchWriteAheadLog } from "./supervisor/watches.ts";
import { startAdmin } from "./telemetry/admin.ts";
import type { EventsFigures } from "./telemetry/events.ts";
import { elapsedMs, type LineLosses, type WriteLine } from "./telemetry/logs/log.ts";
import { instruments } from "./telemetry/metrics/instruments.ts";
import type { MetricFamily } from "./telemetry/metrics/prometheus.ts";
import { observeProcess } from "./telemetry/metrics/task-metrics.ts";
import { serviceNames } from "./telemetry/names.ts";
import { startTelemetry, type Telemetry } from "./telemetry/telemetry.ts";
import { TaskError, toFailure, toTaskError } from "./words/errors.ts";

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

/** How often the wall clock is compared with the monotonic clock. */
const clockLookMs = 1000;

/** Starts everything that the settings ask for. Rejects with the first part's error. */
export async function startSystem(
  config: Config,
  writeLine: WriteLine,
  { losses = noLosses, clock = systemClock }: { losses?: LineLosses; clock?: Clock } = {},
): Promise<System> {
  refuseUnguarded(config);
  const telemetry = startTelemetry(serviceNames.supervisor, config, writeLine);
  observeProcess(telemetry.meter);
  observeLosses(telemetry, losses);
  const supervisor = new Supervisor(config, telemetry, writeLine, clock);
  try {
    await supervisor.start();
    return supervisor;
  } catch (error) {
    await supervisor.giveUp();
    throw error;
  }
}

/** Of lines that stay in the process. */
const noLosses: LineLosses = { droppedLines: () => 0, onFlow: () => {} };

function observeLosses({ meter, log }: Telemetry, losses: LineLosses): void {
  meter.observe(instruments.logLinesDropped, (observe) => observe(losses.droppedLines()));
  losses.onFlow((dropped) => log.warn("log lines were dropped, stdout took none", { dropped }));
}

function isEdge({ role }: SupervisedRole): boolean {
  return role === "gateway";
}

/** It gets the telemetry of the others, and no task needs it. */
function isConsole({ role }: SupervisedRole): boolean {
  return role === "console";
}

class Supervisor implements System {
  addresses: Record<string, string> = {};
  readonly state: ProcessState = { isReady: async () => this.#isReady(), health: keepAnswer(() => this.#health()) };

  #config: Config;
  readonly #telemetry: Telemetry;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  readonly #roles: readonly SupervisedRole[];
  readonly #embedded: EmbeddedThreads;
  readonly #stopping = new AbortController();
  readonly #lost = Promise.withResolvers<void>();
  readonly lost = this.#lost.promise;
  #admin: Listener | undefined;
  #openFiles: Disposable | undefined;
  #isStarted = false;
  #isLost = false;
  #draining: Promise<void> | undefined;

  constructor(config: Config, telemetry: Telemetry, writeLine: WriteLine, clock: Clock) {
    this.#config = config;
    this.#telemetry = telemetry;
    this.#clock = clock;
    this.#startedAtMs = clock.monotonicMs();
    const supervision: Supervision = {
      config: () => this.#config,
      telemetry,
      clock,
      stopping: this.#stopping.signal,
      mayRestart: () => this.#isStarted && !this.#stopping.signal.aborted,
    };
    this.#embedded = new EmbeddedThreads(supervision, {
      onQueueEndpoint: (endpoint) => {
        this.#config = { ...this.#config, queueEndpoint: endpoint };
      },
      onStoreAgain: () => {
        for (const { role } of this.#roles) if (needsStore(role)) this.crash(role);
      },
      onStoreLost: () => {
        this.#isLost = true;
        this.#lost.resolve();
      },
    });
    const surroundingsOf = (role: Role): RoleSurroundings => ({
      processState: this.state,
      addresses: async () => this.addresses,
      writeLine,
      storePort: () => this.#embedded.storePort(),
      onStarted: (addresses) => {
        Object.assign(this.addresses, addresses);
        this.#config = withAddresses(this.#config, addresses);
      },
      onKept: (traceId) => this.#keepElsewhere(role, traceId),
    });
    this.#roles = startOrder
      .filter((role) => config.role.includes(role))
      .map((role) => new SupervisedRole(role, supervision, surroundingsOf(role)));
  }

  async start(): Promise<void> {
    this.#openFiles = watchOpenFiles(this.#telemetry.log);
    this.#admin = await startAdmin(this.#config.adminListen, {
      state: this.state,
      scrape: () => this.#scrape(),
      events: () => this.#events(),
    });
    this.#warnOfUnsupportedVariables();
    this.#tellUnguarded();
    const needs = this.#roles.some(({ role }) => needsStore(role));
    const needsThread = needs && this.#config.store === "sqlite";
    if (needsThread) void this.#watchLog();
    const consoles = this.#roles.filter(isConsole);
    const needsBroker = this.#config.queue === "embedded" && this.#roles.length > consoles.length;
    if (needsThread || needsBroker || consoles.length > 0) makeFolder(this.#config.dataDir);
    await settled([
      ...consoles.map((role) => role.start()),
      needsBroker ? this.#embedded.startBroker() : Promise.resolve(),
      needsThread ? this.#embedded.startStore() : Promise.resolve(),
      needs ? this.#prepareStore() : Promise.resolve(),
    ]);
    if (needsBroker) await this.#embedded.forgetSends();
    // The gateway takes traffic last: everything behind it is there by then.
    const edge = this.#roles.filter(isEdge);
    const inner = this.#roles.filter((role) => !isEdge(role) && !isConsole(role));
    await settled(inner.map((role) => role.start()));
    await settled(edge.map((role) => role.start()));
    this.addresses.admin_url = this.#admin.url;
    if (this.#config.queueEndpoint !== undefined) this.addresses.queue_endpoint = this.#config.queueEndpoint;
    this.#isStarted = true;
    void this.#watchClock();
    const roles = this.#roles.map(({ role }) => role);
    this.#telemetry.log.info("ready", {
      ...this.addresses,
      roles,
      elapsed_ms: Math.round(this.#clock.monotonicMs() - this.#startedAtMs),
    });
  }

  /** Durations go on as they were; what is named as a wall-clock time is met by the new time. */
  #watchClock(): Promise<void> {
    const takeStep = createStepDetector(this.#clock);
    const look = (): number => {
      const byMs = takeStep();
      if (byMs !== 0) {
        this.#telemetry.log.warn("the system clock was set, or the machine was suspended", { by_ms: byMs });
      }
      return clockLookMs;
    };
    return repeat(look, { signal: this.#stopping.signal, clock: this.#clock });
  }

  /** OpenTelemetry, "Environment variables": a value that is not supported gets a warning, and is ignored. */
  #warnOfUnsupportedVariables(): void {
    for (const { variable, value, instead } of this.#config.unsupportedVariables) {
      this.#telemetry.log.warn("a variable of OpenTelemetry has no effect", { variable, value, instead });
    }
  }

  /** What others than the gateway listen on is for one's own network, which only its owner knows. */
  #tellUnguarded(): void {
    if (this.#config.allowUnauthenticated) return;
    for (const { what, flag, address } of unguardedAddresses(this.#config)) {
      const fields = { address: what, flag, url: urlOf(address) };
      this.#telemetry.log.warn("other machines can reach an address without authentication", fields);
    }
  }

  #watchLog(): Promise<void> {
    const { meter, log } = this.#telemetry;
    const deps = { folder: this.#config.dataDir, meter, log, clock: this.#clock };
    return watchWriteAheadLog(deps, this.#stopping.signal);
  }

  /** Ends what a failed start has left. */
  async giveUp(): Promise<void> {
    this.#stopping.abort();
    for (const role of this.#roles) role.terminate();
    this.#embedded.terminate();
    this.#openFiles?.[Symbol.dispose]();
    await this.#admin?.stop(0);
    await this.#telemetry.stop();
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  abort(): void {
    for (const role of this.#roles) role.abort();
  }

  crash(part: Role | "store"): void {
    if (part === "store") this.#embedded.crashStore();
    else this.#roles.find(({ role }) => role === part)?.crash();
  }

  async #drain(): Promise<void> {
    const { log } = this.#telemetry;
    this.#stopping.abort();
    const startMs = performance.now();
    log.info("draining", { limit_ms: this.#config.drainTimeout });
    const drainLimit = setTimeout(() => this.abort(), Math.max(0, this.#config.drainTimeout - abortLimitMs / 4));
    const limitMs = (): number => (this.#isLost ? abortLimitMs : this.#config.drainTimeout + abortLimitMs);
    for (const group of drainOrder) {
      const roles = this.#roles.filter(({ role }) => group.includes(role));
      await Promise.all(roles.map((role) => role.drain(limitMs())));
    }
    clearTimeout(drainLimit);
    const [consoles, others] = [this.#roles.filter(isConsole), this.#roles.filter((role) => !isConsole(role))];
    await Promise.all(others.map((role) => role.stop()));
    for (const role of consoles) {
      await role.drain(limitMs());
      await role.stop();
    }
    await this.#embedded.stop();
    log.info("stopped", { elapsed_ms: elapsedMs(startMs) });
    this.#openFiles?.[Symbol.dispose]();
    await this.#admin?.stop(0);
    await this.#telemetry.stop();
  }

  /** Elsewhere the operator makes the table and the queues: a mistyped name must not make another. */
  async #prepareStore(): Promise<void> {
    if (this.#config.environment === "development") await prepareStore(this.#config);
  }

  /** A trace that failed in one role is kept by those that it came through. */
  #keepElsewhere(failed: Role, traceId: string): void {
    for (const other of this.#roles) if (other.role !== failed) other.keepTrace(traceId);
  }

  #isReady(): boolean {
    const isStopping = this.#stopping.signal.aborted;
    const areRunning = this.#roles.every((role) => role.isRunning || isConsole(role));
    return this.#isStarted && !isStopping && areRunning && this.#embedded.isUp;
  }

  async #health(): Promise<Health> {
    const needed = this.#roles.filter((role) => !isConsole(role) || this.#roles.length === 1);
    const all = await Promise.all(needed.map((role) => role.checks()));
    const checks = mergeChecks(all.filter((each) => each !== undefined));
    const isMissing = all.includes(undefined) || !this.#embedded.isUp;
    const status = isMissing ? "unhealthy" : worstOf(checks);
    return { status, checks, uptime_seconds: Math.floor((this.#clock.monotonicMs() - this.#startedAtMs) / 1000) };
  }

  async #scrape(): Promise<MetricFamily[][]> {
    // A part that is away has no metrics.
    return Promise.all([this.#telemetry, ...this.#roles].map((part) => part.scrape().catch(() => [])));
  }

  async #events(): Promise<EventsFigures[]> {
    const figures = await Promise.all(this.#roles.map((role) => role.events()));
    return figures.filter((each) => each !== undefined);
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

/** All of them, or the first error after every one has settled: nothing is left half started unseen. */
async function settled(starting: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(starting)) {
    if (result.status === "rejected") throw toTaskError(result.reason);
  }
}
