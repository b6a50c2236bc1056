/**
 * Role: keeps telemetry for development. Receives spans and log records over OTLP from every role, and from
 * anything else of the user's, keeps the newest in a bounded file, and answers questions about them. Owns that file. Of
 * the roles' metrics it has the last hour in memory.
 * Promises that overload is dropped and counted; must never slow a task.
 */

import { trace } from "@opentelemetry/api";
import { watchKeyFile } from "./access/api-key-watch.ts";
import type { Config } from "./config.ts";
import { createIntake, observeIntake } from "./console/intake.ts";
import { createJaegerTraces } from "./console/jaeger.ts";
import { createMetricHistory } from "./console/metric-history.ts";
import { createQueryApi } from "./console/query-api.ts";
import { createReceiver } from "./console/receiver.ts";
import { createSite } from "./console/site.ts";
import type { ConsoleSettings } from "./console/system-view.ts";
import { type FileLimits, TelemetryFile } from "./console/telemetry-file.ts";
import { createFreeDisk } from "./host/free-disk.ts";
import { type Address, type HttpHandler, type Listener, listen, urlOf } from "./http/listen.ts";
import { isLoopback } from "./http/open-addresses.ts";
import { type Clock, systemClock } from "./limits/clock.ts";
import { decodeMetrics } from "./otlp/metric.ts";
import type { Service } from "./service.ts";
import type { Logger } from "./telemetry/logs/log.ts";
import type { Meter } from "./telemetry/metrics/meter.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { toFailure } from "./words/errors.ts";

export interface ConsoleDeps {
  folder: string;
  limits: FileLimits;
  /** Of a Jaeger that has the traces; undefined: what was received here. */
  jaegerUrl?: string | undefined;
  clock: Clock;
  /** What is in force, to be shown. */
  config: ConsoleSettings;
  telemetry: Pick<Telemetry, "log" | "startContext">;
}

export interface Console {
  /** Takes OTLP. */
  receive: HttpHandler;
  /** Answers questions. */
  query: HttpHandler;
  /** Has it counted what becomes of what was received. */
  observe(meter: Meter): void;
  /** Writes what was received, and closes the file. */
  stop(): void;
}

/** Opens the file. */
export function createConsole(deps: ConsoleDeps): Console {
  const { folder, limits, jaegerUrl, clock, config } = deps;
  const { log, startContext } = deps.telemetry;
  const isDiskLow = createFreeDisk(folder, clock, reservesForTasks);
  const { file, maxBytes, isInMemory } = openKeep(folder, limits.maxBytes, log);
  const intake = createIntake({
    file,
    limits: { ...limits, maxBytes },
    isDiskLow: () => !isInMemory && isDiskLow(),
    clock,
    log,
  });
  const history = createMetricHistory(clock);
  return {
    receive: createReceiver({
      ...intake.sink,
      metrics: (bytes) => history.take(decodeMetrics({ encoding: "protobuf", bytes })),
      isFull: intake.isFull,
    }),
    query: createQueryApi({
      traces:
        jaegerUrl === undefined ? file : createJaegerTraces({ url: jaegerUrl, clock, lookbackMs: limits.retentionMs }),
      file,
      intake,
      history,
      config,
      clock,
      traceId: traceIdOf({ startContext }),
      onFault: (error) => log.error("a question to the console failed", { error: toFailure(error) }),
    }),
    observe: (meter) => observeIntake(meter, intake),
    stop: () => {
      intake.stop();
      file.close();
    },
  };
}

/** Where telemetry stops, tasks have one reserve above their own. */
const reservesForTasks = 2;

/** What is kept in memory has to leave room for the process. */
const maxMemoryBytes = 32 * 1024 * 1024;

/** On a disk that is full the others start, and do what they can; so does the console. */
function openKeep(
  folder: string,
  maxBytes: number,
  log: Logger,
): { file: TelemetryFile; maxBytes: number; isInMemory: boolean } {
  const onReplaced = (reason: string): void =>
    log.warn("the console's file could not be read, a new one takes its place", { reason });
  try {
    return { file: new TelemetryFile(folder, onReplaced), maxBytes, isInMemory: false };
  } catch (error) {
    log.warn("the console keeps telemetry in memory: its file cannot be opened", { error: toFailure(error) });
    return { file: new TelemetryFile(undefined), maxBytes: Math.min(maxBytes, maxMemoryBytes), isInMemory: true };
  }
}

function traceIdOf({ startContext }: Pick<Telemetry, "startContext">): string {
  return trace.getSpanContext(startContext)?.traceId ?? "";
}

/** Opens both addresses. `addresses`: those of the process so far, of which the gateway's is one in an all-in-one. */
export async function startConsole(
  config: Config,
  telemetry: Telemetry,
  addresses: () => Promise<Record<string, string>>,
): Promise<Service> {
  const { traceRetention: retentionMs, traceLimit: maxBytes, jaegerUrl } = config;
  const stopping = new AbortController();
  const watchDeps = { clock: systemClock, log: telemetry.log, signal: stopping.signal };
  const watch = config.apiKeysFile === undefined ? undefined : await watchKeyFile(config.apiKeysFile, watchDeps);
  const own = createConsole({
    folder: config.dataDir,
    limits: { retentionMs, maxBytes },
    jaegerUrl,
    clock: systemClock,
    config,
    telemetry,
  });
  const site = createSite({
    query: own.query,
    apiKeys: () => watch?.keys(),
    rateLimit: config.rateLimit,
    gatewayUrl: async () => config.gatewayUrl ?? (await addresses()).gateway_url ?? urlOf(config.gatewayListen),
    isLocal: isLoopback(config.consoleListen.host),
    clock: systemClock,
    traceId: traceIdOf(telemetry),
    onFault: (error) => telemetry.log.error("a request to the console failed", { error: toFailure(error) }),
  });
  const open = await openBoth(config, own.receive, site).catch((error) => {
    stopping.abort();
    own.stop();
    throw error;
  });
  own.observe(telemetry.meter);
  telemetry.log.info("console listens", { url: open.pages.url, otlp_url: open.otlp.url });
  return {
    addresses: { console_url: open.pages.url, otlp_url: open.otlp.url },
    checks: async () => ({}),
    drain: async () => {
      stopping.abort();
      await Promise.all([open.otlp.stop(), open.pages.stop()]);
      own.stop();
    },
    abort: () => {},
  };
}

async function openBoth({ consoleListen, otlpListen, mayMoveOtlp }: Config, receive: HttpHandler, site: HttpHandler) {
  const otlp = await listenOtlp(otlpListen, mayMoveOtlp, receive);
  try {
    return { otlp, pages: await listen(consoleListen, site) };
  } catch (error) {
    await otlp.stop(0);
    throw error;
  }
}

async function listenOtlp(address: Address, mayMove: boolean, handler: HttpHandler): Promise<Listener> {
  try {
    return await listen(address, handler);
  } catch (error) {
    // A collector of the user's is where collectors are.
    if (!mayMove) throw error;
    return listen({ ...address, port: 0 }, handler);
  }
}
