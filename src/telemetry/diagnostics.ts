/**
 * The OpenTelemetry SDK's diagnostics as lines of our log: how its exports go, each outage once, and its other messages,
 * the same text at most twice a minute. A message that the SDK writes because of such a line is dropped.
 */

import { DiagLogLevel, diag } from "@opentelemetry/api";
import { ExportResultCode, setGlobalErrorHandler } from "@opentelemetry/core";
import type { DiagnosticsLevel } from "../settings/otel-settings.ts";
import type { AnsweredResult } from "./export/export-result.ts";
import type { Logger } from "./logs/log.ts";
import { createTrouble, type Trouble } from "./trouble.ts";

const levels: Record<DiagnosticsLevel, DiagLogLevel> = {
  none: DiagLogLevel.NONE,
  error: DiagLogLevel.ERROR,
  warn: DiagLogLevel.WARN,
  info: DiagLogLevel.INFO,
  debug: DiagLogLevel.DEBUG,
  verbose: DiagLogLevel.VERBOSE,
  all: DiagLogLevel.ALL,
};

/** OpenTelemetry's levels to ours. Its errors are degraded telemetry, which is no alarm. */
const ourLevels = { error: "warn", warn: "warn", info: "info", debug: "debug", verbose: "trace" } as const;

const sameAgainMs = 30_000;
/** An outage of a collector is one for every signal of every role. */
const outageAgainMs = 600_000;
const maxRemembered = 100;

/** For the whole thread; the log that was registered last gets the lines. */
export function registerDiagnostics(log: Logger, level: DiagnosticsLevel): void {
  const otelLog = log.module("otel");
  const loggedAtMs = new Map<string, number>();
  let isLogging = false;

  const logAt =
    (severity: keyof typeof ourLevels) =>
    (text: string, ...more: unknown[]): void => {
      const nowMs = performance.now();
      // Figures in it make it no other text.
      const same = String(text).replace(/\d+/g, "#");
      if (isLogging || nowMs - (loggedAtMs.get(same) ?? Number.NEGATIVE_INFINITY) < sameAgainMs) return;
      if (loggedAtMs.size >= maxRemembered) loggedAtMs.clear();
      loggedAtMs.set(same, nowMs);
      isLogging = true;
      try {
        const details = more.length > 0 ? { details: more } : {};
        otelLog[ourLevels[severity]]("the OpenTelemetry SDK says", { severity, text, ...details });
      } finally {
        isLogging = false;
      }
    };

  const logger = {
    error: logAt("error"),
    warn: logAt("warn"),
    info: logAt("info"),
    debug: logAt("debug"),
    verbose: logAt("verbose"),
  };
  diag.setLogger(logger, { logLevel: levels[level], suppressOverrideMessage: true });
  setGlobalErrorHandler((error) => {
    if (!(error instanceof Error)) diag.error(String(error));
    else if (!isWatched(error)) diag.error(error.message || error.name, error);
  });
}

/** Errors of exports, which their watch logs. */
const watched = new WeakSet<Error>();

/** The reader of metrics makes an error of its own of the exporter's. */
function isWatched(error: Error): boolean {
  return watched.has(error) || error.message.startsWith("PeriodicExportingMetricReader: metrics export failed");
}

/** What every exporter of the SDK has. */
interface Exporter<Items> {
  export(items: Items, done: (result: AnsweredResult) => void): void;
}

/** Knows of every export of one role how it went. */
export interface ExportWatch {
  /** The same exporter, watched. */
  watch<Items, E extends Exporter<Items>>(exporter: E & Exporter<Items>, signal: string): E;
  /** From now on `log` gets a line when a signal's exports begin to fail, and when they succeed again. */
  logTo(log: Logger): void;
}

interface ExportTroubles {
  outage: Trouble;
  /** The collector takes what is sent, but not all of it, or has a warning. */
  rejection: Trouble;
}

function createExportTroubles(log: Logger): ExportTroubles {
  const common = { log, nowMs: () => performance.now(), againMs: outageAgainMs };
  return {
    outage: createTrouble({
      ...common,
      msg: "telemetry could not be sent, what does not fit the queue is dropped",
      over: "telemetry is sent again",
    }),
    rejection: createTrouble({
      ...common,
      msg: "the collector answered with a partial success",
      over: "the collector takes all telemetry again",
    }),
  };
}

export function createExportWatch(): ExportWatch {
  let otelLog: Logger | undefined;
  const troublesOf = new Map<string, ExportTroubles>();

  const note = (signal: string, { error, partial }: AnsweredResult): void => {
    if (error) watched.add(error);
    if (!otelLog) return;
    const known = troublesOf.get(signal);
    const { outage, rejection } = known ?? createExportTroubles(otelLog.with({ signal }));
    if (!known) troublesOf.set(signal, { outage, rejection });
    if (error) outage.met({ error });
    else outage.passed();
    if (partial) rejection.met({ rejected: partial.rejected, collector_message: partial.message });
    else if (!error) rejection.passed();
  };

  return {
    watch: (exporter, signal) => {
      const send = exporter.export.bind(exporter);
      exporter.export = (items, done) =>
        send(items, (result) => {
          const isSent = result.code === ExportResultCode.SUCCESS;
          const error = isSent ? undefined : (result.error ?? new Error("the export failed"));
          const noted = error ? { ...result, error } : result;
          note(signal, noted);
          done(noted);
        });
      return exporter;
    },
    logTo: (log) => {
      otelLog = log.module("otel");
    },
  };
}
