import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { toPlainFields } from "../../src/telemetry/logs/plain-fields.ts";
import { createRedaction } from "../../src/telemetry/logs/redact.ts";
import { TaskError } from "../../src/words/errors.ts";

const redaction = createRedaction();

function plain(fields: Record<string, unknown>, limit?: number): unknown {
  return JSON.parse(JSON.stringify(toPlainFields(fields, redaction, limit)));
}

/** An object in an object, so many levels. */
function nested(levels: number): Record<string, unknown> {
  let value: Record<string, unknown> = {};
  for (let n = 0; n < levels; n++) value = { in: value };
  return value;
}

describe("fields", () => {
  test("that JSON can hold are told as they are", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 20 }), fc.jsonValue({ maxDepth: 5 })), (fields) => {
        fc.pre(!/token|secret|session|cookie|password|:\/\//i.test(JSON.stringify(fields)));
        expect(plain(fields)).toEqual(JSON.parse(JSON.stringify(fields)));
      }),
    );
  });

  test("have no secrets, however deep", () => {
    const request = { headers: { Authorization: "Bearer x", "set-cookie": ["a", "b"] }, url: "http://a:b@c/" };
    expect(plain({ request, list: [{ password: "x", token: null }], apiKey: { id: 1 } })).toEqual({
      request: { headers: { Authorization: "REDACTED", "set-cookie": "REDACTED" }, url: "http://REDACTED:REDACTED@c/" },
      list: [{ password: "REDACTED", token: null }],
      apiKey: "REDACTED",
    });
  });

  test("that have no JSON of their own are told by what they are", () => {
    const round: Record<string, unknown> = { name: "round" };
    round.self = round;
    const twice = { a: 1 };
    class Money {
      toJSON() {
        return { amount: 5, secret: "x" };
      }
    }
    const given = {
      round,
      twice: [twice, twice],
      bytes: new Uint8Array(5),
      at: new Date(0),
      never: new Date(Number.NaN),
      money: new Money(),
      act: () => 1,
      error: new TaskError("unavailable", "away", { cause: new Error("refused http://a:b@c/") }),
    };
    expect(plain(given)).toEqual({
      round: { name: "round", self: "[circular]" },
      twice: [{ a: 1 }, { a: 1 }],
      bytes: "[5 bytes]",
      at: "1970-01-01T00:00:00.000Z",
      never: null,
      money: { amount: 5, secret: "REDACTED" },
      error: {
        type: "unavailable",
        message: "away",
        stack: expect.any(String),
        causes: ["Error: refused http://REDACTED:REDACTED@c/"],
      },
    });
  });

  test("that throw when they are read say so", () => {
    const given = {
      get broken() {
        throw new Error("no");
      },
    };
    expect(plain({ id: 7, given })).toEqual({ id: 7, given: { broken: "[unreadable]" } });
    expect(plain(given)).toEqual({ broken: "[unreadable]" });
  });

  test("whose names mean something to an object are fields like others", () => {
    const given = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2, "hasOwnProperty": 3}');
    expect(JSON.stringify(toPlainFields(given, redaction))).toBe(JSON.stringify(given));
  });

  test("are cut where they are too deep, too many or too long, with a mark", () => {
    expect(JSON.stringify(plain(nested(50)))).toBe(`${'{"in":'.repeat(9)}"[cut]"${"}".repeat(9)}`);
    const list = Array.from({ length: 1000 }, (_, n) => n);
    expect(plain({ list })).toEqual({ list: [...list.slice(0, 100), "[cut]"] });
    const many = Object.fromEntries(list.map((n) => [`k${n}`, n]));
    expect(Object.entries(plain(many) ?? {}).slice(-2)).toEqual([
      ["k99", 99],
      ["[cut]", true],
    ]);
    expect(plain({ text: "x".repeat(100_000), ["k".repeat(500)]: 1 })).toEqual({
      text: `${"x".repeat(16_384)}[cut]`,
      [`${"k".repeat(128)}[cut]`]: 1,
    });
  });

  test("are cut as a whole where their texts are too long together", () => {
    const texts = Array.from({ length: 90 }, () => "x".repeat(1000));
    const told = plain({ texts, after: "all" });
    expect(JSON.stringify(told).length).toBeLessThan(45_000);
    expect(told).toMatchObject({ "[cut]": true });
  });

  test("lose no part of a secret's end to the cut", () => {
    const url = `http://user:${"p".repeat(50)}@host/`;
    for (let limit = 0; limit < url.length + 20; limit++) {
      expect(JSON.stringify(plain({ url }, limit))).not.toContain("pp");
    }
  });
});
