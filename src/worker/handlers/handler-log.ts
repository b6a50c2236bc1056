/**
 * What handlers write: `ctx.log`, the console, and `write` of `process.stdout` and `process.stderr`, be it by a handler, what
 * it imports, or a library. Each call is one log line with its level, its fields, and the attempt and the span in which it was
 * made; the async context knows both. What goes to file descriptor 1 itself is not seen here: see stdout.ts.
 */

import { Console } from "node:console";
import { format } from "node:util";
import { type Context, context as contextApi, createContextKey, trace } from "@opentelemetry/api";
import type { LogLevel } from "../../settings/parsers.ts";
import { type PlainFields, toPlainFields } from "../../telemetry/logs/plain-fields.ts";
import type { Redaction } from "../../telemetry/logs/redact.ts";
import { toFailure } from "../../words/errors.ts";
import { isError, propertyOf, tagOf } from "../../words/text.ts";
import type { HandlerLogLine, LineTask } from "../threads/thread-messages.ts";
import type { HandlerLog } from "./handler.ts";

/** What one line says: plain values, bounded, without secrets. */
export interface LoggedText {
  msg: string;
  fields: PlainFields | undefined;
}

/** `write` gets what one of the methods was called with. */
export function createHandlerLog(write: (level: LogLevel, given: readonly unknown[]) => void): HandlerLog {
  return {
    trace: (...given) => write("trace", given),
    debug: (...given) => write("debug", given),
    info: (...given) => write("info", given),
    warn: (...given) => write("warn", given),
    error: (...given) => write("error", given),
  };
}

/**
 * The first text is the message; values behind it fill its `%s`, `%d` and `%j`. The first error is the field `error`, what
 * the first object has are fields, and all that is left is the field `args`.
 */
export function toLogged(given: readonly unknown[], redaction: Redaction): LoggedText {
  const at = given.findIndex((value) => typeof value === "string");
  const text = at < 0 ? undefined : String(given[at]);
  const fillers = text === undefined ? [] : given.slice(at + 1, at + 1 + countPlaceholders(text));
  const sorted = sort(given.filter((_, index) => index < at || index > at + fillers.length));
  sorted.errors.push(...fillers.filter(isError));
  const msg = text === undefined ? takeMessage(sorted) : fill(text, fillers, redaction);
  return { msg, fields: toFields(sorted, redaction) };
}

/** As the console prints: what is no object stands in the message. */
export function toPrinted(given: readonly unknown[], redaction: Redaction): LoggedText {
  const [first] = given;
  const words = given.filter((value) => !isObject(value));
  if (words.length < 2 || (typeof first === "string" && countPlaceholders(first) > 0))
    return toLogged(given, redaction);
  return toLogged([words.map(String).join(" "), ...given.filter(isObject)], redaction);
}

/** The values of one call but for the message, by what becomes of each. */
interface Sorted {
  errors: unknown[];
  record: PlainFields | undefined;
  /** The name under which `record` has an error of its own. */
  errorName: string | undefined;
  others: unknown[];
}

function sort(values: readonly unknown[]): Sorted {
  const sorted: Sorted = { errors: [], record: undefined, errorName: undefined, others: [] };
  for (const value of values) {
    if (isError(value)) sorted.errors.push(value);
    else if (!sorted.record && isRecord(value)) sorted.record = value;
    else sorted.others.push(value);
  }
  const { record } = sorted;
  if (!record) return sorted;
  // `err` is pino's name for an error; under its own name it may be a text.
  if (propertyOf(record, "error") !== undefined) sorted.errorName = "error";
  else if (isError(propertyOf(record, "err"))) sorted.errorName = "err";
  if (sorted.errorName !== undefined) sorted.errors.push(propertyOf(record, sorted.errorName));
  return sorted;
}

/** Where there is no text: what the error says, a value that can be one, or pino's field for it. */
function takeMessage({ errors: [error], record, others }: Sorted): string {
  if (error !== undefined) return toFailure(error).message;
  const at = others.findIndex((value) => !isObject(value));
  if (at >= 0) return String(others.splice(at, 1)[0]);
  const msg = record && propertyOf(record, "msg");
  return typeof msg === "string" ? msg : "";
}

/** Of the room of one line, what each of several parts may have: the reason is not cut for the sake of the fields. */
const partCharacters = 13_000;

