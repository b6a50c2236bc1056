/** The rate of a redrive: never exceeded, by any number of dlq roles together, and kept by late ones within limits. */

import { describe, expect, test } from "bun:test";
import { redrivesIn } from "../../support/redrives.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { t0, tasksIn } from "../../support/stored-tasks.ts";
import { kill } from "../../support/task-states.ts";

const nowMs = t0 + 1000;

export function describeRedriveRate(open: OpenStore): void {
  describe("the rate of a redrive", () => {
    const rates: [ratePerSecond: number, tasksInStep: number, pauseMs: number][] = [
      [0.5, 1, 2000],
      [4, 1, 250],
      [20, 2, 100],
      [100, 10, 100],
    ];

    test.each(rates)(
      "of %p a second is steps of %p, one each %p ms and not before",
      async (ratePerSecond, size, pauseMs) => {
        await using place = await open();
        const [here, there] = [redrivesIn(place.store), redrivesIn(await place.connectOther())];
        const ids = await kill(tasksIn(place.store), size * 2 + 1);
        await here.start(nowMs, { ratePerSecond });
        expect(await here.run(nowMs)).toEqual(ids.slice(0, size));
        expect(await there.tryPropose(nowMs)).toEqual({ waitMs: pauseMs });
        expect(await here.tryPropose(nowMs + pauseMs - 1)).toEqual({ waitMs: 1 });
        expect(await there.run(nowMs + pauseMs)).toEqual(ids.slice(size, 2 * size));
        expect(await here.tryPropose(nowMs + pauseMs)).toEqual({ waitMs: pauseMs });
        expect(await here.run(nowMs + 2 * pauseMs)).toEqual(ids.slice(2 * size));
      },
    );

    test("is made up for after a delay, but for no more than a second of it", async () => {
      await using place = await open();
      const redrives = redrivesIn(place.store);
      await kill(tasksIn(place.store), 40);
      await redrives.start(nowMs, { ratePerSecond: 20 });
      expect(await redrives.run(nowMs + 350)).toHaveLength(8);
      expect(await redrives.run(nowMs + 3_600_000)).toHaveLength(22);
      expect(await redrives.tryPropose(nowMs + 3_600_000)).toEqual({ waitMs: 100 });
    });

    test("holds over a pause: what was paused for long does not come back at once", async () => {
      await using place = await open();
      const redrives = redrivesIn(place.store);
      await kill(tasksIn(place.store), 10);
      const { id } = await redrives.start(nowMs, { ratePerSecond: 20 });
      await redrives.control(id, "pause", nowMs + 1);
      await redrives.control(id, "resume", nowMs + 60_000);
      expect(await redrives.run(nowMs + 60_000)).toHaveLength(2);
      expect(await redrives.tryPropose(nowMs + 60_000)).toEqual({ waitMs: 100 });
    });

    test("is each redrive's own, and the one that is due first goes on first", async () => {
      await using place = await open();
      const redrives = redrivesIn(place.store);
      const ids = await kill(tasksIn(place.store), 4);
      const halfOf = (from: number) =>
        ({ selection: { kind: "ids", ids: ids.slice(from, from + 2) }, ratePerSecond: 1 }) as const;
      const slow = await redrives.start(nowMs, halfOf(0));
      const other = await redrives.start(nowMs + 300, halfOf(2));
      expect((await redrives.propose(nowMs + 400)).redrive.id).toBe(slow.id);
      expect(await redrives.run(nowMs + 400)).toEqual([ids[0] ?? "", ids[2] ?? ""]);
      expect(await redrives.tryPropose(nowMs + 400)).toEqual({ waitMs: 600 });
      expect(await redrives.run(nowMs + 1299)).toEqual([ids[1] ?? ""]);
      expect((await redrives.propose(nowMs + 1300)).redrive.id).toBe(other.id);
    });

    test("does not let one without a limit keep the others waiting", async () => {
      await using place = await open();
      const redrives = redrivesIn(place.store);
      const ids = await kill(tasksIn(place.store), 30);
      await redrives.start(nowMs, { selection: { kind: "ids", ids: ids.slice(0, 28) } });
      const slow = await redrives.start(nowMs, { selection: { kind: "ids", ids: ids.slice(28) }, ratePerSecond: 1 });
      // Steps of one task, as a busy dlq takes them.
      for (let atMs = nowMs; atMs < nowMs + 2600; atMs += 130) {
        const step = await redrives.propose(atMs, 1);
        await redrives.commit(step, atMs);
      }
      expect((await redrives.get(slow.id))?.moved).toBeGreaterThan(0);
    });
  });
}
