/**
 * What a task died of, in few letters: deaths whose errors differ only in what names one order, one user or one moment
 * have the same fingerprint. Pure; what it gives is kept with the dead, so a change of it begins new groups.
 */

import { createHash } from "node:crypto";

/** Read of a longer message, and kept of its pattern. */
const maxReadChars = 4000;
const maxKeptChars = 250;

/** Gives what stands in place of `found`, or of a part of it. */
type Naming = (found: string, as: (name: string) => string) => string;

function named(name: string): Naming {
  return (_found, as) => as(name);
}

const months = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}";
const clock = String.raw`\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\b\.?)?`;
const zone = String.raw`(?: ?(?:Z|UTC|GMT)\b)?(?: ?[+-]\d\d:?(?:\d\d)?)?(?: \([A-Z][^)]{0,40}\))?`;
const units = [
  "[nµum]s|milliseconds?|microseconds?|nanoseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|weeks?",
  "months?|years?|b|bytes?|[kmgtp]i?b|[kmgt]|bits?|characters?|chars?",
].join("|");
const files = [
  "pdf|csv|tsv|txt|jpe?g|png|gif|webp|svg|zip|gz|tar|tgz|log|tmp|bak|html?|mp[34]|mov|wav|docx?|xlsx?|pptx?|parquet",
  "avro|xml|ya?ml|json|sql|sqlite|db|dat|bin|eml|ics",
].join("|");
/** Behind a path: the line and the column. */
const line = String.raw`(?::\d+){0,2}`;
const pathChar = "[^\\s\"'`<>()\\[\\]{},;:|*?\\\\]";

