/**
 * JSON log lines, one object a line. The line and the record that leaves by OTLP are made of the very same fields, so the
 * two cannot differ. Every line has a trace_id: the one of the task it is about, or the one of the span in
 * which its role started. What a user or a handler wrote is bounded, without secrets, and cannot break a line.
 */

import { type Context, ROOT_CONTEXT, type SpanContext, TraceFlags, trace } from "@opentelemetry/api";
import type { AnyValue, AnyValueMap, Logger as OtlpLogger } from "@opentelemetry/api-logs";
import { encodeAttributes, logWriter } from "../../otlp/log.ts";
import type { Written } from "../../otlp/protobuf.ts";
import type { LogLevel, LogLevels } from "../../settings/parsers.ts";
import { spanContextOf } from "../context/propagation.ts";
import { key, ownKey } from "../names.ts";
import {
  createNames,
  maxUsualFields,
  type Names,
  readField,
  timeText,
  toLine,
  toSafeLine,
  usualJson,
} from "./log-line.ts";
import { cutRedacted, toPlainFields } from "./plain-fields.ts";
import { createRedaction, type Redaction } from "./redact.ts";

/** Values; the message stays a constant sentence. */
export type Fields = Record<string, unknown>;

const maxMsgLength = 4096;

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

/** Takes records of lines. */
export interface RecordSink {
  logger: OtlpLogger;
  /** Takes one that was encoded already. undefined: there are limits to be kept that only `logger` knows. */
  take: ((written: Written) => void) | undefined;
}

interface LogOptions {
  service: string;
  levels: LogLevels;
  writeLine: WriteLine;
  /** Where records go besides stdout. */
  otlp: RecordSink | undefined;
  /** The context that lines without a task carry. */
  context: Context;
  /** What is masked; by default what looks like a secret. */
  redaction?: Redaction;
}

export function createLogger(options: LogOptions): Logger {
  const { service, levels, writeLine, otlp, context, redaction = createRedaction() } = options;
  const maker = { levels, redaction, names: createNames(redaction), writeLine, otlp };
  return new FieldLogger(maker, headOf(service, service), snapshot(spanContextOf(context)), noFields);
}

const noFields: Fields = {};

interface LineMaker {
  levels: LogLevels;
  redaction: Redaction;
  names: Names;
  writeLine: WriteLine;
  otlp: RecordSink | undefined;
}

/** What all lines of one module begin with. */
interface Head {
  service: string;
  module: string;
  text: string;
  attributes: Uint8Array;
}

function headOf(service: string, module: string): Head {
  const text = `"service":${JSON.stringify(service)},"module":${JSON.stringify(module)}`;
  return { service, module, text, attributes: encodeAttributes({ service, module }) };
}

/** Of a span's context, which may become sampled later. */
function snapshot(span: SpanContext | undefined): SpanContext | undefined {
  return span && { traceId: span.traceId, spanId: span.spanId, traceFlags: span.traceFlags };
}

class FieldLogger implements Logger {
  readonly #maker: LineMaker;
  readonly #head: Head;
  readonly #span: SpanContext | undefined;
  /** Plain. */
  readonly #bound: Fields;
  readonly #threshold: number;
  /** What stands on each of its lines between the time and the fields; undefined: not yet put together, or not usual. */
  #text: string | undefined;

