/**
 * What a handler tells, by `ctx.log` or by the console, as a message and fields. Handlers are written by people who are
 * used to other loggers: message and fields come in either order (pino's is fields first), errors stand anywhere, and any
 * other value may be among them. All of it is on the line; nothing that is given can make this throw.
 */

import { format } from "node:util";
import type { LogLevel } from "../../settings/parsers.ts";
import { type PlainFields, toPlainFields } from "../../telemetry/logs/plain-fields.ts";
import type { Redaction } from "../../telemetry/logs/redact.ts";
import { toFailure } from "../../words/errors.ts";
import { isError, propertyOf, tagOf } from "../../words/thrown.ts";
import type { HandlerLog } from "./handler.ts";

/** What one line says: plain values, bounded, without secrets. */
export interface Said {
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
export function toSaid(given: readonly unknown[], redaction: Redaction): Said {
  const at = given.findIndex((value) => typeof value === "string");
  const text = at < 0 ? undefined : String(given[at]);
  const fillers = text === undefined ? [] : given.slice(at + 1, at + 1 + countPlaceholders(text));
  const sorted = sort(given.filter((_, index) => index < at || index > at + fillers.length));
  sorted.errors.push(...fillers.filter(isError));
  const msg = text === undefined ? takeMessage(sorted) : fill(text, fillers, redaction);
  return { msg, fields: toFields(sorted, redaction) };
}

/** As the console prints: what is no object stands in the message. */
export function toPrinted(given: readonly unknown[], redaction: Redaction): Said {
  const [first] = given;
  const words = given.filter((value) => !isObject(value));
  if (words.length < 2 || (typeof first === "string" && countPlaceholders(first) > 0)) return toSaid(given, redaction);
  return toSaid([words.map(String).join(" "), ...given.filter(isObject)], redaction);
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
  const told = fillers.map((value) => (isError(value) ? toFailure(value).message : nameFunction(value)));
  const { told: plain } = toPlainFields({ told }, redaction);
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