function toFields({ errors, record, errorName, others }: Sorted, redaction: Redaction): PlainFields | undefined {
  const [error, ...moreErrors] = errors;
  const args = [...others, ...moreErrors].filter((value) => value !== undefined).map(nameFunction);
  if (error === undefined && args.length === 0) return record && toPlainFields(record, redaction);
  const { [errorName ?? ""]: _, ...fields } = toPlainFields(record ?? {}, redaction, partCharacters);
  return {
    ...fields,
    ...(args.length > 0 && toPlainFields({ args }, redaction, partCharacters)),
    ...(error !== undefined && toPlainFields({ error: toFailure(error) }, redaction, partCharacters)),
  };
}

function fill(text: string, fillers: readonly unknown[], redaction: Redaction): string {
  if (fillers.length === 0) return text;
  const texts = fillers.map((value) => (isError(value) ? toFailure(value).message : nameFunction(value)));
  const { texts: plain } = toPlainFields({ texts }, redaction);
  return format(text, ...(Array.isArray(plain) ? plain : []));
}

function countPlaceholders(text: string): number {
  return text.match(/%[sdifjoO]/g)?.length ?? 0;
}

/** JSON has no functions, and a list shows that there was one. */
function nameFunction(value: unknown): unknown {
  return typeof value === "function" ? `[function ${String(propertyOf(value, "name"))}]` : value;
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** Has names for what is in it: no list, no date, no Map, no promise. */
function isRecord(value: unknown): value is PlainFields {
  try {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
    if (Symbol.iterator in value || ("toJSON" in value && typeof value.toJSON === "function")) return false;
    return Object.keys(value).length > 0 || tagOf(value) === "Object";
  } catch {
    // A Proxy may throw whatever it is asked.
    return false;
  }
}

const taskKey = createContextKey("throughline.task");

/** What runs in the context that this gives is of that task, also after its attempt has ended. */
export function withTask(context: Context, { taskId, type, attempt, correlationId }: LineTask): Context {
  return context.setValue(taskKey, { taskId, type, attempt, correlationId } satisfies LineTask);
}

/** A line of `context`, under the span that is active now. */
export function lineIn(context: Context, level: LogLevel, { msg, fields }: LoggedText): HandlerLogLine {
  const active = contextApi.active();
  const span = trace.getSpanContext(active) ?? trace.getSpanContext(context);
  return {
    level,
    msg,
    fields,
    // Set by `withTask` alone.
    task: (context.getValue(taskKey) ?? active.getValue(taskKey)) as LineTask | undefined,
    span: span && { traceId: span.traceId, spanId: span.spanId, traceFlags: span.traceFlags },
  };
}

interface PrintedBy {
  /** A call of a method of the console whose name is that of a level, or `log`. */
  onLogged(level: LogLevel, given: readonly unknown[]): void;
  /** Text that is formatted already: a table, a stack, what a library wrote. */
  onWritten(level: LogLevel, text: string): void;
}

const loggedAs = { log: "info", info: "info", debug: "debug", warn: "warn", error: "error" } as const;

/** All others write what they have formatted. */
const written = [
  ...(["table", "dir", "dirxml", "trace", "assert", "group", "groupCollapsed", "groupEnd"] as const),
  ...(["count", "countReset", "time", "timeLog", "timeEnd"] as const),
];

/** For the rest of this thread's life. */
export function captureOutput({ onLogged, onWritten }: PrintedBy): void {
  const { console } = globalThis;
  for (const [name, level] of Object.entries(loggedAs)) {
    Object.assign(console, { [name]: (...given: unknown[]) => onLogged(level, given) });
  }
  captureWrites(process.stdout, (text) => onWritten("info", text));
  captureWrites(process.stderr, (text) => onWritten("warn", text));
  const formatting = new Console(process.stdout, process.stderr);
  for (const name of written) Object.assign(console, { [name]: formatting[name].bind(formatting) });
}

function captureWrites(stream: NodeJS.WriteStream, onText: (text: string) => void): void {
  const write = (chunk: unknown, encoding?: unknown, callback: unknown = encoding): boolean => {
    const text = typeof chunk === "string" ? chunk : new TextDecoder().decode(toBytes(chunk));
    if (text.trim() !== "") onText(text.replace(/\r?\n$/, ""));
    if (typeof callback === "function") queueMicrotask(() => callback());
    return true;
  };
  Object.assign(stream, { write });
}

function toBytes(chunk: unknown): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : new Uint8Array();
}