  constructor(
    maker: LineMaker,
    head: Head,
    span: SpanContext | undefined,
    bound: Fields,
    threshold = thresholdOf(maker.levels, head.module),
  ) {
    this.#maker = maker;
    this.#head = head;
    this.#span = span;
    this.#bound = bound;
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
    const plain = toPlainFields(fields, this.#maker.redaction);
    if (!("trace_id" in plain)) return this.#bind(this.#span, plain);
    const { trace_id, span_id, trace_flags, ...others } = plain;
    const span = { traceId: String(trace_id), spanId: String(span_id), traceFlags: Number(trace_flags ?? 0) };
    return this.#bind(span, others);
  }
  in(context: Context): Logger {
    const span = spanContextOf(context);
    return span ? this.#bind(snapshot(span), noFields) : this;
  }
  module(name: string): Logger {
    return new FieldLogger(this.#maker, headOf(this.#head.service, name), this.#span, this.#bound);
  }
  isEnabled(level: LogLevel): boolean {
    return severityNumbers[level] >= this.#threshold;
  }

  #bind(span: SpanContext | undefined, fields: Fields): Logger {
    const earlier = this.#bound;
    const bound = earlier === noFields ? fields : fields === noFields ? earlier : { ...earlier, ...fields };
    return new FieldLogger(this.#maker, this.#head, span, bound, this.#threshold);
  }

  #write(level: LogLevel, msg: string, fields = noFields): void {
    if (this.isEnabled(level) && !this.#writeUsual(level, msg, fields)) this.#writeAny(level, msg, fields);
  }

  /** Line and record in one pass, of a few short texts and numbers; false, and nothing is written, when there is more to it. */
  #writeUsual(level: LogLevel, msg: string, fields: Fields): boolean {
    const { names, writeLine, otlp } = this.#maker;
    if (otlp && !otlp.take) return false;
    this.#text ??= this.#toText();
    const said = usualJson(msg);
    const own = Object.keys(fields);
    if (this.#text === "" || said === undefined || own.length > maxUsualFields) return false;
    const atMs = Date.now();
    const severityNumber = severityNumbers[level];
    if (otlp) {
      const { attributes } = this.#head;
      logWriter.begin({ atMs, severityNumber, severityText: level, body: msg, attributes });
      for (const name in this.#bound) logWriter.attribute(name, this.#bound[name]);
    }
    let line = `{"level":"${level}","severity_number":${severityNumber},"time":"${timeText(atMs)}",${this.#text}`;
    for (const name of own) {
      const known = names(name);
      if (known.kind === "reserved" || Object.hasOwn(this.#bound, name)) continue;
      const value = known.kind === "usual" ? readField(fields, name) : null;
      if (value === undefined) continue;
      const json = usualJson(value);
      if (json === undefined) return false;
      line += known.text;
      line += json;
      if (otlp) logWriter.attribute(name, value);
    }
    writeLine(`${line},"msg":${said}}\n`);
    otlp?.take?.(logWriter.end(atMs, this.#span));
    return true;
  }

  /** Empty when a part of it is not usual. */
  #toText(): string {
    const span = this.#span;
    if (span && !trace.isSpanContextValid(span)) return "";
    let text = this.#head.text;
    if (span) text += `,"trace_id":"${span.traceId}","span_id":"${span.spanId}","trace_flags":${span.traceFlags}`;
    for (const name in this.#bound) {
      const known = this.#maker.names(name);
      const json = known.kind === "usual" ? usualJson(this.#bound[name]) : undefined;
      if (json === undefined) return "";
      text += known.text;
      text += json;
    }
    return text;
  }

  #writeAny(level: LogLevel, given: string, fields: Fields): void {
    const { redaction, writeLine, otlp } = this.#maker;
    const { service, module } = this.#head;
    const bound: Fields = { service, module, ...traceFields(this.#span), ...this.#bound };
    const atMs = Date.now();
    const head = { level, severity_number: severityNumbers[level], time: timeText(atMs) };
    const msg = cutRedacted(given, maxMsgLength, redaction);
    const all = { ...bound, ...toPlainFields(fields, redaction), ...bound, ...lineWords };
    const made = toLine([...Object.entries(head), ...Object.entries(all), ["msg", msg]]);
    const line = toSafeLine(made);
    writeLine(line);
    // Nothing but a cut makes a line shorter: then the record has what is left.
    const told = line.length < made.length ? JSON.parse(line) : all;
    if (otlp) emitRecord(otlp.logger, { atMs, level, msg, fields: told });
  }
}

/** Written on every line by the logger: a field of that name, which may be a handler author's, does not reach the line. */
const lineWords = { time: undefined, level: undefined, severity_number: undefined, msg: undefined };

interface CurrentLine {
  atMs: number;
  level: LogLevel;
  msg: string;
  /** Plain and bounded. */
  fields: Fields;
}

function thresholdOf(levels: LogLevels, module: string): number {
  return severityNumbers[levelOf(levels, module)];
}

/** The level of the longest prefix of `module` that has one: `worker` serves `worker.pool` too. */
function levelOf(levels: LogLevels, module: string): LogLevel {
  for (let name = module; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const level = levels.modules[name];
    if (level) return level;
  }
  return levels.base;
}

function traceFields(span: SpanContext | undefined): Fields {
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
