/** How a step of the wall clock is found. */

import { expect, test } from "bun:test";
import { createStepDetector, noticedStepMs } from "../../src/limits/clock.ts";
import { createFakeClock } from "../support/fake-clock.ts";

test.each([-31_536_000_000, -3_600_000, -noticedStepMs, noticedStepMs, 60_000, 31_536_000_000])(
  "a step of %i ms is told once, with its size",
  async (stepMs) => {
    const clock = createFakeClock();
    const takeStep = createStepDetector(clock);
    await clock.advance(7_000_000);
    expect(takeStep()).toBe(0);
    clock.set(stepMs);
    expect([takeStep(), takeStep()]).toEqual([stepMs, 0]);
  },
);

test("small steps are told once they add up", () => {
  const clock = createFakeClock();
  const takeStep = createStepDetector(clock);
  const told = [1500, 400, 400, -400, -1900].map((stepMs) => {
    clock.set(stepMs);
    return takeStep();
  });
  expect(told).toEqual([0, 0, 2300, 0, -2300]);
});

test("a process that is held up between two readings takes that for no step", () => {
  const clock = createFakeClock();
  let heldUpMs = 0;
  const takeStep = createStepDetector({
    ...clock,
    monotonicMs: () => {
      const readMs = clock.monotonicMs();
      void clock.advance(heldUpMs);
      return readMs;
    },
  });
  heldUpMs = 10_000;
  expect(takeStep()).toBe(0);
  heldUpMs = 0;
  expect(takeStep()).toBe(0);
  clock.set(-5000);
  expect(takeStep()).toBe(-5000);
});
