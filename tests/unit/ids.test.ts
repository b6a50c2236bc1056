import { describe, expect, test } from "bun:test";
import { CryptoIds } from "../../src/telemetry/spans/ids.ts";

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
