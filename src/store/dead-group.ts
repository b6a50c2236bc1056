/**
 * What a task died of, in few letters: deaths whose errors differ only in what names one order, one user or one moment
 * have the same fingerprint. Pure; what it gives is kept with the dead, so a change of it begins new groups.
 */

import { createHash } from "node:crypto";

/** What is left of a longer message, before and after. */
const maxReadChars = 1000;
const maxKeptChars = 250;

/** In this order: what one finds is nothing for those that follow. */
const variables: readonly (readonly [found: RegExp, name: string])[] = [
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'`<>)\]},]+/gi, "<url>"],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, "<email>"],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, "<id>"],
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b/g, "<time>"],
  [/"(?:[^"\\]|\\.)*"|`[^`]*`/g, "<text>"],
  // An apostrophe within a word is none that opens a quotation.
  [/(?<!\w)'[^']*'(?!\w)/g, "<text>"],
  [/(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.])/g, "<ip>"],
  [/\b0x[0-9a-f]+\b|(?<![A-Za-z0-9])(?=[a-f]*\d)[0-9a-f]{8,}(?![A-Za-z0-9])/gi, "<hex>"],
  // Letters among digits: no word of a language.
  [/(?<![A-Za-z0-9])(?=[A-Za-z]*\d+[A-Za-z]+\d)[A-Za-z0-9]{6,}(?![A-Za-z0-9])/g, "<id>"],
  // Those of `E11000` and `utf8` belong to their word.
  [/(?<![A-Za-z0-9])\d+(?:[.,:]\d+)*/g, "<n>"],
];

/** The message with a name in place of each number, id, address, time and quotation. */
export function toPattern(message: string): string {
  const read = message.slice(0, maxReadChars).toWellFormed();
  const named = variables.reduce((text, [found, name]) => text.replace(found, name), read);
  return named.replace(/\s+/g, " ").trim().slice(0, maxKeptChars).toWellFormed();
}

/** 12 hexadecimal digits; the same for every task type. */
export function deadGroupOf({ type, message }: { type: string; message: string }): string {
  const text = `${type.slice(0, maxReadChars)}\n${toPattern(message)}`;
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}

export const deadGroupPattern = /^[0-9a-f]{12}$/;

/** What stands for the error of a task that died without one: the broker gave it up. */
export function errorOfDeath(error: { type: string; message: string } | null, reason: string) {
  return error ?? { type: reason, message: "" };
}
