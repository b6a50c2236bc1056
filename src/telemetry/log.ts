/**
 * JSON log lines, one object a line. pino makes the line; the record that leaves by OTLP is read back from that very
 * line, so the two cannot differ. Every line has a trace_id: the one of the task it is about, or the one of the span in
 * which its role started.
 */

import { type Context, ROOT_CONTEXT, TraceFlags, trace } from "@opentelemetry/api";
import type { AnyValueMap, Logger as OtlpLogger } from "@opentelemetry/api-logs";
import pino from "pino";
import { type Failure, toFailure } from "../errors.ts";
import type { LogLevel, LogLevels } from "../settings.ts";
import { spanContextOf } from "./propagation.ts";

/** Values; the message stays a constant sentence. */
export type Fields = Record<string, unknown>;

export interface Logger {
  trace(msg: string, fields?: Fields): void;
  debug(msg: string, fields?: Fields): void;
  info(msg: string, fields?: Fields): void;
  warn(msg: string, fields?: Fields): void;
  error(msg: string, fields?: Fields): void;
  /** The same logger with these fields on every line. */
  with(fields: Fields): Logger;
  /** The same logger with this context's trace and span id on every line. */
  in(context: Context): Logger;
  /** The same logger under another module name, whose level may be its own. */
  module(name: string): Logger;
  isEnabled(level: LogLevel): boolean;
}

export type WriteLine = (line: string) => void;

/** OpenTelemetry log data model, "Severity fields". */
const severityNumbers: Record<LogLevel, number> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17 };
const pinoLevels: Record<LogLevel, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 };

export interface LogOptions {
  service: string;
  levels: LogLevels;
  writeLine: WriteLine;
  /** Where records go besides stdout. */
  otlp: OtlpLogger | undefined;
  /** The context that lines without a task carry. */
  context: Context;
}

export function createLogger(options: LogOptions): Logger {
  const write = (line: string): void => {
    options.writeLine(line);
    if (options.otlp) emitRecord(options.otlp, line);
  };
  const base = pino(
    {
      level: "trace",
      base: null,
      messageKey: "msg",
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {
        level: (label) => ({ level: label, severity_number: severityNumbers[label as LogLevel] }),
      },
    },
    { write },
  );
  const bindings = { service: options.service, module: options.service, ...traceFields(options.context) };
  return loggerOf(base, options.levels, bindings, options.service);
}

/** What stands on every line by itself: a field of that name, which may be a handler author's, does not reach the line. */
const lineWords = { time: undefined, level: undefined, severity_number: undefined, msg: undefined };

function loggerOf(base: pino.Logger, levels: LogLevels, bindings: Fields, module: string): Logger {
  const threshold = pinoLevels[levelOf(levels, module)];
  const at =
    (level: LogLevel) =>
    (msg: string, fields?: Fields): void => {
      if (pinoLevels[level] < threshold) return;
      base[level](fields ? { ...bindings, ...plain(fields), ...bindings, ...lineWords } : bindings, msg);
    };
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => loggerOf(base, levels, { ...bindings, ...plain(fields) }, module),
    in: (context) => loggerOf(base, levels, { ...bindings, ...traceFields(context) }, module),
    module: (name) => loggerOf(base, levels, { ...bindings, module: name }, name),
    isEnabled: (level) => pinoLevels[level] >= threshold,
  };
}

/** The level of the longest prefix of `module` that has one: `worker` serves `worker.pool` too. */
function levelOf(levels: LogLevels, module: string): LogLevel {
  for (let name = module; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const level = levels.modules[name];
    if (level) return level;
  }
  return levels.base;
}

function traceFields(context: Context): Fields {
  const span = spanContextOf(context);
  if (!span) return {};
  return { trace_id: span.traceId, span_id: span.spanId, trace_flags: span.traceFlags };
}

/** `error` may be anything that was thrown; in the line it is a plain object. */
function plain(fields: Fields): Fields {
  return fields.error instanceof Error ? { ...fields, error: toFailure(fields.error) } : fields;
}

const notAttributes = new Set(["time", "level", "severity_number", "msg", "trace_id", "span_id", "trace_flags"]);

function emitRecord(otlp: OtlpLogger, line: string): void {
  const record: Record<string, unknown> = JSON.parse(line);
  const attributes: AnyValueMap = {};
  for (const [name, value] of Object.entries(record)) {
    // The values come from JSON.parse: strings, numbers, booleans, null, arrays and objects of these.
    if (!notAttributes.has(name)) attributes[name] = value as AnyValueMap[string];
  }
  const timestamp = Date.parse(String(record.time));
  otlp.emit({
    timestamp,
    observedTimestamp: timestamp,
    severityNumber: Number(record.severity_number),
    severityText: String(record.level),
    body: String(record.msg),
    attributes,
    context: trace.setSpanContext(ROOT_CONTEXT, {
      traceId: String(record.trace_id),
      spanId: String(record.span_id),
      traceFlags: Number(record.trace_flags ?? TraceFlags.NONE),
    }),
  });
}

/** A failure as the field `error` of a line. */
export function errorField(failure: Failure): Fields {
  return { error: failure };
}
