import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { longestDurationMs } from "../../src/settings.ts";
import type { HandlerLog } from "../../src/worker/handler.ts";
import { retryAfterMs, toRetryAfter } from "../../src/worker/retry-after.ts";

const nowMs = Date.UTC(2026, 6, 29, 12, 0, 0);

const anyDelay = fc.oneof(
  fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }),
  fc.double(),
  fc.string(),
  fc.date({ noInvalidDate: false }),
  fc.constantFrom(Symbol("soon"), Object.create(null)),
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
    [0.2, 1],
    [0, 0],
    [90n, 90],
    [new Date(nowMs + 60_000), 60_000],
    ["2026-07-29T12:01:00Z", 60_000],
    ["2026-07-29T14:01:00.500+02:00", 60_500],
    ["Wed, 29 Jul 2026 12:01:00 UTC", 60_000],
    ["9".repeat(40), longestDurationMs],
    [Number.MAX_VALUE, longestDurationMs],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
    [-1, undefined],
    ["-5", undefined],
    ["", undefined],
    ["soon", undefined],
    ["120, 60", undefined],
    ["1e3", undefined],
    ["999999d", undefined],
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

  test("is a whole number of milliseconds to come, or none, and nought only for who says nought", () => {
    fc.assert(
      fc.property(anyDelay, (delay) => {
        const ms = retryAfterMs(delay, nowMs) ?? longestDurationMs;
        expect(Number.isSafeInteger(ms) && ms >= 0 && ms <= longestDurationMs).toBe(true);
        if (ms === 0) expect(String(delay)).toMatch(/^\s*-?0+(\.0+)?(ms|s|m|h|d)?\s*$/);
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
    for (const delay of ["soon", Number.NaN, -1, "Wed, 29 Jul 2026 11:59:59 GMT"]) {
      expect(ask(delay).lines).toMatchObject([[expect.any(String), { delay: String(delay) }]]);
    }
  });

  test.each([null, undefined])("comes without one where no header was (%p): the back-off decides", (delay) => {
    const { error, lines } = ask(delay, "busy");
    expect([error.delayMs, lines]).toEqual([undefined, []]);
  });
});
