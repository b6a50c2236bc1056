/**
 * Why telemetry was lost. The SDK counts what it could not export by the error's name, which for OTLP over HTTP is
 * `Error` or `OTLPExporterError` whatever happened: with this around an exporter it is the status, such as `400`, the
 * connection's error, such as `ECONNREFUSED`, or a word. What an exporter throws counts as well.
 */

import { type ExportResult, ExportResultCode } from "@opentelemetry/core";

/** Of spans, or of log records. */
export interface Exporter<T> {
  export(items: T[], done: (result: ExportResult) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

export function withReasons<T>(exporter: Exporter<T>): Exporter<T> {
  return {
    export: (items, done) => {
      try {
        exporter.export(items, (result) => done(result.error ? { ...result, error: named(result.error) } : result));
      } catch (error) {
        done({ code: ExportResultCode.FAILED, error: named(error) });
      }
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}

function named(thrown: unknown): Error {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const named = new Error(error.message, { cause: error });
  named.name = reasonOf(error);
  return named;
}

/** The errors of the SDK's exporters that have no code, by their whole message. */
const reasonByMessage = new Map([
  ["Request timed out", "timeout"],
  // 429, 502, 503 or 504, until there was no more time: the exporter does not say which.
  ["Export failed with retryable status", "retryable_status"],
  ["Concurrent export limit reached", "concurrency_limit"],
]);

/** Of low cardinality: an HTTP status, a code of the runtime, or one of a few words. */
export function reasonOf(error: Error): string {
  const code = "code" in error ? error.code : undefined;
  if (typeof code === "number" || (typeof code === "string" && code !== "")) return String(code);
  return reasonByMessage.get(error.message) ?? error.name;
}
