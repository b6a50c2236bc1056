/**
 * Attributes of messages: what SQS allows, their size and their MD5 ("Amazon SQS message metadata", "Calculating the MD5
 * message digest for message attributes").
 */

import { hash } from "node:crypto";
import { SqsError } from "./sqs-error.ts";
import { type Input, isInput, isWord, textOf, unreadable } from "./sqs-input.ts";

/** What a send has of them, or a receive asks for. */
export interface Attributes {
  /** As JSON; empty: there are none. */
  json: string;
  /** Empty: there are none. */
  md5: string;
  /** Of names, types and values. */
  bytes: number;
}

const none: Attributes = { json: "", md5: "", bytes: 0 };

const mostAttributes = 10;
const longestName = 256;
const longestType = 256;

interface Attribute {
  name: string;
  type: string;
  value: string | Uint8Array;
}

export function readAttributes(map: Input | undefined): Attributes {
  if (map === undefined) return none;
  const names = Object.keys(map);
  if (names.length === 0) return none;
  if (names.length > mostAttributes) {
    throw wrong(`Number of message attributes [${names.length}] exceeds the allowed maximum [${mostAttributes}].`);
  }
  const attributes = names.sort().map((name) => readAttribute(name, map[name]));
  return { json: toJson(attributes), ...digestOf(attributes) };
}

/** What was read, and nothing else that came with it: `bytes` counts all that is kept. */
function toJson(attributes: readonly Attribute[]): string {
  const members = attributes.map(({ name, type, value }) => {
    const member = typeof value === "string" ? "StringValue" : "BinaryValue";
    const text = typeof value === "string" ? value : Buffer.from(value).toString("base64");
    return `${JSON.stringify(name)}:{"DataType":${JSON.stringify(type)},"${member}":${JSON.stringify(text)}}`;
  });
  return `{${members.join(",")}}`;
}

/** Those of a message that were asked for, by name or by the start of names (`foo.*`). */
export function chooseAttributes(all: Attributes, wanted: readonly string[]): Attributes {
  if (all.json === "") return none;
  const isWanted = (name: string): boolean =>
    wanted.some((each) => (each.endsWith(".*") ? name.startsWith(each.slice(0, -2)) : name === each));
  const stored: Input = JSON.parse(all.json);
  return readAttributes(Object.fromEntries(Object.entries(stored).filter(([name]) => isWanted(name))));
}

function readAttribute(name: string, given: unknown): Attribute {
  if (!isName(name)) {
    const allowed = "alphanumeric characters, hyphens, underscores and single periods";
    throw wrong(`Message (user) attribute name '${name}' is invalid: it has ${allowed}, and 256 at most.`);
  }
  if (!isInput(given)) throw unreadable("MessageAttributes", "a map of maps");
  const type = textOf(given, "DataType") ?? "";
  if (type === "") throw wrong(`The message attribute '${name}' must contain non-empty message attribute type.`);
  const dot = type.indexOf(".");
  const kind = dot < 0 ? type : type.slice(0, dot);
  if (!(kind === "String" || kind === "Number" || kind === "Binary") || !isWord(type, longestType, ".")) {
    const supported = "You must use only the following supported type prefixes: Binary, Number, String.";
    throw wrong(`The type of message (user) attribute '${name}' is invalid. ${supported}`);
  }
  const text = textOf(given, kind === "Binary" ? "BinaryValue" : "StringValue") ?? "";
  const value = kind === "Binary" ? Buffer.from(text, "base64") : text;
  if (value.length === 0) {
    throw wrong(`Message (user) attribute '${name}' must contain a non-empty value of type '${kind}'.`);
  }
  if (kind === "Binary") return { name, type, value };
  if (kind === "Number" && (text.trim() === "" || !Number.isFinite(Number(text)))) {
    throw wrong(`Can't cast the value of message (user) attribute '${name}' to a number.`);
  }
  if (hasForbidden(text)) throw wrong(`Message (user) attribute '${name}': ${allowedCharacters}`);
  return { name, type, value: text };
}

/** Names come again and again: those of the last thousand that were right are not looked at twice. */
const knownNames = new Set<string>();
const mostKnownNames = 1000;

function isName(name: string): boolean {
  if (knownNames.has(name)) return true;
  if (!isAllowedName(name)) return false;
  if (knownNames.size === mostKnownNames) knownNames.clear();
  knownNames.add(name);
  return true;
}

function isAllowedName(name: string): boolean {
  if (!isWord(name, longestName, ".") || name.startsWith(".") || name.endsWith(".") || name.includes(".."))
    return false;
  const start = name.slice(0, "amazon.".length).toLowerCase();
  return start !== "amazon." && !start.startsWith("aws.");
}

const wrong = (message: string): SqsError => new SqsError("InvalidParameterValue", message);

export const allowedCharacters =
  "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF";

/** W3C, XML 1.0, "Characters": what a body and a text value may not have. */
export function hasForbidden(text: string): boolean {
  return forbidden.test(text) || !text.isWellFormed();
}
const forbidden = /[^\t\n\r -\ufffd]/;

/** A length, thrice, and the byte that tells text from bytes. */
const framingBytes = 3 * 4 + 1;
let buffer = Buffer.alloc(4096);

/** In the order of their names. */
function digestOf(attributes: readonly Attribute[]): { md5: string; bytes: number } {
  let bytes = 0;
  for (const { name, type, value } of attributes) {
    bytes += name.length + type.length + (typeof value === "string" ? Buffer.byteLength(value) : value.byteLength);
  }
  const needed = bytes + attributes.length * framingBytes;
  if (needed > buffer.byteLength) buffer = Buffer.alloc(2 * needed);
  let at = 0;
  for (const { name, type, value } of attributes) {
    at = writeText(type, writeText(name, at));
    const isText = typeof value === "string";
    buffer[at] = isText ? 1 : 2;
    at = isText ? writeText(value, at + 1) : writeBytes(value, at + 1);
  }
  return { md5: hash("md5", buffer.subarray(0, at), "hex"), bytes };
}

/** Its length, and it. Gives the place behind. */
function writeText(text: string, at: number): number {
  const length = buffer.write(text, at + 4);
  buffer.writeUInt32BE(length, at);
  return at + 4 + length;
}

function writeBytes(bytes: Uint8Array, at: number): number {
  buffer.set(bytes, at + 4);
  buffer.writeUInt32BE(bytes.byteLength, at);
  return at + 4 + bytes.byteLength;
}
