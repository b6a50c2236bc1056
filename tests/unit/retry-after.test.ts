import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { HandlerLog } from "../../src/worker/handlers/handler.ts";
import { longestRetryAfterMs, retryAfterMs, toRetryAfter } from "../../src/worker/handlers/retry-after.ts";

const nowMs = Date.UTC(2026, 6, 29, 12, 0, 0);

const fail = (): never => {
  throw new Error("no");
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const hostile = [
  new Proxy({}, { getPrototypeOf: fail }),
  new Proxy(new Date(), { get: fail }),
  { [Symbol.toPrimitive]: fail, toString: fail, toJSON: fail },
  revoked.proxy,
];

const anyDelay = fc.oneof(
  fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }),
  fc.double(),
  fc.string(),
  fc.date({ noInvalidDate: false }),
  fc.constantFrom(Symbol("soon"), Object.create(null), Object.create(Date.prototype)),
);

/** The texts that RFC 9110, 5.6.7 gives for one and the same second, which its first form has. */
function formsOf(date: Date): string[] {
  const [weekday = "", day = "", month = "", year = "", time = ""] = date.toUTCString().split(/,? /);
  return [
    date.toUTCString(),
    `${weekday}day, ${day}-${month}-${year.slice(2)} ${time} GMT`,
    `${weekday} ${month} ${day.replace(/^0/, " ")} ${time} ${year}`,
  ];
}

describe("a delay that is asked for", () => {
  const cases: [delay: unknown, ms: number | undefined][] = [
    ["120", 120_000],
    [" 7 ", 7000],
    ["1.5", 1500],
    ["0", 0],
    ["30s", 30_000],
    ["250ms", 250],
    [1500, 1500],
    [1.2, 2],
    [0.2, 0],
    [0, 0],
    [-0, 0],
    ["0s", 0],
    ["0ms", 0],
    [90n, 90],
    [new Date(nowMs + 60_000), 60_000],
    ["2026-07-29T12:01:00Z", 60_000],
    ["2026-07-29T14:01:00.500+02:00", 60_500],
    ["Wed, 29 Jul 2026 12:01:00 UTC", 60_000],
    ["9".repeat(400), Number.MAX_SAFE_INTEGER],
    [Number.MAX_VALUE, Number.MAX_SAFE_INTEGER],
    ["400d", 400 * 86_400_000],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
    [-1, undefined],
    ["-5", undefined],
    ["", undefined],
    ["soon", undefined],
    ["120, 60", undefined],
    ["1e3", undefined],
    ["999999999999999999d", Number.MAX_SAFE_INTEGER],
    [new Date(Number.NaN), undefined],
    [new Date(nowMs), undefined],
    ["Wed, 29 Jul 2026 11:59:59 GMT", undefined],
    ["Sunday, 06-Nov-94 08:49:37 GMT", undefined],
    ["Wed, 29 Foo 2026 12:01:00 GMT", undefined],
    ["Wed, 99 Jul 2026 12:01:00 GMT", undefined],
    ["2026-07-29T12:01:00", undefined],
    [null, undefined],
    [undefined, undefined],
    [{}, undefined],
    [["120"], undefined],
    [true, undefined],
  ];

  test.each(cases)("as %p is %p ms", (delay, ms) => {
    expect(retryAfterMs(delay, nowMs)).toBe(ms as never);
  });

  test("lasts until any second to come, in each of HTTP's forms", () => {
    // RFC 9110 takes a year of two digits for one of the next 50.
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 49 * 365 * 86_400 }), (seconds) => {
        for (const text of formsOf(new Date(nowMs + seconds * 1000))) {
          expect(retryAfterMs(text, nowMs)).toBe(seconds * 1000);
        }
      }),
    );
  });

  test("is a whole number of milliseconds to come, or none, and 0 only for a delay of less than one", () => {
    fc.assert(
      fc.property(anyDelay, (delay) => {
        const ms = retryAfterMs(delay, nowMs) ?? 1;
        expect(Number.isSafeInteger(ms) && ms >= 0).toBe(true);
        if (ms === 0) expect(Number.parseFloat(String(delay))).toBeWithin(0, 1);
      }),
    );
  });
});

