import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createTimeAxis, formatRuler, type Interval } from "../../src/terminal/time-axis.ts";

function at(startMs: number, durationMs: number): Interval {
  return { startMs, endMs: startMs + durationMs };
}

/** Work of ten milliseconds at each of these moments. */
function attempts(...startsMs: number[]): Interval[] {
  return startsMs.map((startMs) => at(startMs, 10));
}

describe("without long pauses", () => {
  test("the axis is linear from the first start to the last end", () => {
    const axis = createTimeAxis([at(100, 50), at(120, 80)], 50);
    expect(axis.runs).toEqual([{ startMs: 100, endMs: 200, fromCell: 0, toCell: 50 }]);
    expect(axis.breaks).toEqual([]);
    expect(axis.place(at(100, 50))).toEqual({ from: 0, to: 25 });
    expect(axis.place(at(120, 80))).toEqual({ from: 10, to: 50 });
  });

  test("a pause of no more than 15 % of the whole stays", () => {
    expect(createTimeAxis([at(0, 40), at(55, 45)], 50).breaks).toEqual([]);
    expect(createTimeAxis([at(0, 40), at(56, 44)], 50).breaks).toHaveLength(1);
  });

  test("what is shorter than half a cell is drawn as half a cell, inside of the axis also at its end", () => {
    const axis = createTimeAxis([at(0, 1000)], 10);
    expect(axis.place(at(500, 1))).toEqual({ from: 5, to: 5.5 });
    expect(axis.place(at(1000, 0))).toEqual({ from: 9.5, to: 10 });
  });

  test("an interval that ends before it starts counts as a moment", () => {
    const axis = createTimeAxis([at(0, 100), at(50, -40)], 10);
    expect(axis.runs).toEqual([{ startMs: 0, endMs: 100, fromCell: 0, toCell: 10 }]);
    expect(axis.place(at(50, -40))).toEqual({ from: 5, to: 5.5 });
  });

  test("a single moment has the whole axis", () => {
    const axis = createTimeAxis([at(7, 0)], 10);
    expect(axis.runs).toEqual([{ startMs: 7, endMs: 7, fromCell: 0, toCell: 10 }]);
    expect(axis.place(at(7, 0))).toEqual({ from: 0, to: 0.5 });
  });
});

describe("with long pauses", () => {
  test("a pause is cut out and leaves a break of three cells", () => {
    const axis = createTimeAxis([at(0, 20), at(1020, 10)], 43);
    expect(axis.breaks).toEqual([{ startMs: 20, endMs: 1020, fromCell: 27, toCell: 30 }]);
    expect(axis.runs).toEqual([
      { startMs: 0, endMs: 20, fromCell: 0, toCell: 27 },
      { startMs: 1020, endMs: 1030, fromCell: 30, toCell: 43 },
    ]);
    expect(axis.place(at(1020, 10))).toEqual({ from: 30, to: 43 });
  });

  test("something running all the time leaves nothing to cut", () => {
    expect(createTimeAxis([at(0, 1030), ...attempts(0, 1020)], 40).breaks).toEqual([]);
  });

  test("of a growing back-off every pause is cut, also the first that is short beside the last", () => {
    const axis = createTimeAxis(attempts(0, 1010, 3020, 7030, 15_040), 60);
    expect(axis.breaks.map(({ startMs, endMs }) => endMs - startMs)).toEqual([1000, 2000, 4000, 8000]);
  });

  test("a line too short for all breaks keeps the longest", () => {
    const axis = createTimeAxis(attempts(0, 1010, 3020, 7030, 15_040), 12);
    expect(axis.breaks.map(({ startMs, endMs }) => endMs - startMs)).toEqual([4000, 8000]);
  });

  test("a short run beside a long one keeps enough cells to be read", () => {
    const axis = createTimeAxis([at(0, 1000), at(5000, 1)], 43);
    expect(axis.runs.map(({ fromCell, toCell }) => toCell - fromCell)).toEqual([32, 8]);
  });
});

describe("for any intervals", () => {
  const interval = fc.record({
    startMs: fc.oneof(fc.double({ min: 0, max: 1e5, noNaN: true }), fc.integer({ min: 0, max: 2_000_000_000_000 })),
    durationMs: fc.oneof(fc.integer({ min: -5, max: 20 }), fc.double({ min: 0, max: 1e7, noNaN: true })),
  });
  const intervals = fc.array(interval, { minLength: 1, maxLength: 30 });
  const cells = fc.integer({ min: 6, max: 120 });

  test("runs and breaks fill the line in turn, and every interval has its place on a run", () => {
    fc.assert(
      fc.property(intervals, cells, (drawn, width) => {
        const all = drawn.map(({ startMs, durationMs }) => at(startMs, durationMs));
        const axis = createTimeAxis(all, width);
        const stretches = [...axis.runs, ...axis.breaks].sort((a, b) => a.fromCell - b.fromCell);
        expect(stretches[0]?.fromCell).toBe(0);
        expect(stretches.at(-1)?.toCell).toBe(width);
        for (const [index, stretch] of stretches.entries()) {
          expect(Number.isInteger(stretch.toCell)).toBe(true);
          expect(stretch.toCell).toBeGreaterThan(stretch.fromCell);
          expect(stretches[index + 1]?.fromCell ?? width).toBe(stretch.toCell);
        }
        for (const one of all) {
          const { from, to } = axis.place(one);
          expect(to - from).toBeGreaterThanOrEqual(0.5 - 1e-9);
          expect(axis.runs.some((run) => run.fromCell <= from && to <= run.toCell)).toBe(true);
        }
      }),
    );
  });

  test("what starts later is never drawn further left", () => {
    fc.assert(
      fc.property(intervals, cells, (drawn, width) => {
        const all = drawn.map(({ startMs }) => at(startMs, 1)).sort((a, b) => a.startMs - b.startMs);
        const axis = createTimeAxis(all, width);
        const places = all.map((one) => axis.place(one).from);
        expect(places).toEqual(places.toSorted((a, b) => a - b));
      }),
    );
  });

  test("the ruler is exactly as wide as the axis", () => {
    fc.assert(
      fc.property(intervals, cells, (drawn, width) => {
        const axis = createTimeAxis(
          drawn.map(({ startMs, durationMs }) => at(startMs, durationMs)),
          width,
        );
        expect(formatRuler(axis, width)).toHaveLength(width);
      }),
    );
  });
});

describe("the ruler", () => {
  const cases: [name: string, intervals: Interval[], cells: number, expected: string][] = [
    ["says round offsets", [at(0, 25)], 50, "0         5 ms      10 ms     15 ms     20 ms     "],
    ["takes microseconds for short work", [at(0, 0.5)], 30, "0           200 µs      400 µs"],
    [
      "says how long a pause was, and counts anew after it",
      [at(0, 20), at(1020, 20)],
      43,
      "0         10 ms  ╌ 1.0 s ╌       +10 ms    ",
    ],
    ["is brief where breaks are close", attempts(0, 1010, 3020, 7030), 29, "0    1 s     2 s     4 s     "],
    ["of a moment says where it starts", [at(5, 0)], 10, "0         "],
  ];
  test.each(cases)("%s", (_, intervals, cells, expected) => {
    expect(formatRuler(createTimeAxis(intervals, cells), cells)).toBe(expected);
  });
});
