import { expect, test } from "bun:test";
import { formatDuration } from "../../src/terminal/duration-text.ts";

const cases: [ms: number, text: string][] = [
  [0, "0 µs"],
  [0.0123, "12 µs"],
  [0.85, "850 µs"],
  [0.9994, "999 µs"],
  [0.9996, "1.0 ms"],
  [12.34, "12.3 ms"],
  [99.94, "99.9 ms"],
  [99.96, "100 ms"],
  [999.4, "999 ms"],
  [999.6, "1.0 s"],
  [1240, "1.2 s"],
  [59_940, "59.9 s"],
  [59_960, "1 m 00 s"],
  [125_000, "2 m 05 s"],
  [3_599_400, "59 m 59 s"],
  [3_599_600, "1 h 00 m"],
  [5_400_000, "1 h 30 m"],
  [86_399_000, "1 d 00 h"],
  [273_600_000, "3 d 04 h"],
];

test.each(cases)("%d ms reads %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
