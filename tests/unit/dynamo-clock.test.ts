/** What the store on DynamoDB takes for the time, from the machine's clocks and the answers of the service. */

import { expect, test } from "bun:test";
import { createDynamoClock } from "../../src/store/dynamo/clock.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const trueMs = 1_700_000_000_000;
const dateOf = (ms: number): string => new Date(ms).toUTCString();

test.each([-86_400_000, -3_600_000, -5000, 5000, 60_000, 3_600_000])(
  "a clock that is set by %i ms changes nothing",
  async (stepMs) => {
    const machine = createFakeClock(trueMs);
    const clock = createDynamoClock(machine);
    machine.set(stepMs);
    expect(clock.nowMs()).toBe(trueMs);
    await machine.advance(1500);
    clock.hear(dateOf(trueMs + 1500), machine.monotonicMs());
    expect([clock.nowMs(), clock.monotonicMs()]).toEqual([trueMs + 1500, 1500]);
    machine.set(-stepMs);
    expect(clock.nowMs()).toBe(machine.nowMs());
  },
);

test.each([-86_400_000, -3_600_000, -5000, 5000, 60_000, 3_600_000])(
  "a clock that is wrong by %i ms from the start is put right by the first answer, and may then be set right",
  (wrongMs) => {
    const machine = createFakeClock(trueMs + wrongMs);
    const clock = createDynamoClock(machine);
    clock.hear(dateOf(trueMs), machine.monotonicMs());
    expect(Math.abs(clock.nowMs() - trueMs)).toBeLessThanOrEqual(500);
    machine.set(-wrongMs);
    expect(clock.nowMs()).toBe(trueMs);
  },
);

test("answers that tell no time, or took long, change nothing; nor does a second that the service cuts off", async () => {
  const machine = createFakeClock(trueMs + 999);
  const clock = createDynamoClock(machine);
  const hear = async (date: string | null, tookMs = 0): Promise<void> => {
    const sentMs = machine.monotonicMs();
    await machine.advance(tookMs);
    clock.hear(date, sentMs);
    expect(clock.nowMs()).toBe(machine.nowMs());
    await machine.advance(2000);
  };
  await hear(null);
  await hear("");
  await hear("tomorrow");
  await hear(dateOf(machine.nowMs()), 4000);
  for (let seconds = 0; seconds < 3; seconds += 1) await hear(dateOf(machine.nowMs() - 900));
});

test("small corrections of the machine's clock are followed", async () => {
  const machine = createFakeClock(trueMs);
  const clock = createDynamoClock(machine);
  for (let times = 0; times < 5; times += 1) {
    machine.set(300);
    expect(clock.nowMs()).toBe(machine.nowMs());
  }
});
