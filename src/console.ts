/**
 * Role: keeps telemetry for whoever develops with it. Receives spans and log records over OTLP from every role, and from
 * anything else of the user's, keeps the newest in a bounded file, and answers questions about them. Owns that file.
 * Promises that overload is dropped and counted; must never slow a task.
 */

import { trace } from "@opentelemetry/api";
import type { Clock } from "./clock.ts";
import { createIntake } from "./console/intake.ts";
import { createQueryApi } from "./console/query-api.ts";
import { createReceiver } from "./console/receiver.ts";
import { type FileLimits, TelemetryFile } from "./console/telemetry-file.ts";
import { toFailure } from "./errors.ts";
import type { HttpHandler } from "./listen.ts";
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
  /** Answers questions. */
  query: HttpHandler;
  /** Writes what was received, and closes the file. */
  stop(): void;
}

/** Opens the file; throws `TaskError` `unavailable` when it cannot be. */
export function createConsole({ folder, limits, clock, telemetry: { log, startContext } }: ConsoleDeps): Console {
  const file = new TelemetryFile(folder);
  const intake = createIntake({ file, limits, clock, log });
  return {
    receive: createReceiver({ ...intake.sink, isFull: intake.isFull }),
    query: createQueryApi({
      file,
      intake,
      clock,
      traceId: trace.getSpanContext(startContext)?.traceId ?? "",
      onFault: (error) => log.error("a question to the console failed", { error: toFailure(error) }),
    }),
    stop: () => {
      intake.stop();
      file.close();
    },
  };
}
