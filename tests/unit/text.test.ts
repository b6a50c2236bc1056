/** Whatever text comes, every protocol can carry what is left of it. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { cutText, toWellFormedJson } from "../../src/words/text.ts";
import { anyText, anyUnit, wellFormed } from "../support/any-text.ts";

/** Some text, long in characters of one and of two units. */
const pair = "\u{1f600}";

test.each([
  ["short", 5, "short"],
  ["longer", 5, "long…"],
  [pair, 2, pair],
  [`a${pair}${pair}`, 4, "a\u{1f600}…"],
  [`${pair}${pair}`, 3, `${pair}…`],
  [`ab${pair}${pair}`, 4, "ab…"],
  ["a\ud83d", 5, "a\ufffd"],
  ["\udc00\ud83dabc", 4, "\ufffd\ufffda…"],
])("%j cut at %d is %j", (text, maxLength, cut) => {
  expect(cutText(text, maxLength)).toBe(cut);
});

test("a text that was cut is well-formed, no longer than it may be, and the beginning of what it was", () => {
  fc.assert(
    fc.property(anyText(), fc.integer({ min: 1, max: 30 }), (text, maxLength) => {
      const cut = cutText(text, maxLength);
      expect(cut.isWellFormed()).toBe(true);
      expect(cut.length).toBeLessThanOrEqual(maxLength);
      expect(text.toWellFormed().startsWith(cut.length < text.length ? cut.slice(0, -1) : cut)).toBe(true);
    }),
  );
});

test.each([
  [String.raw`"\ud83d\ude00"`, pair],
  [String.raw`"\uD83D\uDE00 \uD83D"`, `${pair} \ufffd`],
  [String.raw`"\ude00\ud83d"`, "\ufffd\ufffd"],
  [String.raw`"\\ud83d"`, "\\ud83d"],
  [String.raw`"\\\ud83d"`, "\\\ufffd"],
  [String.raw`"\"\ud83d\""`, '"\ufffd"'],
  ['"\ud83d"', "\ufffd"],
])("the JSON text %j is read as %j", (json, value) => {
  expect(JSON.parse(toWellFormedJson(json))).toBe(value);
});

test("any JSON is read as it is, with U+FFFD for each half of a pair in its texts and names", () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: anyUnit }), fc.boolean(), (value, isEscaped) => {
      const written = JSON.stringify(value);
      const json = isEscaped ? written.replace(/[^\0-\x7f]/g, escaped) : written;
      const read: unknown = JSON.parse(toWellFormedJson(json));
      expect(read).toEqual(wellFormed(value));
      expect(JSON.stringify(read).isWellFormed()).toBe(true);
    }),
  );
});

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
