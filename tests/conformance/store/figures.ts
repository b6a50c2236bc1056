/** What the store holds, as metrics tell it. */

import { describe, expect, test } from "bun:test";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring } from "../../support/task-states.ts";

const hourMs = 3_600_000;

export function describeFigures(open: OpenStore): void {
  describe("the figures of a store", () => {
    test("are of none while it is empty", async () => {
      await using place = await open();
      expect(await place.store.figures(t0)).toEqual({
        active: { scheduled: 0, queued: 0, running: 0, retrying: 0, failed: 0 },
        oldestDueMs: null,
        oldestDeadMs: null,
      });
    });

    test("count what has not ended, by status, and nothing that has", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const statuses = ["scheduled", "queued", "queued", "running", "retrying", "failed", "succeeded", "dead"] as const;
      for (const status of statuses) await bring(tasks, status);
      const { active } = await place.store.figures(t0 + hourMs);
      expect(active).toEqual({ scheduled: 1, queued: 2, running: 1, retrying: 1, failed: 1 });
    });

    test("tell since when the oldest task is due, and since when the oldest dead letter is dead", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      await tasks.create({ runAtMs: t0 + 2000 });
      await tasks.create({ runAtMs: t0 + 1000 });
      const oldestAt = async (nowMs: number) => (await place.store.figures(nowMs)).oldestDueMs;
      expect([await oldestAt(t0 + 999), await oldestAt(t0 + 5000)]).toEqual([null, t0 + 1000]);
      const [first, second] = [await bring(tasks, "failed"), await bring(tasks, "failed")];
      await tasks.die(first, "fatal", t0 + hourMs);
      await tasks.die(second, "fatal", t0 + 2 * hourMs);
      expect((await place.store.figures(t0 + 3 * hourMs)).oldestDeadMs).toBe(t0 + hourMs);
    });
  });
}
