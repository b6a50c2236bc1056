import { expect, test } from "bun:test";
import { formatDuration, relativeTime } from "../../src/terminal/times.ts";

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

const now = Date.parse("2026-11-21T12:00:00.000Z");
const times: [time: string, told: string][] = [
  ["2026-11-21T12:00:00.000Z", "now"],
  ["2026-11-21T11:59:59.001Z", "now"],
  ["2026-11-21T11:59:48.000Z", "12s ago"],
  ["2026-11-21T11:00:00.001Z", "59m ago"],
  ["2026-11-21T09:00:00.000Z", "3h ago"],
  ["2026-11-01T12:00:00.000Z", "20d ago"],
  ["2026-11-21T12:00:30.000Z", "in 30s"],
];
test.each(times)("%s is %s", (time, told) => {
  expect(relativeTime(time, now)).toBe(told);
});
