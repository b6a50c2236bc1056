/** How far long work is. */

import { expect, test } from "bun:test";
import { leftText, renderBar } from "../../src/terminal/progress.ts";

const bars: [done: number, total: number, bar: string][] = [
  [0, 10, "──────────"],
  [4, 10, "━━━━──────"],
  [999, 1000, "━━━━━━━━━─"],
  [10, 10, "━━━━━━━━━━"],
  [11, 10, "━━━━━━━━━━"],
  [0, 0, "━━━━━━━━━━"],
];
test.each(bars)("%d of %d is %s", (done, total, bar) => {
  const { full, empty } = renderBar(done, total, 10);
  expect(full + empty).toBe(bar);
});

const lefts: [done: number, total: number, spentMs: number, left: string][] = [
  [0, 10, 5000, ""],
  [1, 10, 500, ""],
  [10, 10, 5000, ""],
  [2, 10, 5000, ", 20.0 s left"],
];
test.each(lefts)("%d of %d after %d ms: what is left", (done, total, spentMs, left) => {
  expect(leftText(done, total, spentMs)).toBe(left);
});
