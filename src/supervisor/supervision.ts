/** What every supervised part has of the process around it: the settings with real addresses, and time limits. */

import { type Config, withConsole } from "../config.ts";
import type { Clock } from "../limits/clock.ts";
import { within } from "../limits/time-limit.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { TaskError } from "../words/errors.ts";

export interface Supervision {
  /** With the real addresses of all that has started. */
  config(): Config;
  telemetry: Telemetry;
  clock: Clock;
  /** Aborted when the process begins to stop. */
  stopping: AbortSignal;
  /** Whether a part that ends is started again: not in the first start, whose caller gets the error, and not in a stop. */
  mayRestart(): boolean;
}

const firstRestartDelayMs = 100;
const maxRestartDelayMs = 10_000;
/** A part that lived this long starts its back-off anew. */
const steadyAfterMs = 60_000;

/** How long to wait before each start of a part that ends again and again. */
export class RestartDelay {
  readonly #clock: Clock;
  #restarts = 0;
  #startedAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAtMs = clock.monotonicMs();
  }

  /** The part is started now. */
  started(): void {
    this.#startedAtMs = this.#clock.monotonicMs();
  }

  /** The part has ended now. */
  nextMs(): number {
    const livedMs = this.#clock.monotonicMs() - this.#startedAtMs;
    this.#restarts = livedMs > steadyAfterMs ? 1 : this.#restarts + 1;
    return Math.min(maxRestartDelayMs, firstRestartDelayMs * 2 ** (this.#restarts - 1));
  }
}

/**
 * How long a part may take to start. The store's may migrate a large database, and a worker starts its threads one after
 * the other.
 */
export const startLimitsMs = { store: 600_000, broker: 60_000, role: 300_000 } as const;

/** What `starting` gives; rejects with the name of the part when that takes longer. What comes later is ignored. */
export async function startedWithin<T>(limitMs: number, name: string, starting: Promise<T>): Promise<T> {
  const first = await within(
    limitMs,
    starting.then((value) => ({ value })),
    undefined,
  );
  if (first) return first.value;
  throw new TaskError("deadline_exceeded", `${name} has not started within ${limitMs / 1000} s`);
}
/** What an aborted part may still take: outcomes given back, telemetry sent. */
export const abortLimitMs = 8000;

/** True when `work` is done within `limitMs`; what it throws counts as done. */
export async function isDoneWithin(limitMs: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const done = Promise.resolve(work).then(
    () => true,
    () => true,
  );
  return within(limitMs, done, false);
}

/** Later roles and restarted ones use the real addresses, so that a port that was 0 stays what it became. */
export function withAddresses(config: Config, addresses: Record<string, string>): Config {
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
