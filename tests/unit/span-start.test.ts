import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CryptoIds, preciseNowMs, toHrTime } from "../../src/telemetry/spans/span-start.ts";

describe("the precise time", () => {
  /** Enough that the system takes the processor away between two readings of a clock now and then. */
  const readings = 300_000;
  /** A whole millisecond is what `Date.now()` cuts off; a number of this size is exact to a quarter of a microsecond. */
  const cutMs = 1.001;

  test("is never ahead of the system's clock, and never more than its step behind", () => {
    const wrong: number[] = [];
    for (let n = 0; n < readings; n++) {
      const beforeMs = Date.now();
      const nowMs = preciseNowMs();
      const afterMs = Date.now() + cutMs;
      if (nowMs < beforeMs - 2 || nowMs > afterMs) wrong.push(nowMs - beforeMs);
    }
    expect(wrong).toEqual([]);
  });

  test("tells moments apart within one millisecond", () => {
    const fractions = new Set(Array.from({ length: 1000 }, () => preciseNowMs() % 1));
    expect(fractions.size).toBeGreaterThan(10);
  });
});

describe("milliseconds as seconds and nanoseconds", () => {
  test("keep the fraction", () => {
    expect([0, 1, 1500, 1_700_000_000_001.5].map(toHrTime)).toEqual([
      [0, 0],
      [0, 1_000_000],
      [1, 500_000_000],
      [1_700_000_000, 1_500_000],
    ]);
  });

  test("never make a whole second of nanoseconds, and add up to the same moment", () => {
    /** From 1973 to 2128, as finely as a number tells moments of that time. */
    const anyMs = fc.double({ min: 1e11, max: 5e12, noNaN: true });
    fc.assert(
      fc.property(anyMs, (ms) => {
        const [seconds, nanoseconds] = toHrTime(ms);
        expect(Number.isInteger(seconds) && Number.isInteger(nanoseconds)).toBe(true);
        expect(nanoseconds).toBeGreaterThanOrEqual(0);
        expect(nanoseconds).toBeLessThan(1e9);
        expect(Math.abs(seconds * 1000 + nanoseconds / 1e6 - ms)).toBeLessThan(0.002);
      }),
    );
  });
});

describe("trace and span ids", () => {
  test("are 32 and 16 hex digits, and none comes twice, over many blocks", () => {
    const ids = new CryptoIds();
    const traceIds = Array.from({ length: 5000 }, ids.generateTraceId);
    const spanIds = Array.from({ length: 5000 }, ids.generateSpanId);
    expect(traceIds.filter((id) => !/^[0-9a-f]{32}$/.test(id))).toEqual([]);
    expect(spanIds.filter((id) => !/^[0-9a-f]{16}$/.test(id))).toEqual([]);
    expect(new Set([...traceIds, ...spanIds]).size).toBe(10_000);
  });

  test("share no block with those of another generator", () => {
    const [one, other] = [new CryptoIds(), new CryptoIds()];
    const ids = [one, other].flatMap((source) => Array.from({ length: 1000 }, source.generateSpanId));
    expect(new Set(ids).size).toBe(2000);
  });

  test("give a reserved id to the next span, and only to that one", () => {
    const ids = new CryptoIds();
    ids.reserveSpanId("00f067aa0ba902b7");
    expect(ids.generateTraceId()).not.toContain("00f067aa0ba902b7");
    expect(ids.generateSpanId()).toBe("00f067aa0ba902b7");
    expect(ids.generateSpanId()).not.toBe("00f067aa0ba902b7");
  });
});
