/**
 * One running role with everything it leans on: its telemetry, its line to the store, its queues. The same in the main
 * thread of a container as in a thread of the all-in-one process.
 */

import type { Config, Role } from "./config.ts";
import type { Checks, ProcessState } from "./http/health.ts";
import type { Service } from "./service.ts";
import type { EventsFigures } from "./telemetry/events.ts";
import { elapsedMs, type WriteLine } from "./telemetry/logs/log.ts";
import type { MetricFamily } from "./telemetry/metrics/prometheus.ts";
import { createRoleBreakers, observeConnections, type RoleBreakers } from "./telemetry/metrics/task-metrics.ts";
import { serviceNames } from "./telemetry/names.ts";
import { startTelemetry, type Telemetry } from "./telemetry/telemetry.ts";

export interface RoleParts {
  /** A line to the store's thread; none for the gateway, and on a store that has no thread. */
  storePort: MessagePort | undefined;
  processState: ProcessState;
  /** The real addresses of the process, of the roles that have started. */
  addresses(): Promise<Record<string, string>>;
  writeLine: WriteLine;
  /** Called with each unsampled trace that is exported after all, because something in it failed. */
  onKept: (traceId: string) => void;
}

export interface RunningRole {
  addresses: Record<string, string>;
  checks(): Promise<Checks>;
  /** Everything that this role has measured. */
  scrape(): Promise<MetricFamily[]>;
  /** The domain events that this role has published. */
  events(): Promise<EventsFigures>;
  /** Stops taking, and finishes. */
  drain(): Promise<void>;
  /** Sends all telemetry. Once every role is drained: what another one finds out may have a trace of this one kept. */
  stop(): Promise<void>;
  abort(): void;
  /** Exports what this role has of a trace that another role gave to `onKept`. */
  keepTrace(traceId: string): void;
}

/** Which roles ask the store. */
export function needsStore(role: Role): boolean {
  return role !== "gateway" && role !== "console";
}

export async function startRole(role: Role, config: Config, parts: RoleParts): Promise<RunningRole> {
  const telemetry = startTelemetry(serviceNames[role], config, parts.writeLine, parts.onKept);
  try {
    const breakers = createRoleBreakers(telemetry);
    const { service, close } = await open(role, config, parts, { telemetry, breakers });
    return {
      addresses: service.addresses,
      // After the role's own, which try what is away.
      checks: async () => ({ ...(await service.checks()), ...breakers.checks() }),
      scrape: () => telemetry.scrape(),
      events: async () => telemetry.events.figures(),
      drain: async () => {
        const startMs = performance.now();
        await service.drain();
        close();
        telemetry.log.info("stopped", { elapsed_ms: elapsedMs(startMs) });
      },
      stop: () => telemetry.stop(),
      abort: () => service.abort(),
      keepTrace: (traceId) => telemetry.keepTrace(traceId),
    };
  } catch (error) {
    await telemetry.stop();
    throw error;
  }
}

/** Loads what this role needs and no other's code: a thread that has it all starts later, and is larger for ever. */
async function open(
  role: Role,
  config: Config,
  parts: RoleParts,
  { telemetry, breakers }: { telemetry: Telemetry; breakers: RoleBreakers },
): Promise<{ service: Service; close: () => void }> {
  if (role === "gateway") {
    const { startGateway } = await import("./gateway.ts");
    const gateway = { processState: parts.processState, breaker: breakers.create("task-service") };
    return { service: await startGateway(config, telemetry, gateway), close: () => {} };
  }
  if (role === "console") {
    const { startConsole } = await import("./console.ts");
    return { service: await startConsole(config, telemetry, parts.addresses), close: () => {} };
  }
  const [{ openStore }, { openQueues }, start] = await Promise.all([
    import("./store/open-store.ts"),
    import("./queue/sqs.ts"),
    starts[role](),
  ]);
  const { tracer } = telemetry;
  const { store, clock, pool } = await openStore(config, {
    port: parts.storePort,
    tracer,
    breaker: breakers.create("store"),
  });
  observeConnections(telemetry.meter, pool, () => store.connections());
  const queues = await openQueues(config, tracer, { breaker: breakers.create("queue") });
  // The store stays open: the last metrics that leave ask it.
  return { service: await start(config, telemetry, { store, queues, clock }), close: () => queues.close() };
}

const starts = {
  "task-service": async () => (await import("./task-service.ts")).startTaskService,
  worker: async () => (await import("./worker.ts")).startWorker,
  dlq: async () => (await import("./dlq.ts")).startDlq,
};