describe("the error to throw", () => {
  function ask(delay: unknown, message?: unknown, options?: ErrorOptions) {
    const lines: unknown[][] = [];
    const write = (...line: unknown[]): void => void lines.push(line);
    const log: HandlerLog = { trace: write, debug: write, info: write, warn: write, error: write };
    return { error: toRetryAfter(delay, message, { options, log, nowMs }), lines };
  }

  test("keeps the handler's message and cause, whatever the delay is", () => {
    const cause = new Error("429");
    fc.assert(
      fc.property(anyDelay, (delay) => {
        const { error } = ask(delay, "the provider is busy", { cause });
        expect([error.message, error.cause]).toEqual(["the provider is busy", cause]);
      }),
    );
  });

  test("has the message of an error that is given as one, which is its cause", () => {
    const busy = new TypeError("busy");
    const { error } = ask("1s", busy);
    expect([error.message, error.cause, error.delayMs]).toEqual(["busy", busy, 1000]);
  });

  test("comes with a warning that shows what cannot be used", () => {
    for (const delay of ["soon", Number.NaN, -1, Number.POSITIVE_INFINITY, "Wed, 29 Jul 2026 11:59:59 GMT"]) {
      expect(ask(delay).lines).toMatchObject([[expect.any(String), { delay: String(delay) }]]);
    }
  });

  test("comes with a warning, and leaves the delay to the back-off, when the delay is hostile", () => {
    for (const delay of hostile) {
      const { error, lines } = ask(delay, "the provider is busy");
      expect([error.message, error.delayMs, lines.length]).toEqual(["the provider is busy", undefined, 1]);
    }
  });

  const nothing = [0, -0, 0n, 0.4, "0", " 0 ", "0.0", "0s", "0ms", "0d"];

  test.each(nothing)("leaves a delay of nothing to the back-off, without a warning: %p", (delay) => {
    const { error, lines } = ask(delay, "busy");
    expect([error.delayMs, lines]).toEqual([undefined, []]);
  });

  const far = [1e300, Number.MAX_SAFE_INTEGER, 10n ** 400n, "9".repeat(400), "999999d", "8d", new Date(8.64e15)];

  test.each([...far, "Fri, 31 Dec 9999 23:59:59 GMT"])(
    "cuts a far delay to the longest, with a warning: %p",
    (delay) => {
      const { error, lines } = ask(delay);
      expect(error.delayMs).toBe(longestRetryAfterMs);
      expect(lines).toEqual([[expect.stringContaining("is cut"), { delay: expect.any(String), longest: "7d" }]]);
    },
  );

  test("takes the longest as it is", () => {
    expect(ask("7d")).toMatchObject({ error: { delayMs: longestRetryAfterMs }, lines: [] });
  });

  const round: Record<string, unknown> = {};
  round.self = round;
  const messages: [message: unknown, text: string][] = [
    [{ a: 1 }, '{"a":1}'],
    [[1, { b: null }], '[1,{"b":null}]'],
    [429, "429"],
    [Symbol("busy"), "Symbol(busy)"],
    [Object.assign(Object.create(null), { code: 5 }), '{"code":5}'],
    [revoked.proxy, "[an object that cannot be read]"],
  ];

  test.each(messages)("shows a message that is no text as JSON (case %#)", (message, text) => {
    expect(ask("1s", message).error.message).toBe(text);
  });

  test("has a message of bounded length, whatever is given as one", () => {
    for (const message of [
      ...hostile,
      round,
      "x".repeat(100_000),
      { text: "x".repeat(100_000) },
      Array(1e6).fill("x"),
    ]) {
      expect(ask("1s", message).error.message.length).toBeWithin(1, 4001);
    }
    fc.assert(fc.property(anyDelay, (message) => void expect(ask("1s", message).error.message).toBeString()));
  });

  test.each([null, undefined])("comes without one where no header was (%p): the back-off decides", (delay) => {
    const { error, lines } = ask(delay, "busy");
    expect([error.delayMs, lines]).toEqual([undefined, []]);
  });
});
