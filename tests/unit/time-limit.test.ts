import { describe, expect, test } from "bun:test";
import { createTimeLimit } from "../../src/limits/time-limit.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const limitMs = 1000;

/** A limit on a clock of its own; `over` has the names of what it was told of, in their order. */
function startLimit() {
  const clock = createFakeClock();
  const limit = createTimeLimit(limitMs, clock);
  const over: string[] = [];
  return { clock, over, start: (name: string) => limit.start(() => over.push(name)) };
}

describe("a limit of time", () => {
  test("tells of each when its own time is over, by one timer", async () => {
    const { clock, over, start } = startLimit();
    start("a");
    await clock.advance(400);
    start("b");
    start("c");
    expect(clock.sleepers()).toBe(1);
    await clock.advance(599);
    expect(over).toEqual([]);
    await clock.advance(1);
    expect(over).toEqual(["a"]);
    await clock.advance(399);
    expect(over).toEqual(["a"]);
    await clock.advance(1);
    expect([over, clock.sleepers()]).toEqual([["a", "b", "c"], 0]);
  });

  test("does not tell of what was stopped, and has no timer once there is nothing left", async () => {
    const { clock, over, start } = startLimit();
    const [first, second] = [start("a"), start("b")];
    start("c");
    first();
    await clock.advance(limitMs);
    expect(over).toEqual(["b", "c"]);
    second();
    const only = start("d");
    await clock.advance(1);
    only();
    only();
    expect(clock.sleepers()).toBe(0);
    await clock.advance(limitMs);
    expect(over).toEqual(["b", "c"]);
  });

  test("begins anew with what is started while the last is told", async () => {
    const clock = createFakeClock();
    const limit = createTimeLimit(limitMs, clock);
    const over: number[] = [];
    const startNext = (): void =>
      void limit.start(() => {
        over.push(clock.nowMs());
        if (over.length < 3) startNext();
      });
    const beganAtMs = clock.nowMs();
    startNext();
    await clock.advance(5 * limitMs);
    expect(over.map((atMs) => atMs - beganAtMs)).toEqual([limitMs, 2 * limitMs, 3 * limitMs]);
  });

  test("is not put off by a clock that stands still", async () => {
    const sleeps: number[] = [];
    const limit = createTimeLimit(limitMs, {
      nowMs: () => 10_000,
      monotonicMs: () => 0,
      sleep: async (ms) => void sleeps.push(ms),
    });
    const over: string[] = [];
    limit.start(() => over.push("a"));
    limit.start(() => over.push("b"));
    while (over.length < 2) await Promise.resolve();
    expect(sleeps).toEqual([limitMs]);
  });
});
