import { describe, expect, test } from "bun:test";
import { outcomeText, type Redrive, underwayOf } from "../../src/console/page/dead-letter.ts";
import { newestIndexOf, showBytes, showFigure, showOnAxis, totalOf } from "../../src/console/page/parts/figure.ts";

describe("a figure", () => {
  test.each([
    [null, "rate", "–"],
    [0, "rate", "0/s"],
    [0.256, "rate", "0.26/s"],
    [12.34, "count", "12.3"],
    [1204, "count", "1,204"],
    [38_210, "count", "38.2k"],
    [0, "seconds", "0 s"],
    [0.004, "seconds", "4.0 ms"],
    [125, "seconds", "2 m 05 s"],
  ] as const)("%p, a %s, is said as %p", (value, unit, text) => {
    expect(showFigure(value, unit)).toBe(text);
  });

  test("below what is told apart is said to be less", () => {
    expect([showFigure(0.003, "seconds", 0.005), showFigure(0.005, "seconds", 0.005)]).toEqual(["< 5.0 ms", "5.0 ms"]);
  });

  test.each([
    [0, "0 s"],
    [0.25, "250 ms"],
    [2, "2 s"],
    [2000, "33.3 min"],
    [7200, "2 h"],
  ])("on an axis, %p seconds, is short: %p", (value, text) => {
    expect(showOnAxis(value, "seconds")).toBe(text);
  });

  test("is the newest that was told, and what was not told adds nothing", () => {
    expect([newestIndexOf([1, 2, null]), newestIndexOf([null]), totalOf([1, null, 2])]).toEqual([1, undefined, 3]);
  });

  test.each([
    [0, "0 B"],
    [1536, "1.5 kB"],
    [268_435_456, "256 MB"],
  ])("of %p bytes is %p", (bytes, text) => {
    expect(showBytes(bytes)).toBe(text);
  });
});

describe("what became of a redrive", () => {
  const redrive = (moved: number, outcome?: Redrive["outcome"]): Redrive => ({
    id: "r",
    status: "completed",
    matched: 420,
    moved,
    failed: 0,
    rate_per_second: null,
    reason: null,
    created_at: null,
    ended_at: null,
    ...(outcome && { outcome }),
  });
  const outcome = { followed: 420, succeeded: 412, dead: 5, canceled: 0, discarded: 1 };

  test("is one sentence", () => {
    expect(outcomeText(redrive(420, outcome))).toBe("412 of 420 succeeded, 5 dead again, 1 discarded, 2 underway");
    expect(underwayOf(redrive(420, outcome))).toBe(2);
    expect(outcomeText(redrive(5000, { ...outcome, followed: 420 }))).toStartWith(
      "412 of the first 420 moved succeeded",
    );
  });

  test("is nothing while nothing was moved, or nobody asked", () => {
    expect(outcomeText(redrive(0, { followed: 0, succeeded: 0, dead: 0, canceled: 0, discarded: 0 }))).toBe("");
    expect(outcomeText(redrive(3))).toBe("");
  });
});
