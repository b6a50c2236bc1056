/** An answer has what fits into it: the first items of a list, the newest entries of a history. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bytesOfTask, fitting, maxAnswerBytes, newestEntries } from "../../src/store/ports/pages.ts";
import { entryAt, newTask, recordOf, t0 } from "../support/stored-tasks.ts";

const failedAt = (atMs: number, message: string) =>
  entryAt(atMs, { from: "running", to: "retrying", error: { type: "E", message } });

describe("a history", () => {
  test("is whole as long as it is short", () => {
    const timeline = Array.from({ length: 300 }, (_, n) => failedAt(t0 + n, "m".repeat(1000)));
    expect(newestEntries(timeline)).toEqual(timeline);
  });

  test.each([["é"], ["\n"], ["語"], ["\u{1f600}"]])("of long errors of %j has its newest entries", (unit) => {
    const timeline = Array.from({ length: 1000 }, (_, n) => failedAt(t0 + n, unit.repeat(1000 / unit.length)));
    const newest = newestEntries(timeline);
    expect(newest).toEqual(timeline.slice(timeline.length - newest.length));
    expect(Buffer.byteLength(JSON.stringify(newest))).toBeWithin(400_000, 600_000);
  });
});

test("a task is as large as all that an answer has of it", () => {
  const task = recordOf(newTask({ payload: JSON.stringify("語".repeat(50)), metadata: { k: "m".repeat(500) } }));
  const error = { type: "T".repeat(200), message: "\n".repeat(2000) };
  const whole = { ...task, result: JSON.stringify("r".repeat(3000)), error };
  expect(bytesOfTask(whole, [failedAt(t0, "a")])).toBeGreaterThan(150 + 500 + 3000 + 200 + 2 * 2000 + 250);
});

test("a list has its first items, one at least, and as many as fit", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: maxAnswerBytes + 1 })), (sizes) => {
      const kept = fitting(sizes, (size) => size);
      expect(kept).toEqual(sizes.slice(0, kept.length));
      const sum = (some: readonly number[]): number => some.reduce((all, size) => all + size, 0);
      if (kept.length !== 1) expect(sum(kept)).toBeLessThanOrEqual(maxAnswerBytes);
      if (kept.length < sizes.length) expect(sum(sizes.slice(0, kept.length + 1))).toBeGreaterThan(maxAnswerBytes);
      expect(kept.length > 0).toBe(sizes.length > 0);
    }),
  );
});
