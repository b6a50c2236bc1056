/**
 * One role under supervision: on a thread of its own that is started again when it ends, or right here when it is the
 * only one.
 */

import type { Role } from "../config.ts";
import { type Checks, roleLimitMs } from "../http/health.ts";
import { within } from "../limits/time-limit.ts";
import { needsStore, type RoleParts, type RunningRole, startRole } from "../role.ts";
import type { EventsFigures } from "../telemetry/events.ts";
import { elapsedMs } from "../telemetry/logs/log.ts";
import type { MetricFamily } from "../telemetry/metrics/prometheus.ts";
import { type LinkedThread, startLinkedThread } from "../threads/thread-link.ts";
import { toFailure } from "../words/errors.ts";
import {
  abortLimitMs,
  isDoneWithin,
  RestartDelay,
  type Supervision,
  startedWithin,
  startLimitsMs,
} from "./supervision.ts";

/** What a role gets of the process, at each of its starts. */
export interface RoleSurroundings extends Omit<RoleParts, "storePort"> {
  storePort(): Promise<MessagePort | undefined>;
  /** Gets its real addresses. */
  onStarted(addresses: Record<string, string>): void;
}

export class SupervisedRole {
  readonly role: Role;
  readonly #supervision: Supervision;
  readonly #around: RoleSurroundings;
  #running: RunningRole | undefined;
  #thread: LinkedThread | undefined;
  readonly #restartDelay: RestartDelay;

  constructor(role: Role, supervision: Supervision, around: RoleSurroundings) {
    this.role = role;
    this.#supervision = supervision;
    this.#around = around;
    this.#restartDelay = new RestartDelay(supervision.clock);
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  async start(): Promise<void> {
    const { config } = this.#supervision;
    const around = this.#around;
    const storePort = needsStore(this.role) ? await around.storePort() : undefined;
    this.#restartDelay.started();
    const starting =
      config().role.length === 1
        ? startRole(this.role, config(), { ...around, storePort })
        : this.#startThread(storePort);
    this.#running = await startedWithin(startLimitsMs.role, `the role ${this.role}`, starting);
    around.onStarted(this.#running.addresses);
  }

  async #startThread(storePort: MessagePort | undefined): Promise<RunningRole> {
    const { writeLine, processState, addresses: allAddresses, onKept } = this.#around;
    const handlers = {
      lines: (lines: string) => writeLine(lines),
      isReady: () => processState.isReady(),
      health: () => processState.health(),
      addresses: () => allAddresses(),
      kept: (traceId: string) => onKept(traceId),
    };
    const thread = startLinkedThread("role", this.role, handlers, (reason) => {
      // While a role starts, the question below rejects, and its caller sees to the restart.
      if (this.#running) void this.#restart(reason);
    });
    this.#thread = thread;
    const { link } = thread;
    const start = { role: this.role, config: this.#supervision.config(), storePort };
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

  async #restart(reason: string): Promise<void> {
    this.#running = undefined;
    const { telemetry, clock, stopping, mayRestart } = this.#supervision;
    if (!mayRestart()) return;
    const { role } = this;
    const delayMs = this.#restartDelay.nextMs();
    telemetry.log.error("a role's thread ended, it is started again", { role, reason, delay_ms: delayMs });
    await clock.sleep(delayMs, stopping);
    if (stopping.aborted) return;
    const startMs = performance.now();
    try {
      await this.start();
      telemetry.log.info("the role runs again", { role, elapsed_ms: elapsedMs(startMs) });
    } catch (error) {
      this.#thread?.terminate();
      await this.#restart(toFailure(error).message);
    }
  }

  /** Tells when it takes longer than `limitMs`. */
  async drain(limitMs: number): Promise<void> {
    const isDone = await isDoneWithin(limitMs, this.#running?.drain());
    const { log } = this.#supervision.telemetry;
    if (!isDone) log.error("a role did not stop in time, it is ended", { role: this.role });
  }

  async stop(): Promise<void> {
    await isDoneWithin(abortLimitMs, this.#running?.stop());
    this.#thread?.terminate();
  }

  abort(): void {
    this.#running?.abort();
  }

  /** Ends it at once. */
  terminate(): void {
    this.abort();
    this.#thread?.terminate();
  }

  crash(): void {
    this.#thread?.crash();
  }

  keepTrace(traceId: string): void {
    this.#running?.keepTrace(traceId);
  }

  /** undefined: it does not run, or its thread does not answer. */
  async checks(): Promise<Checks | undefined> {
    return this.#running && answerOf(this.#running.checks());
  }

  /** undefined as above. */
  async events(): Promise<EventsFigures | undefined> {
    return this.#running && answerOf(this.#running.events());
  }

  /** Nothing while it does not run. */
  async scrape(): Promise<MetricFamily[]> {
    return this.#running?.scrape() ?? [];
  }
}

/** What a role answers; nothing when it is just being ended, or its thread is held up. */
function answerOf<T>(asked: Promise<T>): Promise<T | undefined> {
  return within(
    roleLimitMs,
    asked.catch(() => undefined),
    undefined,
  );
}