/** In this order: what one finds is nothing for those that follow. */
const variables: readonly (readonly [found: RegExp, naming: Naming])[] = [
  [/\b[a-z][a-z0-9+.-]{0,20}:\/\/(?:[^\s"'`<>)\]},]|,(?=\S))+/gi, named("<url>")],
  [/\barn:[\w-]*:[\w-]*:[\w-]*:\w*:[^\s"'`<>()[\]{},;]*[\w/*]/g, named("<arn>")],
  // JSON in base64url, as JWTs (RFC 7519) begin: up to five parts, of which one may be empty.
  [/(?<![\w.-])eyJ[\w-]{4,}(?:\.{1,2}[\w-]+){0,4}/g, named("<id>")],
  [/"(?:[^"\\]|\\.)*"|`[^`]*`|“[^”]*”|«[^»]*»|„[^“”]*[“”]|‘[^’]*’(?!\w)/g, named("<text>")],
  // An apostrophe within a word is none that opens a quotation.
  [/(?<!\w)'[^']*'(?!\w)/g, named("<text>")],
  [
    new RegExp(String.raw`(?<![\w<>/.:~\\-])(?:~|\.{1,2})?/${pathChar}+(?:\?[^\s"'<>\x60]*)?${line}`, "g"),
    named("<path>"),
  ],
  [
    new RegExp(
      String.raw`(?:(?<![\w\\])(?:[A-Za-z]:[\\/]|\\\\)[^\s"'<>|:*?]*|(?<![\w.@\\-])[\w.@-]+(?:\\[\w.@-]+)+)${line}`,
      "g",
    ),
    named("<path>"),
  ],
  [
    new RegExp(
      String.raw`(?<![\w.@+/-])(?:[\w.@+-]+(?:/[\w.@+-]+){3,}|(?:[\w.@+-]+/)+[\w.@+-]*\.[a-zA-Z]\w{0,4}(?![\w/+-])|[\w.@+-]+\.(?:${files})(?![\w/-]))${line}`,
      "g",
    ),
    named("<path>"),
  ],
  [/[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+/g, named("<email>")],
  [/(?<![0-9a-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-z])/gi, named("<id>")],
  [new RegExp(String.raw`\b\d{4}[-/]\d\d?[-/]\d\d?(?:(?:[Tt ]| at )${clock}${zone})?(?!\w)`, "g"), named("<time>")],
  [new RegExp(String.raw`\b\d\d?[-/. ]${months}[-/. ]\d{2,4}(?:[ :]${clock}${zone})?(?!\w)`, "g"), named("<time>")],
  [
    new RegExp(String.raw`\b${months} \d\d?,?(?: \d{4})?(?:,? ${clock}${zone})?(?: \d{4})?(?!\w)`, "g"),
    named("<time>"),
  ],
  [/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? (?=<)/g, () => ""],
  [new RegExp(String.raw`(?<![\w:.>])${clock}(?!\w|:[\w:])`, "g"), named("<time>")],
  [/\bP(?=\d|T\d)(?:\d+[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?(?!\w)/g, named("<n>")],
  [/(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?(?::\d+)?(?![\w.]*\w)/g, named("<ip>")],
  [
    /(?<![\w:>])\[?(?=[0-9a-f:]{0,39}\d|::)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,8}(?<![0-9a-f]:)(?:%\w+)?\]?(?::\d+)?(?!\w|:[0-9a-f])/gi,
    named("<ip>"),
  ],
  [/(?<![A-Za-z0-9])[A-Za-z0-9]+(?:[-_]+[A-Za-z0-9]+)*/g, nameToken],
  // With its sign, its exponent and its unit.
  [/(?<![\w)\]>-])[+-](?=\d)/g, () => ""],
  [
    new RegExp(
      String.raw`(?<![A-Za-z0-9])\d+(?:[.,:/_]\d+)*(?:e[+-]?\d+)?(?:(?:[a-zµ]{1,5}\d*){1,4}(?![A-Za-z0-9])| ?(?:${units})(?![A-Za-z0-9]))?`,
      "gi",
    ),
    named("<n>"),
  ],
];

/** Words whose digits say what they are. */
const wordsWithDigits =
  /^(?:u?int|float|sha|md|utf|base|ipv|http|oauth|tls|ssl|crc|blake|arm|amd|win|mp|es|rfc|iso)\d+$/i;

/** Letters and digits joined by `-` and `_`: the first piece that no language has, and what follows, is an id. */
function nameToken(token: string, as: (name: string) => string): string {
  const pieces = token.split(/([-_]+)/);
  const random = pieces.findIndex(isRandom);
  if (random < 0) return pieces.map((piece) => withoutNumber(piece, as)).join("");
  const words = pieces.slice(0, random).findIndex((piece) => !/^(?:[a-z]{2,}|[A-Z]{2,}|[-_]+)$/.test(piece));
  return `${pieces.slice(0, words < 0 ? random : words).join("")}${as("<id>")}`;
}

/** `order17`; not `E11000`, a code, nor `utf8`. */
function withoutNumber(piece: string, as: (name: string) => string): string {
  const [, word] = /^([A-Z]?[a-z]{2,})\d+$/.exec(piece) ?? [];
  return word === undefined || wordsWithDigits.test(piece) ? piece : `${word}${as("<n>")}`;
}

function isRandom(piece: string): boolean {
  // No word of a language has eight letters from a to f.
  if (/^(?=\d*[a-f])(?:0x)?[0-9a-f]{8,}$/i.test(piece)) return true;
  if (piece.length < 6 || !/[A-Za-z]/.test(piece) || (piece.length < 20 && !/\d/.test(piece))) return false;
  if (/\d[A-Za-z]+\d/.test(piece)) return true;
  if (/^(?=\D*\d)(?:[0-9A-Z]{20,}|[0-9a-z]{20,})$/.test(piece)) return true;
  // Words in camel case have long parts.
  const parts = piece.match(/[A-Z]?[a-z]+|[A-Z]+|\d+/g)?.length ?? 1;
  return piece.length >= 8 && piece.length / parts < 3;
}

function withNames(message: string, as: (name: string) => string): string {
  const read = message.slice(0, maxReadChars).toWellFormed();
  const text = variables.reduce((left, [found, naming]) => left.replace(found, (match) => naming(match, as)), read);
  // A quotation that was cut off.
  const whole = message.length > maxReadChars ? text.replace(/["`“][^"`”]*$/, as("<text>")) : text;
  return whole.replace(/\s+/g, " ").trim();
}

/** The message with a name in place of each number, id, address, path, time and quotation. */
export function toPattern(message: string): string {
  return withNames(message, (name) => name)
    .slice(0, maxKeptChars)
    .toWellFormed();
}

/** 12 hexadecimal digits; the same for every task type. Several variables in a row are one: a list may be of any length. */
export function deadGroupOf({ type, message }: { type: string; message: string }): string {
  const pattern = withNames(message, () => "<>").replace(/<>(?:[\s,;|/&:.+-]*<>)+/g, "<>");
  const text = `${type.slice(0, maxReadChars)}\n${pattern.slice(0, maxKeptChars)}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

export const deadGroupPattern = /^[0-9a-f]{12}$/;

/** What stands for the error of a task that died without one: the broker gave it up. */
export function errorOfDeath(error: { type: string; message: string } | null, reason: string) {
  return error ?? { type: reason, message: "" };
}
