/**
 * JSON log lines, one object a line. pino makes the line; the record that leaves by OTLP is made of the very fields that
 * pino was given, so the two cannot differ. Every line has a trace_id: the one of the task it is about, or the one of the span in
 * which its role started. What a user or a handler wrote is bounded, without secrets, and cannot break a line.
 */

import { type Context, ROOT_CONTEXT, TraceFlags, trace } from "@opentelemetry/api";
import type { AnyValue, AnyValueMap, Logger as OtlpLogger } from "@opentelemetry/api-logs";
import pino from "pino";
import type { LogLevel, LogLevels } from "../../settings/parsers.ts";
import { spanContextOf } from "../context/propagation.ts";
import { key, ownKey } from "../names.ts";
import { cutMark, cutRedacted, toPlainFields } from "./plain-fields.ts";
import { createRedaction, type Redaction } from "./redact.ts";

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

/** Gets one line or several, each with its line break. */
export type WriteLine = (lines: string) => void;

/** Of lines that were written and could not leave the process. */
export interface LineLosses {
  /** Since the start. */
  droppedLines(): number;
  /** `report` gets how many were dropped, each time that lines leave again. */
  onFlow(report: (dropped: number) => void): void;
}

/** Since `startMs` of `performance.now()`, for the field `elapsed_ms`: microseconds are as fine as it gets. */
export function elapsedMs(startMs: number): number {
  return Math.round((performance.now() - startMs) * 1000) / 1000;
}

/** OpenTelemetry log data model, "Severity fields". */
const severityNumbers: Record<LogLevel, number> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17 };
const pinoLevels: Record<LogLevel, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50 };

interface LogOptions {
  service: string;
  levels: LogLevels;
  writeLine: WriteLine;
  /** Where records go besides stdout. */
  otlp: OtlpLogger | undefined;
  /** The context that lines without a task carry. */
  context: Context;
  /** What is masked; by default what looks like a secret. */
  redaction?: Redaction;
}

export function createLogger(options: LogOptions): Logger {
  const { service, levels, redaction = createRedaction(), otlp, writeLine } = options;
  const current: CurrentLine = { atMs: 0, level: "info", msg: "", fields: {} };
  const write = (made: string): void => {
    const line = toSafeLine(made);
    writeLine(line);
    // Nothing but a cut makes a line shorter: then the record has what is left.
    if (otlp) emitRecord(otlp, line.length < made.length ? { ...current, fields: JSON.parse(line) } : current);
  };
  const base = pino(
    {
      level: "trace",
      base: null,
      messageKey: "msg",
      timestamp: () => {
        const now = new Date();
        current.atMs = now.getTime();
        return `,"time":"${now.toISOString()}"`;
      },
      formatters: {
        level: (label) => ({ level: label, severity_number: severityNumbers[label as LogLevel] }),
      },
    },
    { write },
  );
  const bindings = { service, module: service, ...traceFields(options.context) };
  return new FieldLogger({ base, levels, redaction, current }, bindings, service);
}

/** Most of what reads lines cuts or refuses longer ones. */
const maxLineBytes = 65_536;
const maxMsgLength = 4096;

/** JSON may hold these as they are, and there are viewers that take them for the end of a line, or obey them. */
const unsafe = /[\u007f-\u009f\u2028\u2029]/g;

