/** What the benchmark makes of its figures. */

import { describe, expect, test } from "bun:test";
import { grown, parseThreadStat } from "../../bench/process-cost.ts";
import { type Section, showSection, showTargets } from "../../bench/section.ts";
import { figure, median, quantile, ratios, slope, spread, summary } from "../../bench/statistics.ts";
import { judge } from "../../bench/targets.ts";

const hundred = Array.from({ length: 100 }, (_, n) => n + 1);

describe("quantile", () => {
  test.each<[readonly number[], number, number]>([
    [[], 0.5, Number.NaN],
    [[7], 0, 7],
    [[7], 0.99, 7],
    [[1, 2], 0.5, 1],
    [[1, 2, 3], 0.5, 2],
    [hundred, 0.99, 99],
    [hundred, 1, 100],
    [hundred, 0.001, 1],
  ])("of %j at %d", (sorted, q, expected) => {
    expect(quantile(sorted, q)).toBe(expected);
  });
});

describe("median and spread", () => {
  test.each<[readonly number[], number, [number, number]]>([
    [[5], 5, [5, 5]],
    [[9, 1, 5], 5, [1, 9]],
    [[10, 9, 2, 1], 5.5, [1, 10]],
    [[100, 20, 3], 20, [3, 100]],
  ])("of %j", (values, middle, ends) => {
    expect([median(values), spread(values)]).toEqual([middle, ends]);
  });

  test("of nothing is no number", () => {
    expect(median([])).toBeNaN();
  });
});

describe("ratios", () => {
  test.each<[readonly number[] | undefined, readonly number[] | undefined, number[]]>([
    [
      [2, 9],
      [4, 3],
      [0.5, 3],
    ],
    [[2], undefined, []],
    [undefined, [2], []],
  ])("of %j to %j, round by round", (ours, theirs, expected) => {
    expect(ratios(ours, theirs)).toEqual(expected);
  });
});

describe("slope", () => {
  test.each<[string, readonly [number, number][], number]>([
    [
      "a line",
      [
        [0, 3],
        [1, 5],
        [2, 7],
      ],
      2,
    ],
    [
      "a line downwards",
      [
        [0, 3],
        [2, 2],
      ],
      -0.5,
    ],
    [
      "a level",
      [
        [0, 4],
        [1, 4],
        [9, 4],
      ],
      0,
    ],
    [
      "points around a line",
      [
        [0, 0],
        [1, 2],
        [2, 1],
        [3, 3],
      ],
      0.8,
    ],
    [
      "one moment",
      [
        [5, 1],
        [5, 9],
      ],
      0,
    ],
  ])("of %s", (_, points, expected) => {
    expect(slope(points.map(([x, y]) => ({ x, y })))).toBeCloseTo(expected, 12);
  });
});

describe("figures", () => {
  test.each([
    [4123.4, "4123"],
    [41.23, "41.2"],
    [0.41234, "0.412"],
    [0, "0.00"],
    [-41.23, "-41.2"],
    [Number.NaN, "–"],
  ])("%d is told as %s", (value, told) => {
    expect(figure(value)).toBe(told);
  });

  test("of several rounds are told with the least and the most", () => {
    expect([summary([300, 100, 200]), summary([200]), summary([])]).toEqual(["200 (100–300)", "200", "–"]);
  });
});

describe("targets", () => {
  const [least, most] = ["≥ 0.95 ×", "≤ 400 ms"];

  test.each<[Parameters<typeof judge>[0], number[], string, string, boolean | undefined]>([
    ["overload", [0.96], least, "0.960 ×", true],
    ["overload", [0.95], least, "0.950 ×", true],
    ["overload", [0.9, 0.99, 0.94], least, "0.940 (0.900–0.990) ×", false],
    ["overload", [], least, "–", undefined],
    ["ready", [401], most, "401 ms", false],
    ["ready", [400], most, "400 ms", true],
    ["ready", [100, 300, 900], most, "300 (100–900) ms", true],
    ["ready", [], most, "–", undefined],
  ])("%s of %j", (name, values, wanted, measured, isMet) => {
    const { target, ...rest } = judge(name, values);
    expect(rest).toEqual({ wanted, measured, isMet });
    expect(judge(name, values, "so").target).toBe(`${target}, so`);
  });

  test("stand in one table, each with its verdict", () => {
    expect(showTargets([judge("overload", [1]), judge("ready", [1000]), judge("growth", [])])).toBe(`## Targets

| target | wanted | measured | met |
| --- | ---: | ---: | ---: |
| tasks/s during the overload, to the peak | ≥ 0.95 × | 1.00 × | yes |
| start to ready | ≤ 400 ms | 1000 ms | **no** |
| growth of memory | ≤ 1 % an hour | – | not measured |
`);
  });
});

test("a section is its title, how it is measured, and its tables", () => {
  const section: Section = {
    title: "A part",
    how: "So it is measured.",
    tables: [{ title: "Traced", columns: ["who", "tasks/s"], rows: [["a|b", "12"]] }],
    targets: [],
  };
  expect(showSection(section)).toBe(`## A part

So it is measured.

Traced:

| who | tasks/s |
| --- | ---: |
| a\\|b | 12 |
`);
});

describe("threads", () => {
  // proc(5): pid (comm) state ppid … utime and stime are the fourteenth and fifteenth.
  const line = (name: string): string => `12 (${name}) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1`;

  test.each(["gateway", "a b", "x) S 1", "(("])("a thread called %j", (name) => {
    expect(parseThreadStat(line(name))).toEqual({ name, seconds: 2 });
  });

  test("have grown by the difference, those that began by all they have", () => {
    const spent = grown(
      new Map([
        ["a", 1],
        ["gone", 5],
      ]),
      new Map([
        ["a", 3],
        ["new", 2],
      ]),
    );
    expect([...spent]).toEqual([
      ["a", 2],
      ["new", 2],
    ]);
  });
});
