/** Numbers of JSON text that JavaScript cannot hold: which they are, and where. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { inspectJson, lostNumbers } from "../../src/words/json-text.ts";

const kept = [
  ...["0", "-0", "0.0", "7", "0.1", "1.50", "100.00", "1e2", "1E+2", "1e21", "1e-7", "12e00002", "0e99999"],
  ...["9007199254740991", "9007199254740992", "-9007199254740994", "100000000000000000000", "1.00000000000000000000"],
  ...["3.141592653589793", "0.30000000000000004", "5e-324", "1.7976931348623157e308", "2.2250738585072014E-308"],
  // What `%.17g` prints of a double.
  ...["0.10000000000000001", "0.79999999999999993", "5.6843418860808015E-14"],
];

const lost = [
  ...["9007199254740993", "-9007199254740993", "1970670598291982290", "9223372036854775807", "9223372036854775808"],
  ...["18446744073709551615", "12345678901234567890123", "9007199254740993.0", "1e400", "1E400", "-1e400", "1e-400"],
  ...["3.141592653589793238", "0.12345678901234567890", "99999999999999.99", "12345678901234.567", "4.9E-324"],
  ...["1.7976931348623158e308", "1.00000000000000000001", "99999999999999984"],
];

/** In every place that a number can have. */
const places: [text: (number: string) => string, pointer: string][] = [
  [(number) => number, ""],
  [(number) => ` [ ${number} ] `, "/0"],
  [(number) => `[1,"2",[],{"a":3},${number}]`, "/4"],
  [(number) => `{"a":[{"b":1},{"b":${number}}],"c":2}`, "/a/1/b"],
  [(number) => `{"9007199254740993":{"a/b~c\\"[{,":${number}}}`, '/9007199254740993/a~1b~0c"[{,'],
];

describe.each(places)("a number in its place %#", (textOf, pointer) => {
  test("that JavaScript holds is nothing to tell of", () => {
    for (const number of kept) {
      expect([number, inspectJson(textOf(number), 9), [...lostNumbers(textOf(number))]]).toEqual([
        number,
        undefined,
        [],
      ]);
    }
  });

  test("that JavaScript cannot hold is told with its pointer", () => {
    for (const number of lost) {
      const detail = `the number ${number} cannot be kept: it would become ${Number(number)}; send it as a string`;
      expect(inspectJson(textOf(number), 9)).toBe("loses_numbers");
      expect([...lostNumbers(textOf(number))]).toEqual([{ pointer, detail }]);
    }
  });
});

test("numbers within texts and names are none", () => {
  const text = JSON.stringify({ "1e400": ["9007199254740993", '"1e400', "\\", "\\\\1e400"] });
  expect(inspectJson(text, 9)).toBeUndefined();
  expect([...lostNumbers(text)]).toEqual([]);
});

test("what JavaScript writes itself is never refused", () => {
  fc.assert(
    fc.property(
      fc.json({ maxDepth: 5 }),
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })),
      (json, doubles) => {
        const text = JSON.stringify([JSON.parse(json), doubles, doubles.map(Math.trunc)]);
        expect(inspectJson(text, 64)).toBeUndefined();
      },
    ),
  );
});

/** The decimal value, in units of 10^-400. */
function exactly(literal: string): bigint {
  const [mantissa = "", exponent = "0"] = literal.toLowerCase().replace(/^-/, "").split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return BigInt(whole + fraction) * 10n ** BigInt(400 + Number(exponent) - fraction.length);
}

test("an integer is kept exactly when it comes back with the same value", () => {
  const literals = fc.oneof(fc.bigInt(), fc.bigInt({ min: 2n ** 52n, max: 2n ** 70n }));
  fc.assert(
    fc.property(literals, (integer) => {
      const literal = String(integer);
      const isSame = exactly(literal) === exactly(String(Math.abs(Number(literal))).replace("+", ""));
      expect([literal, inspectJson(literal, 1)]).toEqual([literal, isSame ? undefined : "loses_numbers"]);
    }),
  );
});

test("a decimal that is kept comes back with the same value, or is a double in 17 digits", () => {
  const digits = fc.stringMatching(/^[0-9]{1,22}$/);
  fc.assert(
    fc.property(fc.nat({ max: 99_999 }), digits, fc.integer({ min: -30, max: 30 }), (whole, fraction, exponent) => {
      const literal = `${whole}.${fraction}e${exponent}`;
      const number = Number(literal);
      const isSame = exactly(literal) === exactly(String(number).replace("+", ""));
      const isDouble = number < 2 ** 53 && exactly(literal) === exactly(number.toPrecision(17).replace("+", ""));
      expect([literal, inspectJson(literal, 1)]).toEqual([literal, isSame || isDouble ? undefined : "loses_numbers"]);
    }),
  );
});
