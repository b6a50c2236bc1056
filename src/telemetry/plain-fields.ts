/**
 * Any values as what a log line can hold: plain, without secrets, and bounded however large, deep or round they are. User
 * text stays a value; where something was cut a mark says so.
 */

import { toFailure } from "../errors.ts";
import { type Redaction, redacted } from "./redact.ts";

export type PlainFields = Record<string, unknown>;

/** Characters of all keys and texts together: with all else a line stays below 64 KiB, unless they need escapes. */
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
    // A getter or a toJSON of a handler's own that throws.
    return { unreadable_fields: true };
  }
}

/** Whether they are like nearly all fields: few, flat and short. */
function isPlain(fields: PlainFields, redaction: Redaction): boolean {
  let count = 0;
  for (const name in fields) {
    const value = fields[name];
    const isShort =
      typeof value === "string" && value.length <= shortText && !value.includes("://") && value.isWellFormed();
    const isFlat = isShort || typeof value === "number" || typeof value === "boolean";
    count += 1;
    const isOddName = name.length > maxKeyLength || !name.isWellFormed() || redaction.isSecretKey(name);
    if (!isFlat || count > fewFields || isOddName) return false;
  }
  return true;
}

function walk(fields: PlainFields, redaction: Redaction, limit: number): PlainFields {
  const room = { left: limit };
  /** What the value is in, from the fields down. */
  const around: object[] = [fields];

  const toPlain = (value: unknown): unknown => {
    if (typeof value === "string") return toText(value);
    if (typeof value === "bigint") return toNumber(value);
    if (typeof value !== "object" || value === null) return typeof value === "function" ? undefined : value;
    if (value instanceof Error) return toPlain(toFailure(value));
    if (around.includes(value)) return "[circular]";
    if (around.length > maxDepth) return cutMark;
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    around.push(value);
    const plain = toPlainObject(value);
    around.pop();
    return plain;
  };

  const toPlainObject = (value: object): unknown => {
    if ("toJSON" in value && typeof value.toJSON === "function") return toPlain(value.toJSON());
    return Array.isArray(value) ? toPlainArray(value) : toPlainRecord(value);
  };

  const toPlainArray = (values: readonly unknown[]): unknown[] => {
    const plain: unknown[] = [];
    for (const value of values.slice(0, maxEntries)) {
      if (room.left <= 0) break;
      room.left -= 8;
      plain.push(toPlain(value));
    }
    return plain.length < values.length ? [...plain, cutMark] : plain;
  };

  const toPlainRecord = (record: object): PlainFields => {
    const entries: [string, unknown][] = [];
    let count = 0;
    for (const name in record) {
      // An error or a promise may inherit what is no field.
      if (!Object.hasOwn(record, name)) continue;
      if (++count > maxEntries || room.left <= 0) {
        entries.push([cutMark, true]);
        break;
      }
      room.left -= name.length + 8;
      const value: unknown = Reflect.get(record, name);
      const isHidden = redaction.isSecretKey(name) && value !== null && value !== undefined;
      const key = name.length > maxKeyLength ? `${name.slice(0, maxKeyLength)}${cutMark}` : name;
      entries.push([key.toWellFormed(), isHidden ? redacted : toPlain(value)]);
    }
    // Not by assignment: that would take a field named `__proto__` for something else.
    return Object.fromEntries(entries);
  };

  const toText = (text: string): string => {
    const told = cutRedacted(text, Math.max(0, Math.min(maxTextLength, room.left)), redaction);
    room.left -= told.length;
    return told;
  };

  return toPlainRecord(fields);
}

/** As text when readers of JSON would round it. */
function toNumber(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** Longer than any credentials in a URL that are found: what is cut off must not take the end of a secret with it. */
const longestSecret = 10_000;

/** At most `length` characters of a text, without secrets, and the mark when there were more. */
export function cutRedacted(text: string, length: number, redaction: Redaction): string {
  const told = redaction.redactText(text.length > length ? text.slice(0, length + longestSecret) : text);
  return (text.length > length ? `${told.slice(0, length)}${cutMark}` : told).toWellFormed();
}
