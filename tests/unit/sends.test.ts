import { expect, test } from "bun:test";
import type { StoreFigures } from "../../src/store/ports/sends.ts";
import { createStoreFigures } from "../../src/store/ports/sends.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { rejectionOf } from "../support/rejection.ts";

const none = { scheduled: 0, queued: 0, running: 0, retrying: 0, failed: 0 };

test("the store is asked once for many that want to know, and again some seconds later", async () => {
  const clock = createFakeClock();
  let asked = 0;
  const figures = async (nowMs: number): Promise<StoreFigures> => {
    asked += 1;
    return { active: none, oldestDueMs: nowMs, oldestDeadMs: null };
  };
  const ask = createStoreFigures({ figures }, clock);
  const [first, second] = await Promise.all([ask(), ask()]);
  await clock.advance(3999);
  expect([second, await ask(), asked]).toEqual([first, first, 1]);
  await clock.advance(1);
  expect([(await ask()).oldestDueMs, asked]).toEqual([clock.nowMs(), 2]);
});

test("a store that was away is asked again at once", async () => {
  let isAway = true;
  const figures = async (): Promise<StoreFigures> => {
    if (isAway) throw new Error("the store is away");
    return { active: none, oldestDueMs: null, oldestDeadMs: null };
  };
  const ask = createStoreFigures({ figures }, createFakeClock());
  expect(await rejectionOf(ask())).toMatchObject({ message: "the store is away" });
  isAway = false;
  expect(await ask()).toMatchObject({ oldestDueMs: null });
});

test.each([
  ["in no time", 0, 4000],
  ["in 150 ms", 150, 4000],
  ["in a second", 1000, 20_000],
  ["in ten seconds", 10_000, 60_000],
])("what the store finds out %s stands longer the longer it took", async (_, tookMs, standsMs) => {
  const clock = createFakeClock();
  let asked = 0;
  const figures = async (nowMs: number): Promise<StoreFigures> => {
    asked += 1;
    await clock.sleep(tookMs);
    return { active: none, oldestDueMs: nowMs, oldestDeadMs: null };
  };
  const ask = createStoreFigures({ figures }, clock);
  const answers = [ask(), ask()];
  await clock.advance(tookMs);
  await Promise.all(answers);
  await clock.advance(standsMs - tookMs - 1);
  await ask();
  expect(asked).toBe(1);
  await clock.advance(1);
  const again = ask();
  await clock.advance(tookMs);
  await again;
  expect(asked).toBe(2);
});
