/** Any text that a program can hold, as users and strangers send it. */

import fc from "fast-check";

/** What formats break at, one in two; else any unit of UTF-16, halves of characters too. */
export const anyUnit = fc.oneof(
  fc.constantFrom("\n", "\r", "\0", '"', "\\", "\u2028", "\ud83d", ",", ";", "=", "%", "{", "}", " ", "é", "😀"),
  fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code)),
);

/** fast-check's own `binary` takes a second to set up. */
export function anyText(constraints: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.string({ ...constraints, unit: anyUnit });
}

/** A value of JSON with U+FFFD for each half of a character, in its texts and names. */
export function wellFormed<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, part) => {
    if (typeof part === "string") return part.toWellFormed();
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([name, member]) => [name.toWellFormed(), member]));
  });
}
