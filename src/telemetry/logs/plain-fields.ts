/**
 * Any values as what a log line can hold: plain, without secrets, and bounded however large, deep or round they are. User
 * text stays a value; a mark shows where something was cut.
 */

import { toFailure } from "../../words/errors.ts";
import { isError, tagOf } from "../../words/text.ts";
import { type Redaction, redacted } from "./redact.ts";

export type PlainFields = Record<string, unknown>;

/** Characters of all keys and texts together: with its other parts a line stays below 64 KiB, unless they need escapes. */
const maxCharacters = 40_000;
const maxTextLength = 16_384;
const maxKeyLength = 128;
const maxDepth = 8;
/** Of one object or array. */
const maxEntries = 100;

export const cutMark = "[cut]";

/** Not longer than this, no text of a few fields needs to be cut. */
const shortText = 256;
const fewFields = 16;

/** `limit`: how many characters all of it may have. Never throws. The same object when there is nothing to be done. */
export function toPlainFields(fields: PlainFields, redaction: Redaction, limit = maxCharacters): PlainFields {
  try {
    return limit === maxCharacters && isPlain(fields, redaction) ? fields : walk(fields, redaction, limit);
  } catch {
    // A Proxy whose keys cannot be read.
    return { unreadable_fields: true };
  }
}

/** Whether they are like nearly all fields: few, flat and short. */
function isPlain(fields: PlainFields, redaction: Redaction): boolean {
  let count = 0;
  for (const name in fields) {
    const value = fieldOf(fields, name);
    const isShort =
      typeof value === "string" && value.length <= shortText && !value.includes("://") && value.isWellFormed();
    const isFlat = isShort || Number.isFinite(value) || typeof value === "boolean";
    count += 1;
    const isOddName = name.length > maxKeyLength || !name.isWellFormed() || redaction.isSecretKey(name);
    if (!isFlat || count > fewFields || isOddName) return false;
  }
  return true;
}

/** Of a property whose getter throws. */
const unreadable = Symbol("unreadable");

function fieldOf(record: object, name: string): unknown {
  try {
    return Reflect.get(record, name);
  } catch {
    return unreadable;
  }
}

function walk(fields: PlainFields, redaction: Redaction, limit: number): PlainFields {
  const room = { left: limit };
  /** What the value is in, from the fields down. */
  const around: object[] = [fields];

  const toPlain = (value: unknown): unknown => {
    if (typeof value === "string") return toText(value);
    if (typeof value === "bigint") return toNumber(value);
    if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
    if (typeof value === "symbol") return value === unreadable ? "[unreadable]" : toText(String(value));
    if (typeof value !== "object" || value === null) return typeof value === "function" ? undefined : value;
    if (around.includes(value)) return "[circular]";
    if (around.length > maxDepth) return cutMark;
    const depth = around.length;
    around.push(value);
    try {
      return toPlainObject(value);
    } catch {
      // A toJSON of a handler's own that throws, or a Proxy.
      return toPlain(unreadable);
    } finally {
      around.length = depth;
    }
  };

  const toPlainObject = (value: object): unknown => {
    if (isError(value)) return toPlain(toFailure(value));
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (isBoxed(value)) return toPlain(value.valueOf());
    if (isKeyed(value)) return toPlainEntries(value);
    if ("toJSON" in value && typeof value.toJSON === "function") return toPlain(value.toJSON());
    if (Array.isArray(value)) return toPlainList(value, value.length);
    if (value instanceof Set) return toPlainList(value, value.size);
    const record = toPlainRecord(ownEntries(value));
    // A promise, a response: its kind is more use than its lack of fields.
    const tag = tagOf(value);
    return Object.keys(record).length > 0 || tag === "Object" ? record : `[${tag}]`;
  };

  const toPlainList = (values: Iterable<unknown>, length: number): unknown[] => {
    const plain: unknown[] = [];
    if (length > 0) {
      for (const value of values) {
        room.left -= 8;
        plain.push(toPlain(value));
        if (plain.length >= maxEntries || room.left <= 0) break;
      }
    }
    return plain.length < length ? [...plain, cutMark] : plain;
  };

  /** Keys that are no texts have no place in a record. */
  const toPlainEntries = (keyed: Iterable<[unknown, unknown]>): unknown => {
    const entries: [unknown, unknown][] = [];
    for (const entry of keyed) if (entries.push(entry) > maxEntries) break;
    const isRecord = (given: [unknown, unknown][]): given is [string, unknown][] =>
      given.every(([name]) => typeof name === "string");
    return isRecord(entries) ? toPlainRecord(entries) : toPlainList(entries, entries.length);
  };

  const toPlainRecord = (named: Iterable<[string, unknown]>): PlainFields => {
    const entries: [string, unknown][] = [];
    for (const [name, value] of named) {
      if (entries.length >= maxEntries || room.left <= 0) {
        entries.push([cutMark, true]);
        break;
      }
      room.left -= name.length + 8;
      const isHidden = redaction.isSecretKey(name) && value !== null && value !== undefined;
      const key = name.length > maxKeyLength ? `${name.slice(0, maxKeyLength)}${cutMark}` : name;
      entries.push([key.toWellFormed(), isHidden ? redacted : toPlain(value)]);
    }
    // Not by assignment: that would take a field named `__proto__` for something else.
    return Object.fromEntries(entries);
  };

  const toText = (text: string): string => {
    const masked = cutRedacted(text, Math.max(0, Math.min(maxTextLength, room.left)), redaction);
    room.left -= masked.length;
    return masked;
  };

  return toPlainRecord(ownEntries(fields));
}

/** An error or a promise may inherit what is no field. */
function* ownEntries(record: object): Iterable<[string, unknown]> {
  for (const name in record) if (Object.hasOwn(record, name)) yield [name, fieldOf(record, name)];
}

/** Its letters are no fields. */
function isBoxed(value: object): boolean {
  return value instanceof String || value instanceof Number || value instanceof Boolean;
}

function isKeyed(value: object): value is Iterable<[unknown, unknown]> {
  return [Map, Headers, URLSearchParams, FormData].some((type) => value instanceof type);
}

/** As text when readers of JSON would round it. */
function toNumber(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** Longer than any credentials in a URL that are found: what is cut off must not take the end of a secret with it. */
const longestSecret = 10_000;

/** At most `length` characters of a text, without secrets, and the mark when there were more. */
export function cutRedacted(text: string, length: number, redaction: Redaction): string {
  const masked = redaction.redactText(text.length > length ? text.slice(0, length + longestSecret) : text);
  return (text.length > length ? `${masked.slice(0, length)}${cutMark}` : masked).toWellFormed();
}
