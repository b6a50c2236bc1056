/** Schedules: kept as they were written, found when they are due, changed once by whoever comes first. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { rejectionOf } from "../../support/rejection.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { changed, newSchedule, schedulesIn } from "../../support/stored-schedules.ts";
import { newTask, recordOf, t0, tasksIn } from "../../support/stored-tasks.ts";

const minuteMs = 60_000;

export function describeSchedules(open: OpenStore): void {
  describe("a schedule", () => {
    test("is kept as it was written, for every connection and after all have closed", async () => {
      await using place = await open();
      const schedules = schedulesIn(place.store);
      const full = newSchedule({
        timing: {
          rule: { kind: "cron", cron: "0 3 * * *", timeZone: "Europe/Berlin" },
          startAtMs: t0,
          endAtMs: t0 + 1,
        },
        task: { type: "a", payload: '"ü\\n"', metadata: { "odd key": "…" }, maxAttempts: 3, timeoutMs: 1500 },
        overlap: "buffer_one",
        heldTickMs: t0 - 1,
        lastRun: { taskId: "t", scheduledForMs: t0 - 2 },
      });
      expect(await schedules.get("nightly")).toBeUndefined();
      expect(await schedules.tryCreate(full)).toBe("created");
      expect(await schedulesIn(await place.connectOther()).get("nightly")).toEqual(full);
      expect(await schedulesIn(await place.reopen()).get("nightly")).toEqual(full);
    });

    test("is refused when there is one of its id, or when there are as many as may be", async () => {
      await using place = await open();
      const schedules = schedulesIn(place.store);
      const first = await schedules.create();
      expect(await schedules.tryCreate(newSchedule({ catchUp: 7 }))).toBe("exists");
      expect(await schedules.tryCreate(first)).toBe("exists");
      expect(await schedules.get("nightly")).toEqual(first);
      expect(await schedules.tryCreate(newSchedule({ id: "second" }), 1)).toBe("full");
      expect(await schedules.tryCreate(newSchedule(), 1)).toBe("exists");
      expect(await schedules.list()).toEqual(["nightly"]);
      expect(await schedules.tryCreate(newSchedule({ id: "second" }), 2)).toBe("created");
    });

    test("is listed in the order of the ids, page by page, whether it rests or not", async () => {
      await using place = await open();
      const schedules = schedulesIn(place.store);
      for (const id of ["d", "B", "a", "c"]) await schedules.create({ id, lookAtMs: id === "c" ? null : t0 });
      expect(await schedules.list()).toEqual(["B", "a", "c", "d"]);
      expect(await schedules.list("", 2)).toEqual(["B", "a"]);
      expect(await schedules.list("a", 2)).toEqual(["c", "d"]);
      expect(await schedules.list("d")).toEqual([]);
    });

    test("is due at its time, the longest due first, and tells when the next one is", async () => {
      await using place = await open();
      const schedules = schedulesIn(place.store);
      expect(await schedules.due(t0)).toEqual({ ids: [], nextMs: null });
      await schedules.create({ id: "late", lookAtMs: t0 + 3 * minuteMs });
      await schedules.create({ id: "early", lookAtMs: t0 + minuteMs });
      await schedules.create({ id: "middle", lookAtMs: t0 + 2 * minuteMs });
      await schedules.create({ id: "resting", lookAtMs: null });
      expect(await schedules.due(t0 + minuteMs - 1)).toEqual({ ids: [], nextMs: t0 + minuteMs });
      expect(await schedules.due(t0 + minuteMs)).toEqual({ ids: ["early"], nextMs: t0 + 2 * minuteMs });
      expect(await schedules.due(t0 + 2 * minuteMs)).toEqual({ ids: ["early", "middle"], nextMs: t0 + 3 * minuteMs });
      expect((await schedules.due(t0 + 9 * minuteMs, 2)).ids).toEqual(["early", "middle"]);
      expect(await schedules.due(t0 + 2 * minuteMs, 1)).toEqual({ ids: ["early"], nextMs: t0 + 3 * minuteMs });
      expect(await schedules.due(t0 + 9 * minuteMs)).toEqual({ ids: ["early", "middle", "late"], nextMs: null });
    });

    test("that was deleted is due no more, changes no more, and its id is free", async () => {
      await using place = await open();
      const schedules = schedulesIn(place.store);
      const schedule = await schedules.create();
      expect(await schedules.delete("nightly")).toBe(true);
      expect(await schedules.delete("nightly")).toBe(false);
      const task = newTask();
      expect(await schedules.fire(changed(schedule), task)).toBe("moved_on");
      expect(await tasksIn(place.store).get(task.id)).toBeUndefined();
      expect(await schedules.get("nightly")).toBeUndefined();
      expect(await schedules.due(t0 + minuteMs)).toEqual({ ids: [], nextMs: null });
      expect(await schedules.list()).toEqual([]);
      expect(await schedules.create({ catchUp: 2 })).toMatchObject({ catchUp: 2 });
    });
  });

  describe("a change of a schedule", () => {
    test("takes effect if it follows the newest, with its task or without", async () => {
      await using place = await open();
      const [schedules, tasks] = [schedulesIn(place.store), tasksIn(place.store)];
      const first = await schedules.create();
      const second = changed(first, { nextTickMs: t0 + 2 * minuteMs, lookAtMs: t0 + 2 * minuteMs, fired: 1 });
      const task = newTask();
      expect(await schedules.fire(second, task)).toBe("changed");
      expect(await tasks.get(task.id)).toEqual(recordOf(task));
      expect(await tasks.timeline(task.id)).toMatchObject([{ from: null, to: "queued" }]);
      expect(await schedules.get("nightly")).toEqual(second);
      expect(await schedules.due(t0 + minuteMs)).toEqual({ ids: [], nextMs: t0 + 2 * minuteMs });

      const paused = changed(second, { isPaused: true, nextTickMs: null, lookAtMs: null });
      expect(await schedules.change(paused)).toBe("changed");
      expect(await schedules.due(t0 + 9 * minuteMs)).toEqual({ ids: [], nextMs: null });
      const resumed = changed(paused, { isPaused: false, lookAtMs: t0 + minuteMs });
      expect(await schedules.change(resumed)).toBe("changed");
      expect((await schedules.due(t0 + minuteMs)).ids).toEqual(["nightly"]);
    });

    test("that comes too late changes nothing and makes no task", async () => {
      await using place = await open();
      const [schedules, tasks] = [schedulesIn(place.store), tasksIn(place.store)];
      const first = await schedules.create();
      const second = changed(first, { fired: 1 });
      await schedules.change(second);
      const task = newTask();
      expect(await schedules.fire(changed(first, { fired: 7 }), task)).toBe("moved_on");
      expect(await schedules.change(second)).toBe("moved_on");
      expect(await schedules.change(changed(first))).toBe("moved_on");
      expect(await schedules.fire(changed(changed(second)), task)).toBe("moved_on");
      expect(await tasks.get(task.id)).toBeUndefined();
      expect(await schedules.get("nightly")).toEqual(second);
    });

    test("is refused with a run whose task is there already, and changes nothing", async () => {
      await using place = await open();
      const [schedules, tasks] = [schedulesIn(place.store), tasksIn(place.store)];
      const first = await schedules.create();
      const task = await tasks.create();
      const fired = schedules.fire(changed(first, { fired: 1 }), newTask({ id: task.id, payload: "2" }));
      expect(await rejectionOf(fired)).toMatchObject({ code: "internal" });
      expect(await schedules.get("nightly")).toEqual(first);
      expect(await tasks.get(task.id)).toEqual(recordOf(task));
    });

    test("of many at once is made by one, with its own task", async () => {
      await using place = await open();
      const stores = [place.store, await place.connectOther(), await place.connectOther()];
      let schedule = await schedulesIn(place.store).create();
      for (let tick = 1; tick <= 5; tick++) {
        const tries = stores.flatMap((store) => [store, store]).map((store) => ({ store, task: newTask() }));
        const after = changed(schedule, { fired: tick });
        const results = await Promise.all(tries.map(({ store, task }) => schedulesIn(store).fire({ ...after }, task)));
        expect(results.toSorted()).toEqual(["changed", ...Array<"moved_on">(5).fill("moved_on")]);
        const made = await Promise.all(tries.map(({ task }) => place.store.get(task.id, ROOT_CONTEXT)));
        expect(made.map((task) => task !== undefined)).toEqual(results.map((result) => result === "changed"));
        schedule = after;
      }
      expect(await schedulesIn(place.store).get("nightly")).toEqual(schedule);
    });
  });
}
