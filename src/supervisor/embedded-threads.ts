/** The threads of what a process embeds for its roles, the store and the broker: each is started again when it ends. */

import type { BrokerFigures } from "../broker/server.ts";
import { openStore } from "../store/open-store.ts";
import { instruments } from "../telemetry/metrics/instruments.ts";
import type { Meter } from "../telemetry/metrics/meter.ts";
import { housekeeping } from "../telemetry/spans/tracing.ts";
import { type LinkedThread, startLinkedThread } from "../threads/thread-link.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import {
  abortLimitMs,
  isDoneWithin,
  RestartDelay,
  type Supervision,
  startedWithin,
  startLimitsMs,
} from "./supervision.ts";

interface EmbeddedEvents {
  /** Where the broker listens. */
  onQueueEndpoint(endpoint: string): void;
  /** The store is there again, and every line to the one before is cut. */
  onStoreAgain(): void;
  /** The store has ended, and stays away: only another start of the process can use one. */
  onStoreLost(): void;
}

export class EmbeddedThreads {
  readonly #supervision: Supervision;
  readonly #events: EmbeddedEvents;
  #store: LinkedThread | undefined;
  #broker: LinkedThread | undefined;
  #brokerPort: number | undefined;
  readonly #storeDelay: RestartDelay;
  readonly #brokerDelay: RestartDelay;
  /** What has ended, and is not there again. */
  readonly #away = new Set<"store" | "broker">();

  constructor(supervision: Supervision, events: EmbeddedEvents) {
    this.#supervision = supervision;
    this.#events = events;
    this.#storeDelay = new RestartDelay(supervision.clock);
    this.#brokerDelay = new RestartDelay(supervision.clock);
    observeBroker(supervision.telemetry.meter, async () => this.#broker?.link.ask("figures"));
  }

  /** Nothing that was started is away. */
  get isUp(): boolean {
    return this.#away.size === 0;
  }

  async startStore(): Promise<void> {
    const { dataDir, table } = this.#supervision.config();
    let isUp = false;
    const store = startLinkedThread("store", "store", {}, (reason) => {
      // While it starts, the question below rejects, and its caller sees to the restart.
      if (isUp) void this.#restartStore(reason);
    });
    this.#store = store;
    this.#storeDelay.started();
    await startedWithin(startLimitsMs.store, "the store", store.link.ask("open", { folder: dataDir, table }));
    isUp = true;
  }

  /** Again on the same port, when it was started before. */
  async startBroker(): Promise<void> {
    let isUp = false;
    const broker = startLinkedThread("broker", "broker", {}, (reason) => {
      if (isUp) void this.#restartBroker(reason);
    });
    this.#broker = broker;
    this.#brokerDelay.started();
    const { dataDir: folder, brokerListen } = this.#supervision.config();
    const port = this.#brokerPort ?? brokerListen?.port ?? 0;
    const starting = broker.link.ask<string>("start", { folder, port, host: brokerListen?.host });
    const endpoint = await startedWithin(startLimitsMs.broker, "the embedded broker", starting);
    isUp = true;
    this.#brokerPort = Number(new URL(endpoint).port);
    this.#events.onQueueEndpoint(endpoint);
  }

  /** A new line to the store's thread; undefined on a store that has none. */
  async storePort(): Promise<MessagePort | undefined> {
    if (this.#supervision.config().store !== "sqlite") return undefined;
    if (!this.#store) throw new TaskError("internal", "the store's thread is not running");
    const { port1, port2 } = new MessageChannel();
    await this.#store.link.ask("serve", port2, [port2]);
    return port1;
  }

  /** A fresh embedded broker knows no message: what was sent to the one before counts as not sent. */
  async forgetSends(): Promise<void> {
    const { config, telemetry } = this.#supervision;
    const { store, close } = await openStore(config(), { port: await this.storePort(), tracer: telemetry.tracer });
    await store.resendAll(housekeeping);
    close();
  }

  /** Without its broker no role gets further, but none has to start anew: the address stays. */
  async #restartBroker(reason: string): Promise<void> {
    const { telemetry, clock, stopping, mayRestart } = this.#supervision;
    if (!mayRestart()) return;
    this.#away.add("broker");
    const delayMs = this.#brokerDelay.nextMs();
    telemetry.log.error("the embedded broker ended, it is started again", { reason, delay_ms: delayMs });
    await clock.sleep(delayMs, stopping);
    if (stopping.aborted) return;
    try {
      await this.startBroker();
      await this.forgetSends();
      this.#away.delete("broker");
    } catch (error) {
      this.#broker?.terminate();
      await this.#restartBroker(toFailure(error).message);
    }
  }

  /** Every role's line to the store is cut when its thread ends: all start anew, the single one with its process. */
  async #restartStore(reason: string): Promise<void> {
    const { config, telemetry, clock, stopping, mayRestart } = this.#supervision;
    if (!mayRestart()) return;
    if (config().role.length === 1) {
      telemetry.log.error("the store's thread ended, and the process with it", { reason });
      this.#events.onStoreLost();
      return;
    }
    this.#away.add("store");
    const delayMs = this.#storeDelay.nextMs();
    const line = "the store's thread ended, every role that asks it starts again";
    telemetry.log.error(line, { reason, delay_ms: delayMs });
    await clock.sleep(delayMs, stopping);
    if (stopping.aborted) return;
    try {
      await this.startStore();
    } catch (error) {
      this.#store?.terminate();
      return this.#restartStore(toFailure(error).message);
    }
    this.#away.delete("store");
    this.#events.onStoreAgain();
  }

  /** Lets both close what they have open. */
  async stop(): Promise<void> {
    if (this.#broker) await isDoneWithin(abortLimitMs, this.#broker.link.ask("stop"));
    this.#broker?.terminate();
    if (this.#store) await isDoneWithin(abortLimitMs, this.#store.link.ask("close"));
    this.#store?.terminate();
  }

  /** Ends both at once. */
  terminate(): void {
    this.#broker?.terminate();
    this.#store?.terminate();
  }

  crashStore(): void {
    this.#store?.crash();
  }
}

/** A broker that is away, or that another process has, is not seen. */
function observeBroker(meter: Meter, look: () => Promise<BrokerFigures | undefined>): void {
  const shown = [
    [instruments.brokerMemory, "usedBytes"],
    [instruments.brokerMemoryLimit, "limitBytes"],
    [instruments.brokerRefused, "refused"],
  ] as const;
  for (const [instrument, figure] of shown) {
    meter.observe(instrument, async (observe) => {
      const figures = await look();
      if (figures) observe(figures[figure]);
    });
  }
}
