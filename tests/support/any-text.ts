/** Any text that a program can hold, as users and strangers send it. */

import fc from "fast-check";

/** What formats break at, one in two; else any unit of UTF-16, halves of characters too. */
const unit = fc.oneof(
  fc.constantFrom("\n", "\r", "\0", '"', "\\", "\u2028", "\ud83d", ",", ";", "=", "%", "{", "}", " ", "é", "😀"),
  fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code)),
);

/** fast-check's own `binary` takes a second to set up. */
export function anyText(constraints: { minLength?: number; maxLength?: number } = {}): fc.Arbitrary<string> {
  return fc.string({ ...constraints, unit });
}
