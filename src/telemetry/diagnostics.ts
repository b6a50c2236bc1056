/**
 * What the OpenTelemetry SDK tells about itself, as lines of our log: how its exports go, each outage once, and whatever
 * else it has to say, the same text at most twice a minute. Telling it can make the SDK speak again: that is not told.
 */

import { DiagLogLevel, diag } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode, setGlobalErrorHandler } from "@opentelemetry/core";
import type { DiagnosticsLevel } from "../otel-settings.ts";
import type { Logger } from "./log.ts";
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

/** OpenTelemetry's words to ours. Its errors are degraded telemetry, which needs nobody at night. */
const ourLevels = { error: "warn", warn: "warn", info: "info", debug: "debug", verbose: "trace" } as const;

const sameAgainMs = 30_000;
/** An outage of a collector is one for every signal of every role. */
const outageAgainMs = 600_000;
const maxRemembered = 100;

/** For the whole thread; the last one registered is told. */
export function registerDiagnostics(log: Logger, level: DiagnosticsLevel): void {
  const otelLog = log.module("otel");
  const toldAtMs = new Map<string, number>();
  let isTelling = false;

  const say =
    (severity: keyof typeof ourLevels) =>
    (text: string, ...more: unknown[]): void => {
      const nowMs = performance.now();
      // Figures in it make it no other text.
      const same = String(text).replace(/\d+/g, "#");
      if (isTelling || nowMs - (toldAtMs.get(same) ?? Number.NEGATIVE_INFINITY) < sameAgainMs) return;
      if (toldAtMs.size >= maxRemembered) toldAtMs.clear();
      toldAtMs.set(same, nowMs);
      isTelling = true;
      try {
        const details = more.length > 0 ? { details: more } : {};
        otelLog[ourLevels[severity]]("the OpenTelemetry SDK says", { severity, text, ...details });
      } finally {
        isTelling = false;
      }
    };

  const logger = {
    error: say("error"),
    warn: say("warn"),
    info: say("info"),
    debug: say("debug"),
    verbose: say("verbose"),
  };
  diag.setLogger(logger, { logLevel: levels[level], suppressOverrideMessage: true });
  setGlobalErrorHandler((error) => {
    if (!(error instanceof Error)) diag.error(String(error));
    else if (!isWatched(error)) diag.error(error.message || error.name, error);
  });
}

/** Errors of exports, which their watch tells. */
const watched = new WeakSet<Error>();

/** The reader of metrics makes an error of its own of the exporter's. */
function isWatched(error: Error): boolean {
  return watched.has(error) || error.message.startsWith("PeriodicExportingMetricReader: metrics export failed");
}

/** What every exporter of the SDK has, whatever it exports. */
interface Exporter<Items> {
  export(items: Items, done: (result: ExportResult) => void): void;
}

/** Knows of every export of one role how it went. */
export interface ExportWatch {
  /** The same exporter, watched. */
  watch<Items, E extends Exporter<Items>>(exporter: E & Exporter<Items>, signal: string): E;
  /** From now on it is told here when a signal's exports begin to fail, and when they go well again. */
  tellTo(log: Logger): void;
}

export function createExportWatch(): ExportWatch {
  let otelLog: Logger | undefined;
  const troubles = new Map<string, Trouble>();

  const troubleOf = (log: Logger, signal: string): Trouble => {
    const known = troubles.get(signal);
    if (known) return known;
    const trouble = createTrouble({
      log: log.with({ signal }),
      nowMs: () => performance.now(),
      msg: "telemetry could not be sent, what does not fit the queue is dropped",
      over: "telemetry is sent again",
      againMs: outageAgainMs,
    });
    troubles.set(signal, trouble);
    return trouble;
  };

  const note = (signal: string, error: Error | undefined): void => {
    if (error) watched.add(error);
    const trouble = otelLog && troubleOf(otelLog, signal);
    if (error) trouble?.met({ error });
    else trouble?.passed();
  };

  return {
    watch: (exporter, signal) => {
      const send = exporter.export.bind(exporter);
      exporter.export = (items, done) =>
        send(items, (result) => {
          const isSent = result.code === ExportResultCode.SUCCESS;
          const error = isSent ? undefined : (result.error ?? new Error("the export failed"));
          note(signal, error);
          done(error ? { ...result, error } : result);
        });
      return exporter;
    },
    tellTo: (log) => {
      otelLog = log.module("otel");
    },
  };
}
