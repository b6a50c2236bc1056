import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createRedaction } from "../../src/telemetry/logs/redact.ts";
import { toLogged, toPrinted } from "../../src/worker/handlers/handler-log.ts";

const redaction = createRedaction();

/** What is on the line, as JSON has it. */
function said(...given: unknown[]): { msg: string; fields?: Record<string, unknown> } {
  return JSON.parse(JSON.stringify(toLogged(given, redaction)));
}

function printed(...given: unknown[]): unknown {
  return JSON.parse(JSON.stringify(toPrinted(given, redaction)));
}

const declined = new TypeError("declined", { cause: new Error("limit") });
const error = { type: "TypeError", message: "declined", stack: expect.any(String), causes: ["Error: limit"] };
const throwing = {
  get order() {
    throw new Error("no");
  },
  id: 7,
};
const untouchable = new Proxy(
  {},
  Object.fromEntries(
    Object.getOwnPropertyNames(Reflect).map((trap) => [
      trap,
      () => {
        throw new Error(trap);
      },
    ]),
  ),
);
const revoked = Proxy.revocable([], {});
revoked.revoke();
const round: unknown[] = [1];
round.push(round);

describe("what ctx.log is given", () => {
  test.each<[string, unknown[], unknown]>([
    ["a message and fields", ["paid", { order: 7 }], { msg: "paid", fields: { order: 7 } }],
    ["fields and a message", [{ order: 7 }, "paid"], { msg: "paid", fields: { order: 7 } }],
    ["a message and an error", ["charge failed", declined], { msg: "charge failed", fields: { error } }],
    ["an error and a message", [declined, "charge failed"], { msg: "charge failed", fields: { error } }],
    ["an error alone", [declined], { msg: "declined", fields: { error } }],
    ["an error as err", [{ err: declined }, "charge failed"], { msg: "charge failed", fields: { error } }],
    ["an error among fields", ["a", { at: 1, error: declined }], { msg: "a", fields: { at: 1, error } }],
    ["a text as error", ["a", { error: "b" }], { msg: "a", fields: { error: { type: "Error", message: "b" } } }],
    ["an error deep in fields", ["a", { of: { it: [declined] } }], { msg: "a", fields: { of: { it: [error] } } }],
    ["an error in a Map", ["a", new Map([["it", declined]])], { msg: "a", fields: { args: [{ it: error }] } }],
    ["message, error and fields", ["a", declined, { at: 1 }], { msg: "a", fields: { at: 1, error } }],
    ["two errors", [declined, declined], { msg: "declined", fields: { args: [error], error } }],
    ["two objects", ["a", { at: 1 }, { at: 2 }], { msg: "a", fields: { at: 1, args: [{ at: 2 }] } }],
    ["two texts", ["login", "password=hunter2"], { msg: "login", fields: { args: ["password=hunter2"] } }],
    ["a text in an object", ["login", Object("ann")], { msg: "login", fields: { args: ["ann"] } }],
    ["printf's words", ["%s of %d: %j", "1", 2, { a: 3 }, 4], { msg: '1 of 2: {"a":3}', fields: { args: [4] } }],
    ["printf's words for an error", ["no: %s", declined], { msg: "no: declined", fields: { error } }],
    ["a share and no values", ["100% done"], { msg: "100% done" }],
    ["a list", ["list", ["a", { token: "x" }]], { msg: "list", fields: { args: [["a", { token: "REDACTED" }]] } }],
    ["null", ["odd", null], { msg: "odd", fields: { args: [null] } }],
    ["undefined", ["odd", undefined], { msg: "odd" }],
    ["nothing", [], { msg: "" }],
    ["undefined alone", [undefined], { msg: "undefined" }],
    ["a bigint alone", [2n ** 64n], { msg: "18446744073709551616" }],
    ["a symbol and fields", [Symbol("x"), { a: 1 }], { msg: "Symbol(x)", fields: { a: 1 } }],
    ["a function", ["a", function act() {}], { msg: "a", fields: { args: ["[function act]"] } }],
    ["fields alone, as pino has them", [{ msg: "paid", order: 7 }], { msg: "paid", fields: { msg: "paid", order: 7 } }],
    ["a Set", ["a", new Set([1, "b"])], { msg: "a", fields: { args: [[1, "b"]] } }],
    [
      "headers",
      ["a", new Headers({ cookie: "x", a: "1" })],
      { msg: "a", fields: { args: [{ a: "1", cookie: "REDACTED" }] } },
    ],
    ["a promise", ["a", Promise.resolve(1)], { msg: "a", fields: { args: ["[Promise]"] } }],
    ["what is no number", ["a", { share: Number.NaN }], { msg: "a", fields: { share: "NaN" } }],
    ["a symbol in fields", ["a", { of: Symbol("x") }], { msg: "a", fields: { of: "Symbol(x)" } }],
    ["a getter that throws", ["a", throwing], { msg: "a", fields: { order: "[unreadable]", id: 7 } }],
    ["an object without a text", [{ toString: 1, toJSON: 2 }], { msg: "", fields: { toString: 1, toJSON: 2 } }],
    [
      "a Proxy that throws",
      ["a", untouchable, { it: untouchable }],
      { msg: "a", fields: { it: "[unreadable]", args: ["[unreadable]"] } },
    ],
    ["a Proxy that is revoked", ["a", revoked.proxy], { msg: "a", fields: { args: ["[unreadable]"] } }],
    ["a list in itself", ["a", round], { msg: "a", fields: { args: [[1, "[circular]"]] } }],
  ])("is all on the line: %s", (_, given, line) => {
    expect<unknown>(said(...given)).toEqual(line);
  });

  // Functions that give them: fast-check looks into values, and some of these let nobody do that.
  const anything = fc.oneof(
    fc
      .anything({
        ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
        ...{ withNullPrototype: true, withBoxedValues: true },
      })
      .map((value) => () => value),
    fc.string({ unit: "binary" }).map((text) => () => text),
    fc.constantFrom<() => unknown>(
      () => declined,
      () => ({ err: declined }),
      () => throwing,
      () => untouchable,
      () => new Error("cause", { cause: untouchable }),
      () => revoked.proxy,
      () => round,
      () => Symbol.iterator,
      () => said,
      () => Promise.resolve(),
    ),
    fc.anything().map((cause) => () => new Error("with a cause", { cause })),
  );

  test("is a bounded line that JSON holds, whatever it is", () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 5 }), (makers) => {
        const given = makers.map((make) => make());
        for (const tell of [toLogged, toPrinted]) {
          const line = tell(given, redaction);
          const text = JSON.stringify(line);
          expect(typeof line.msg).toBe("string");
          expect(text.length).toBeLessThan(200_000);
          expect(text).not.toContain("[object Object]");
          if (given.includes(declined)) expect(text).toContain('"type":"TypeError","message":"declined"');
        }
      }),
    );
  });

  test("has no field for each letter of a text", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.array(fc.string(), { maxLength: 3 }), (first, more) => {
        const fields = toLogged([first, ...more], redaction).fields ?? {};
        expect(Object.keys(fields).filter((name) => name !== "args")).toEqual([]);
      }),
    );
  });

  test("keeps the reason where the fields are long", () => {
    const fields = { text: "x".repeat(100_000), list: Array.from({ length: 99 }, () => "y".repeat(1000)) };
    expect(said("a", fields, declined).fields).toMatchObject({ error });
    expect(JSON.stringify(said("a", fields, declined)).length).toBeLessThan(65_536);
  });
});

describe("what the console is given", () => {
  test.each<[string, unknown[], unknown]>([
    ["words", ["paid", 7, true, null, undefined, 5n], { msg: "paid 7 true null undefined 5" }],
    [
      "words and an object",
      ["user", 7, { id: 7, password: "x" }],
      { msg: "user 7", fields: { id: 7, password: "REDACTED" } },
    ],
    ["words and an error", ["failed:", declined], { msg: "failed:", fields: { error } }],
    ["a format", ["%s is %d", "a", 1], { msg: "a is 1" }],
    ["an object alone", [{ id: 7 }], { msg: "", fields: { id: 7 } }],
    ["nothing", [], { msg: "" }],
  ])("is all on the line: %s", (_, given, line) => {
    expect(printed(...given)).toEqual(line);
  });
});
