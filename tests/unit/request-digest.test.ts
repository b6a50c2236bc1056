/** What makes two requests under one idempotency key the same request. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { digestOf, parseCreateTask } from "../../src/task-service/requests.ts";

function digest(request: object): string {
  return digestOf(parseCreateTask({ type: "echo", ...request }));
}

/** The same JSON value, with the members of its objects in another order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}

describe("the digest of a request", () => {
  // Stored with the keys: a change of these is a change for every caller that repeats a request across an upgrade.
  test("is the one that stores have", () => {
    expect([
      digest({}),
      digest({ payload: { b: [1, { d: null, c: "x" }], a: 0.5 }, metadata: { shop: "7" }, max_attempts: 3 }),
      digest({ run_at: "2026-01-31T08:00:00Z", timeout: "1.5s" }),
      digest({ payload: { b: 1, "10": [{ "2": 0, "11": 0 }], "9": 2, "-1": 3, "01": 4 } }),
    ]).toEqual([
      "UFkzcFw5oS2i89xvmyluuVsx_HmFVj7EIVTuTuTMkdI",
      "6F988cGSkyw0KDwrUjBjvPmqKOhv2EK01wpG2_3Pnfg",
      "OmT6p5_l3K7XWNnN-BKHK4ZtHRQ3C6pEr7z2FM-36Ok",
      "31P53IyRHMSFJlbrovm-ZsoM00ejK-DvuDdZzT67UP4",
    ]);
  });

  test("does not depend on the order of members, at any depth", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.dictionary(fc.string(), fc.string()), (payload, metadata) => {
        expect(digest({ payload: reversed(payload), metadata: reversed(metadata) })).toBe(
          digest({ payload, metadata }),
        );
      }),
    );
  });

  test("is another for every other value", () => {
    const serialized = (value: unknown): string => JSON.stringify(value);
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        fc.pre(!Bun.deepEquals(JSON.parse(serialized(one)), JSON.parse(serialized(other))));
        expect(digest({ payload: one })).not.toBe(digest({ payload: other }));
      }),
    );
  });

  test("tells apart what differs in order, in type or in place", () => {
    const requests = [
      ...[
        {},
        { payload: {} },
        { payload: [] },
        { payload: 0 },
        { payload: "" },
        { payload: false },
        { payload: [null] },
      ],
      ...[{ payload: [1, 2] }, { payload: [2, 1] }, { payload: { 1: 2 } }, { payload: { 2: 1 } }, { payload: "1" }],
      ...[{ payload: { delay: 5000 } }, { delay: "5s" }, { timeout: "5s" }, { run_at: "1970-01-01T00:00:05Z" }],
      ...[
        { metadata: { a: "1" } },
        { metadata: { a: "2" } },
        { max_attempts: 1 },
        { max_attempts: 2 },
        { type: "sleep" },
      ],
      { payload: JSON.parse('{"__proto__":1}') },
    ];
    expect(new Set(requests.map(digest)).size).toBe(requests.length);
  });

  test("is the same for a default, whether it is given or not", () => {
    const given = { payload: null, metadata: {}, delay: "0s", max_attempts: 0 };
    expect(digest(given)).toBe(digest({}));
  });

  test("does not depend on the notation of a time, a duration or a number", () => {
    expect(digest({ run_at: "2026-01-31T10:00:00+02:00" })).toBe(digest({ run_at: "2026-01-31T08:00:00.000Z" }));
    expect(digest({ delay: "5.000s" })).toBe(digest({ delay: "5s" }));
    expect(digest({ payload: JSON.parse("[1.0, 1e2]") })).toBe(digest({ payload: [1, 100] }));
  });
});
