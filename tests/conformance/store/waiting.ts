/** What waits for its first claim since the broker confirmed a message: counted, and sent again if that was lost. */

import { describe, expect, test } from "bun:test";
import { taskStatuses } from "../../../src/words/task.ts";
import { redrivesIn } from "../../support/redrives.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring, interrupted, retrying } from "../../support/task-states.ts";

const hourMs = 3_600_000;

export function describeWaiting(open: OpenStore): void {
  describe("a task whose message was confirmed and that nobody has claimed since", () => {
    test("counts as waiting from then on, whatever state it is in, and no other does", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const { store } = place;
      expect(await store.countWaiting(t0 + hourMs)).toBe(0);
      const revived = await bring(tasks, "dead");
      await redrives.start(t0 + 30);
      await redrives.run(t0 + 30);
      for (const status of taskStatuses) {
        await bring(tasks, status);
        // Of these a confirmation may come at any time: before the end, or too late.
        const id = await bring(tasks, status);
        const claim = ["scheduled", "queued", "canceled"].includes(status) ? 0 : 1;
        await tasks.confirm(t0 + 100, { id, claim });
      }
      expect([await store.countWaiting(t0 + 99), await store.countWaiting(t0 + 101)]).toEqual([0, 2]);
      await tasks.confirm(t0 + 200, { id: revived, claim: 1 });
      const other = await place.connectOther();
      expect([await other.countWaiting(t0 + 199), await other.countWaiting(t0 + 201)]).toEqual([2, 3]);
    });

    test("is not due, until it is sent again: the oldest first, and so many", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { store } = place;
      const [second, first, third] = await Promise.all([1, 2, 3].map(async () => (await tasks.create()).id));
      const ids = [first, second, third].map((id) => id ?? "");
      for (const [n, id] of ids.entries()) await tasks.confirm(t0 + n, { id, claim: 0 });
      const held = { holdMs: 10 * hourMs };
      expect(await tasks.due(t0 + hourMs, held)).toEqual([]);

      expect(await store.resendWaiting(t0 - 1, 10, t0 + hourMs)).toBe(0);
      expect(await store.resendWaiting(t0 + 10, 2, t0 + hourMs)).toBe(2);
      expect(await store.countWaiting(t0 + 10)).toBe(1);
      expect(await tasks.due(t0 + hourMs - 1, held)).toEqual([]);
      expect(new Set(await tasks.due(t0 + hourMs, held))).toEqual(new Set(ids.slice(0, 2)));

      await tasks.confirm(t0 + hourMs, { id: ids[0] ?? "", claim: 0 });
      expect([await store.countWaiting(t0 + 10), await store.countWaiting(t0 + hourMs + 1)]).toEqual([1, 2]);
      expect(await store.resendWaiting(t0 + 10, 10, t0 + hourMs)).toBe(1);
      expect(await tasks.due(t0 + hourMs, held)).toEqual([ids[2] ?? ""]);
    });

    test("waits no longer once it is claimed, nor after an attempt, until that send is confirmed", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { store } = place;
      const waiting = (): Promise<number> => store.countWaiting(t0 + hourMs);
      const { id } = await tasks.create();
      await tasks.markSent(id);
      expect(await waiting()).toBe(1);
      await tasks.win(id, t0);
      expect([await waiting(), await store.resendWaiting(t0 + hourMs, 10, t0)]).toEqual([0, 0]);
      await tasks.finish(id, 1, interrupted, t0 + 1);
      expect(await waiting()).toBe(0);
      await tasks.confirm(t0 + 2, { id, claim: 1 });
      expect(await waiting()).toBe(1);
      await tasks.win(id, t0 + 3);
      await tasks.finish(id, 2, retrying, t0 + 4);
      expect(await waiting()).toBe(0);
      await tasks.confirm(t0 + 5, { id, claim: 2 });
      expect(await waiting()).toBe(1);
      await tasks.win(id, t0 + hourMs);
      expect([await waiting(), await tasks.due(t0 + hourMs)]).toEqual([0, []]);
    });

    test("is none by a confirmation that comes after a claim: that changes nothing", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      for (const [ending, dueMs] of [
        [interrupted, t0 + hourMs],
        [retrying, retrying.to === "retrying" ? retrying.sendAtMs : 0],
      ] as const) {
        const { id } = await tasks.create();
        await tasks.win(id, t0);
        await tasks.confirm(t0 + 1, { id, claim: 0 }, { id, claim: 1 });
        await tasks.finish(id, 1, ending, t0 + 2);
        await tasks.confirm(t0 + 3, { id, claim: 0 });
        expect(await place.store.countWaiting(t0 + hourMs)).toBe(0);
        expect(await tasks.due(dueMs, { holdMs: 10 * hourMs })).toEqual([id]);
      }
    });

    test("is none while it runs or has failed: sent because a worker or its letter is gone, it stays due", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const ids = [await bring(tasks, "running"), await bring(tasks, "failed")];
      const laterMs = t0 + hourMs;
      expect(new Set(await tasks.due(laterMs, { holdMs: 1000 }))).toEqual(new Set(ids));
      await tasks.confirm(laterMs + 1, ...ids.map((id) => ({ id, claim: 1 })));
      expect(await place.store.countWaiting(laterMs + hourMs)).toBe(0);
      expect(new Set(await tasks.due(laterMs + 1000))).toEqual(new Set(ids));
    });
  });
}
