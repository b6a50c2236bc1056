/**
 * Role: keeps telemetry for whoever develops with it. Receives spans and log records over OTLP from every role, and from
 * anything else of the user's, keeps the newest in a bounded file, and answers questions about them. Owns that file.
 * Promises that overload is dropped and counted; must never slow a task.
 */

import { trace } from "@opentelemetry/api";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { createIntake } from "./console/intake.ts";
import { answerPageFile } from "./console/page-files.ts";
import { createQueryApi } from "./console/query-api.ts";
import { createReceiver } from "./console/receiver.ts";
import { type FileLimits, TelemetryFile } from "./console/telemetry-file.ts";
import { toFailure } from "./errors.ts";
import { type Address, type HttpHandler, type Listener, listen } from "./listen.ts";
import type { Service } from "./service.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

export interface ConsoleDeps {
  folder: string;
  limits: FileLimits;
  clock: Clock;
  telemetry: Pick<Telemetry, "log" | "startContext">;
}

export interface Console {
  /** Takes OTLP. */
  receive: HttpHandler;
  /** Serves the page, and answers its questions. */
  query: HttpHandler;
  /** Writes what was received, and closes the file. */
  stop(): void;
}

/** Opens the file; throws `TaskError` `unavailable` when it cannot be. */
export function createConsole({ folder, limits, clock, telemetry: { log, startContext } }: ConsoleDeps): Console {
  const file = new TelemetryFile(folder);
  const intake = createIntake({ file, limits, clock, log });
  const query = createQueryApi({
    file,
    intake,
    clock,
    traceId: trace.getSpanContext(startContext)?.traceId ?? "",
    onFault: (error) => log.error("a question to the console failed", { error: toFailure(error) }),
  });
  return {
    receive: createReceiver({ ...intake.sink, isFull: intake.isFull }),
    query: (request, peer) => answerPageFile(request) ?? query(request, peer),
    stop: () => {
      intake.stop();
      file.close();
    },
  };
}

/** Opens both addresses. */
export async function startConsole(config: Config, telemetry: Telemetry): Promise<Service> {
  const { traceRetention: retentionMs, traceLimit: maxBytes } = config;
  const own = createConsole({
    folder: config.dataDir,
    limits: { retentionMs, maxBytes },
    clock: systemClock,
    telemetry,
  });
  const open = await openBoth(config, own).catch((error) => {
    own.stop();
    throw error;
  });
  telemetry.log.info("console listens", { url: open.pages.url, otlp_url: open.otlp.url });
  return {
    addresses: { console_url: open.pages.url, otlp_url: open.otlp.url },
    checks: async () => ({}),
    drain: async () => {
      await Promise.all([open.otlp.stop(), open.pages.stop()]);
      own.stop();
    },
    abort: () => {},
  };
}

async function openBoth({ consoleListen, otlpListen, mayMoveOtlp }: Config, own: Console) {
  const otlp = await listenOtlp(otlpListen, mayMoveOtlp, own.receive);
  try {
    return { otlp, pages: await listen(consoleListen, own.query) };
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
