/**
 * The text of a log line. Nearly all fields are short texts without anything that JSON escapes, and numbers: those are put
 * together by hand, and `JSON.stringify` is left for the rest.
 */

import { cutMark } from "./plain-fields.ts";
import type { Redaction } from "./redact.ts";

/** Most of what reads lines cuts or refuses longer ones. */
const maxLineBytes = 65_536;

/** JSON may hold these as they are, and there are viewers that take them for the end of a line, or obey them. */
const unsafe = /[\u007f-\u009f\u2028\u2029]/g;

/** What is undefined is left out. */
export function toLine(members: readonly (readonly [name: string, value: unknown])[]): string {
  const written = members.filter(([, value]) => value !== undefined);
  return `{${written.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}\n`;
}

export function toSafeLine(made: string): string {
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

/** Of one line, besides those that its logger has. */
export const maxUsualFields = 16;
const maxUsualLength = 256;

/** The JSON of a number, a truth value, or a short text that stands in JSON as it is; undefined of all else. */
export function usualJson(value: unknown): string | undefined {
  if (typeof value === "string") return isUsualText(value) ? `"${value}"` : undefined;
  return Number.isFinite(value) || typeof value === "boolean" ? String(value) : undefined;
}

const [quote, backslash, colon, slash] = [0x22, 0x5c, 0x3a, 0x2f];

/** Printable ASCII that needs no escape; a URL has to be looked through for secrets. */
function isUsualText(text: string): boolean {
  if (text.length > maxUsualLength) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === quote || code === backslash) return false;
    if (code === colon && text.charCodeAt(at + 1) === slash && text.charCodeAt(at + 2) === slash) return false;
  }
  return true;
}

interface Name {
  /** `reserved`: the logger itself writes it. */
  kind: "usual" | "reserved" | "odd";
  /** With the comma before it and the colon behind. */
  text: string;
}

export type Names = (name: string) => Name;

const reserved: ReadonlySet<string> = new Set(
  "service module trace_id span_id trace_flags time level severity_number msg".split(" "),
);

/** Names come from code, so there are few; a program that makes them up must not fill the memory. */
const maxKnownNames = 2000;

/** Looks at the name of a field once. */
export function createNames(redaction: Redaction): Names {
  const known = new Map<string, Name>();
  const look = (name: string): Name => {
    // A record has an error under other names; an index comes before all other members of an object.
    const isOdd = name === "error" || name === "__proto__" || /^\d+$/.test(name) || redaction.isSecretKey(name);
    const isUsual = !isOdd && name !== "" && name.length <= 128 && isUsualText(name);
    return { kind: reserved.has(name) ? "reserved" : isUsual ? "usual" : "odd", text: `,"${name}":` };
  };
  return (name) => {
    const seen = known.get(name);
    if (seen) return seen;
    const looked = look(name);
    if (known.size < maxKnownNames) known.set(name, looked);
    return looked;
  };
}

/** null, which is not usual, of a property whose getter throws. */
export function readField(fields: Readonly<Record<string, unknown>>, name: string): unknown {
  try {
    return fields[name];
  } catch {
    return null;
  }
}

let lastMs = Number.NaN;
let lastText = "";

/** RFC 3339. Lines of one millisecond share it. */
export function timeText(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText = new Date(ms).toISOString();
  }
  return lastText;
}
