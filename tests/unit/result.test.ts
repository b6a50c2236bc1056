/** A result is what the handler returned, as JSON holds it, or is refused with its place: never less without a word. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ResultError, toResultText } from "../../src/worker/handlers/result.ts";
import { anyText, anyUnit, wellFormed } from "../support/any-text.ts";

const maxBytes = 1_000_000;

function hasHalfName(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([name, member]) => !name.isWellFormed() || hasHalfName(member));
}

function refusalOf(value: unknown, limit = maxBytes): ResultError {
  try {
    const { text } = toResultText(value, limit);
    throw new Error(`it was taken as ${text.slice(0, 200)}`);
  } catch (error) {
    if (error instanceof ResultError) return error;
    throw error;
  }
}

class Invoice {
  total = 5;
  #secret = 1;
  secret = undefined;
  reveal(): number {
    return this.#secret;
  }
}

class Sealed {
  #value = 1;
  reveal(): number {
    return this.#value;
  }
}

const method = "then";
const thenable = { [method]: () => 1 };

describe("a result", () => {
  const taken: [what: string, value: unknown, json: unknown][] = [
    ["nothing", undefined, null],
    ["members that are undefined, left out", { a: undefined, b: 1 }, { b: 1 }],
    ["a date", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["an instance of a class, its fields", new Invoice(), { total: 5 }],
    [
      "what toJSON gives",
      { url: new URL("http://a/b"), own: { toJSON: (name: string) => [name] } },
      { url: "http://a/b", own: ["own"] },
    ],
    ["a buffer, as it says itself", Buffer.from("a"), { type: "Buffer", data: [97] }],
    ["wrappers", [Object(1), Object("a"), Object(false)], [1, "a", false]],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ["a name such as __proto__", JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
    ["halves of pairs in texts", ["\ud83d", "a\ude00"], ["\ufffd", "a\ufffd"]],
    ["the same object twice", Array(2).fill({ a: [1] }), [{ a: [1] }, { a: [1] }]],
    ["nothing in it", [{}, [], "", 0, -0, null], [{}, [], "", 0, 0, null]],
  ];

  test.each(taken)("is %s", (_, value, json) => {
    expect(JSON.parse(toResultText(value, maxBytes).text)).toEqual(json);
  });

  test.each([
    ["an item that is undefined", [1, undefined], "[1,null]", ["/1"]],
    ["a hole", Object.assign([], { 1: "b" }), '[null,"b"]', ["/0"]],
    ["a method beside its data", { id: 7, "a/b": { send: () => 1, n: 1 } }, '{"id":7,"a/b":{"n":1}}', ["/a~1b/send"]],
    ["a symbol beside its data", { id: 7, kind: Symbol("s") }, '{"id":7}', ["/kind"]],
  ])("that has %s names what is left out", (_, value, text, leftOut) => {
    expect(toResultText(value, maxBytes)).toEqual({ text, leftOut });
  });

  const round: Record<string, unknown> = {};
  round.list = [round];
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const fail = (): never => {
    throw new Error("no luck");
  };
  const throwHostile = (): never => {
    throw new Proxy({}, { getPrototypeOf: fail });
  };
  const deep = Array(65)
    .fill(0)
    .reduce((inner: unknown) => [inner], 0);

  const refused: [what: string, value: unknown, why: RegExp][] = [
    ["a function", () => 1, /JSON: it is a function/],
    ["a symbol", Symbol("s"), /it is a symbol/],
    ["a toJSON that gives nothing", { toJSON() {} }, /it is an object whose toJSON gives nothing/],
    ["a toJSON that gives a function", { toJSON: () => fail }, /it is an object whose toJSON gives nothing/],
    ["a toJSON that gives a symbol, in a list", [{ toJSON: () => Symbol("s") }], /at \/0 is an object whose toJSON/],
    ["a Map", { users: new Map([[1, 2]]) }, /at \/users is of the kind Map.*Object\.fromEntries/],
    ["a Set", [new Set([1])], /at \/0 is of the kind Set.*\[\.\.\.set\]/],
    ["a Map with a field of its own", Object.assign(new Map(), { a: 1 }), /kind Map/],
    ["a promise", { user: Promise.resolve(1) }, /at \/user is a promise: await it/],
    ["another thenable", { user: thenable }, /at \/user\/then is a method of a promise/],
    ["a response", Response.json({ a: 1 }), /kind Response.*json\(\)/],
    ["an error", { reasons: [new TypeError("x")] }, /at \/reasons\/0 is of the kind Error.*throw it/],
    ["an error with a code", Object.assign(new Error("x"), { code: "E" }), /kind Error/],
    ["bytes", { bytes: new Uint8Array(2) }, /kind Uint8Array.*base64/],
    ["an ArrayBuffer", new ArrayBuffer(2), /kind ArrayBuffer/],
    ["an iterator", new Map([[1, 2]]).values(), /kind Map Iterator/],
    [
      "a generator",
      (function* () {
        yield 1;
      })(),
      /kind Generator/,
    ],
    [
      "an async generator",
      (async function* () {
        yield 1;
      })(),
      /kind AsyncGenerator/,
    ],
    ["a pattern", /a/, /kind RegExp/],
    ["a class that hides all", { amount: new Sealed() }, /at \/amount is of the kind Sealed/],
    ["nothing but methods", { client: { send: () => 1 } }, /at \/client is of the kind Object/],
    ["nothing but symbols", { [Symbol("a")]: 1 }, /it is of the kind Object/],
    ["a function in a list", [() => 1], /at \/0 is a function/],
    ["no number", { total: Number.NaN }, /at \/total is NaN/],
    ["infinity", [-Infinity], /at \/0 is -Infinity/],
    ["a bigint", { n: 1n }, /at \/n is a bigint: return String/],
    ["an invalid date", { at: new Date(Number.NaN) }, /at \/at is an invalid Date/],
    ["itself", round, /at \/list\/0 leads back to itself/],
    ["more than 64 levels", deep, /more than 64 levels deep/],
    ["a toJSON that throws what cannot be asked", { toJSON: throwHostile }, /^the result cannot .* it cannot be read/],
    ["half a pair in a name", { "\ud800": 1, "\ud801": 2 }, /at \/.* has half a surrogate pair in its name/],
    ["half a pair in a name within", { a: [{ "b\udfff": 1 }] }, /at \/a\/0\/b.* has half a surrogate pair/],
    ["half a pair in a name that toJSON gives", { a: { toJSON: () => ({ "\ud83d": 1 }) } }, /has half a surrogate/],
    ["a toJSON that throws", { a: [{ toJSON: fail }] }, /at \/a\/0 cannot be read: no luck/],
    [
      "a getter that throws",
      { a: Object.defineProperty({}, "b", { get: fail, enumerable: true }) },
      /\/a\/b cannot be read: no luck/,
    ],
    ["a revoked Proxy", { a: revoked.proxy }, /at \/a cannot be read/],
  ];

  test.each(refused)("that is or holds %s is refused", (_, value, why) => {
    const { code, message } = refusalOf(value);
    expect(code).toBe("invalid_result");
    expect(message).toMatch(why);
  });

  test.each([
    ["a text", "x".repeat(999), 1000, "1001 bytes"],
    ["a text of characters of three bytes", "語".repeat(400), 1000, "1202 bytes"],
    ["a list without an end", Array(1e9), 1000, "more than 8000 bytes"],
    ["a few objects, shared again and again", shared(40), 1000, "more than 8000 bytes"],
  ])("that is larger than its limit is refused with its size: %s", (_, value, limit, size) => {
    const { code, message } = refusalOf(value, limit);
    expect([code, message.includes(size), message.includes("--max-result allows 1000")]).toEqual([
      "result_too_large",
      true,
      true,
    ]);
  });

  test("that has as many bytes as it may is taken", () => {
    expect(toResultText("x".repeat(998), 1000).text.length).toBe(1000);
  });

  test("of plain JSON is the text that JSON.stringify makes of it, halves of pairs aside", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: anyUnit }), anyText(), (value, text) => {
        const returned = { value, text, list: [value, text] };
        if (hasHalfName(value)) return expect(refusalOf(returned).code).toBe("invalid_result");
        expect(toResultText(returned, maxBytes).text).toBe(JSON.stringify(wellFormed(returned)));
      }),
    );
  });

  test("of any value is JSON of that value, or a refusal that is bounded", () => {
    const anyValue = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withNullPrototype: true,
      withObjectString: true,
      withBoxedValues: true,
    });
    fc.assert(
      fc.property(anyValue, (value) => {
        let text: string;
        try {
          text = toResultText(value, 10_000).text;
        } catch (error) {
          expect(error).toBeInstanceOf(ResultError);
          return;
        }
        expect(JSON.parse(text)).toEqual(JSON.parse((JSON.stringify(value) ?? "null").toWellFormed()));
      }),
    );
  });
});

/** A value of few objects, of which JSON makes 2 to the power of `levels`. */
function shared(levels: number): unknown {
  return Array(levels)
    .fill(0)
    .reduce((inner: unknown) => [inner, inner], "x");
}
