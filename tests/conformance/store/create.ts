/** A task is made once, and reads back as it was made. */

import { describe, expect, test } from "bun:test";
import { toCreatedTask } from "../../../src/store/ports/tasks.ts";
import { TaskError } from "../../../src/words/errors.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import { rejectionOf } from "../../support/rejection.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { actorAt, entryAt, newTask, recordOf, t0, tasksIn } from "../../support/stored-tasks.ts";

export function describeCreate(open: OpenStore): void {
  describe("a new task", () => {
    test("reads back whole, with the first entry of its timeline", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const task = newTask({ payload: '{"text":"äöü\\u0000 \\ud83d"}', timeoutMs: 5000, metadata: { "a b": "ü" } });
      expect(await tasks.tryCreate(task)).toEqual({ kind: "created" });
      expect(toCreatedTask(task, actorAt(t0))).toEqual(recordOf(task));
      expect(await tasks.get(task.id)).toEqual(recordOf(task));
      expect(await tasks.timeline(task.id)).toEqual([entryAt(t0, { from: null, to: "queued" })]);
    });

    test("may be scheduled for later", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const task = await tasks.create({ status: "scheduled", runAtMs: t0 + 60_000, sendAtMs: t0 + 60_000 });
      expect(await tasks.get(task.id)).toEqual(recordOf(task));
      expect(await tasks.timeline(task.id)).toEqual([entryAt(t0, { from: null, to: "scheduled" })]);
    });

    test("is known to every connection", async () => {
      await using place = await open();
      const task = await tasksIn(place.store).create();
      expect(await tasksIn(await place.connectOther()).get(task.id)).toEqual(recordOf(task));
    });

    test("is not there under another id", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      await tasks.create();
      const id = newTaskId();
      expect([await tasks.get(id), await tasks.timeline(id)]).toEqual([undefined, []]);
    });
  });

  describe("an idempotency key", () => {
    const idempotency = { key: "order 17", digest: "d1" };

    test("gives the task that was made under it, as that is now", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const first = await tasks.create({ idempotency });
      await tasks.win(first.id, t0 + 1);
      const second = newTask({ idempotency });
      const replayed = await tasks.tryCreate(second, t0 + 2);
      expect(replayed).toEqual({ kind: "replayed", task: { ...recordOf(first), ...running(t0 + 1) } });
      expect(await tasks.get(second.id)).toBeUndefined();
    });

    test("with another request is refused, and makes nothing", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      await tasks.create({ idempotency });
      const second = newTask({ idempotency: { ...idempotency, digest: "d2" } });
      expect(await tasks.tryCreate(second)).toEqual({ kind: "mismatch" });
      expect([await tasks.get(second.id), await tasks.timeline(second.id)]).toEqual([undefined, []]);
    });

    test("makes one task of many requests at once, through two connections", async () => {
      await using place = await open();
      const lines = [tasksIn(place.store), tasksIn(await place.connectOther())];
      const asked = Array.from({ length: 20 }, () => newTask({ idempotency }));
      const results = await Promise.all(asked.flatMap((task, n) => lines[n % 2]?.tryCreate(task) ?? []));
      expect(results.map(({ kind }) => kind).sort()).toEqual(["created", ...Array(19).fill("replayed")]);
      const made = asked[results.findIndex(({ kind }) => kind === "created")]?.id;
      expect(new Set(results.map((result) => ("task" in result ? result.task.id : made)))).toEqual(new Set([made]));
    });
  });

  describe("a call that cannot be done", () => {
    test("fails alone: what came in the same turn is done, once", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const [known, before, after] = [await tasks.create(), newTask(), newTask()];
      const results = await Promise.allSettled([
        tasks.tryCreate(before),
        tasks.tryCreate({ ...known, payload: '"another"' }),
        tasks.claim(known.id, t0),
        tasks.tryCreate(after),
      ]);
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
      expect(results[1]).toMatchObject({ reason: expect.any(TaskError) });
      expect(results[2]).toMatchObject({ value: { kind: "won", claim: 1 } });
      expect(await tasks.get(known.id)).toEqual({ ...recordOf(known), ...running(t0) });
      const timelines = await Promise.all([before, known, after].map(({ id }) => tasks.timeline(id)));
      expect(timelines.map((timeline) => timeline.map(({ to }) => to))).toEqual([
        ["queued"],
        ["queued", "running"],
        ["queued"],
      ]);
    });

    test("leaves nothing of itself behind", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const known = await tasks.create();
      const twice = tasks.tryCreate({ ...known, idempotency: { key: "k", digest: "d1" } });
      expect(await rejectionOf(twice)).toMatchObject({ code: "internal" });
      const later = newTask({ idempotency: { key: "k", digest: "d2" } });
      expect(await tasks.tryCreate(later)).toEqual({ kind: "created" });
    });
  });
}

function running(startedAtMs: number) {
  return { status: "running", attempt: 1, startedAtMs } as const;
}