function toSafeLine(made: string): string {
  const line = made.replace(unsafe, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
  // A character has at most three bytes for each of its units.
  return line.length * 3 > maxLineBytes && Buffer.byteLength(line) > maxLineBytes ? toShortLine(line) : line;
}

/** Fields are bounded already: only escapes, six characters for one, can have made it so long. */
function toShortLine(line: string): string {
  const record: Record<string, unknown> = JSON.parse(line);
  const short = Object.entries(record).map(([name, value]) => {
    const isLong = (JSON.stringify(value)?.length ?? 0) > 1024;
    return [name, isLong ? `${typeof value === "string" ? value.slice(0, 100).toWellFormed() : ""}${cutMark}` : value];
  });
  return `${JSON.stringify(Object.fromEntries(short))}\n`;
}

/** Written on every line by the logger: a field of that name, which may be a handler author's, does not reach the line. */
const lineWords = { time: undefined, level: undefined, severity_number: undefined, msg: undefined };

interface LineMaker {
  base: pino.Logger;
  levels: LogLevels;
  redaction: Redaction;
  current: CurrentLine;
}

/** What the line is made of that is being made: it is written before `base` returns. */
interface CurrentLine {
  atMs: number;
  level: LogLevel;
  msg: string;
  /** Plain and bounded. */
  fields: Fields;
}

class FieldLogger implements Logger {
  readonly #maker: LineMaker;
  readonly #bindings: Fields;
  readonly #module: string;
  readonly #threshold: number;

  constructor(maker: LineMaker, bindings: Fields, module: string, threshold = thresholdOf(maker.levels, module)) {
    this.#maker = maker;
    this.#bindings = bindings;
    this.#module = module;
    this.#threshold = threshold;
  }

  trace(msg: string, fields?: Fields): void {
    this.#write("trace", msg, fields);
  }
  debug(msg: string, fields?: Fields): void {
    this.#write("debug", msg, fields);
  }
  info(msg: string, fields?: Fields): void {
    this.#write("info", msg, fields);
  }
  warn(msg: string, fields?: Fields): void {
    this.#write("warn", msg, fields);
  }
  error(msg: string, fields?: Fields): void {
    this.#write("error", msg, fields);
  }

  with(fields: Fields): Logger {
    return this.#bind(toPlainFields(fields, this.#maker.redaction));
  }
  in(context: Context): Logger {
    return this.#bind(traceFields(context));
  }
  module(name: string): Logger {
    return new FieldLogger(this.#maker, { ...this.#bindings, module: name }, name);
  }
  isEnabled(level: LogLevel): boolean {
    return pinoLevels[level] >= this.#threshold;
  }

  #bind(fields: Fields): Logger {
    return new FieldLogger(this.#maker, { ...this.#bindings, ...fields }, this.#module, this.#threshold);
  }

  #write(level: LogLevel, given: string, fields: Fields | undefined): void {
    if (!this.isEnabled(level)) return;
    const { base, redaction, current } = this.#maker;
    const bindings = this.#bindings;
    const plain = fields && toPlainFields(fields, redaction);
    current.level = level;
    current.msg = cutRedacted(given, maxMsgLength, redaction);
    current.fields = plain ? { ...bindings, ...plain, ...bindings, ...lineWords } : bindings;
    base[level](current.fields, current.msg);
  }
}

function thresholdOf(levels: LogLevels, module: string): number {
  return pinoLevels[levelOf(levels, module)];
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

const notAttributes = new Set([
  "time",
  "level",
  "severity_number",
  "msg",
  "trace_id",
  "span_id",
  "trace_flags",
  "error",
]);

function emitRecord(otlp: OtlpLogger, { atMs, level, msg, fields }: CurrentLine): void {
  // Plain values: strings, numbers, booleans, null, arrays and objects of these.
  const attributes: AnyValueMap = {};
  for (const name in fields) {
    if (fields[name] !== undefined && !notAttributes.has(name)) attributes[name] = fields[name] as AnyValue;
  }
  for (const [name, value] of exceptionOf(fields.error)) attributes[name] = value as AnyValue;
  otlp.emit({
    timestamp: atMs,
    observedTimestamp: atMs,
    severityNumber: severityNumbers[level],
    severityText: level,
    body: msg,
    attributes,
    context: trace.setSpanContext(ROOT_CONTEXT, {
      traceId: String(fields.trace_id),
      spanId: String(fields.span_id),
      traceFlags: Number(fields.trace_flags ?? TraceFlags.NONE),
    }),
  });
}

/** The field `error` under the names that the conventions have for an exception on a log record. */
function exceptionOf(error: unknown): [name: string, value: unknown][] {
  if (error === undefined) return [];
  if (typeof error !== "object" || error === null || !("type" in error)) return [["error", error]];
  const { type, message, stack, causes } = error as Record<string, unknown>;
  const named: [string, unknown][] = [
    [key.exceptionType, type],
    [key.exceptionMessage, message],
    [key.exceptionStacktrace, stack],
    [ownKey.causeChain, causes],
  ];
  return named.filter(([, value]) => value !== undefined);
}
