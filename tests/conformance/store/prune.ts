/** What ended long ago is removed, whole, in small steps, and nothing else is. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { v7 as uuidv7 } from "uuid";
import { isEnded, taskStatuses } from "../../../src/words/task.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import { redrivesIn } from "../../support/redrives.ts";
import type { OpenStore, TestStore } from "../../support/sqlite-store.ts";
import { newTask, t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring, endMs, keptOf, runToDeath } from "../../support/task-states.ts";

const hourMs = 3_600_000;

/** Walks from the first to the last step; what was pruned, and how many steps it took. */
async function pruneAll(
  { store }: Pick<TestStore, "store">,
  endedBeforeMs: number,
  limit: number,
): Promise<[number, number]> {
  let after: string | null = "";
  let [pruned, steps] = [0, 0];
  while (after !== null) {
    const result: { pruned: number; next: string | null } = await store.prune(endedBeforeMs, after, limit);
    [after, pruned, steps] = [result.next, pruned + result.pruned, steps + 1];
  }
  return [pruned, steps];
}

/** An id as a task has that was made at that time. */
function idAt(atMs: number): string {
  return uuidv7({ msecs: atMs });
}

export function describePrune(open: OpenStore): void {
  describe("pruning", () => {
    test("removes what ended before that time, and nothing that is live, however old", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const brought = taskStatuses.map(async (status) => ({
        status,
        id: await bring(tasks, status, { id: idAt(t0) }),
      }));
      const ids = await Promise.all(brought);
      const before = await Promise.all(ids.map(({ id }) => keptOf(tasks, id)));
      expect(await pruneAll(place, endMs, 100)).toEqual([0, 1]);
      expect(await Promise.all(ids.map(({ id }) => keptOf(tasks, id)))).toEqual(before);
      expect(await pruneAll(place, endMs + 1, 100)).toEqual([4, 1]);
      const gone = { task: undefined, timeline: [] };
      const left = await Promise.all(ids.map(({ id }) => keptOf(tasks, id)));
      expect<unknown>(left).toEqual(before.map((kept, n) => (isEnded(ids[n]?.status ?? "queued") ? gone : kept)));
    });

    test("removes all of a task: its dead letter, and its idempotency key, which may be used anew", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const idempotency = { key: "order 17", digest: "d1" };
      const kept = { key: "order 18", digest: "d1" };
      const id = await bring(tasks, "dead", { id: idAt(t0), idempotency });
      await bring(tasks, "queued", { id: idAt(t0), idempotency: kept });
      expect(await pruneAll(place, t0 + hourMs, 100)).toEqual([1, 1]);
      expect([await redrives.list(), await redrives.count()]).toEqual([[], { matched: 0, refused: 0 }]);
      expect(await tasks.claim(id, t0)).toEqual({ kind: "unknown" });
      expect(await tasks.die(id, "fatal", t0)).toEqual({ kind: "unknown" });
      const anew = newTask({ idempotency: { ...idempotency, digest: "d2" } });
      expect(await tasks.tryCreate(anew)).toEqual({ kind: "created" });
      const another = newTask({ idempotency: { ...kept, digest: "d2" } });
      expect(await tasks.tryCreate(another)).toEqual({ kind: "mismatch" });
    });

    test("goes by the end, not by the beginning; a dead letter's is its death, a discarded one's the discard", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const [canceled, dead, discarded] = await Promise.all(
        (["queued", "failed", "dead"] as const).map((status) => bring(tasks, status, { id: idAt(t0) })),
      );
      await tasks.cancel(canceled ?? "", t0 + hourMs);
      await tasks.die(dead ?? "", "fatal", t0 + hourMs);
      await tasks.discard(discarded ?? "", "no use", t0 + hourMs);
      expect(await pruneAll(place, t0 + hourMs, 100)).toEqual([0, 1]);
      expect(await pruneAll(place, t0 + hourMs + 1, 100)).toEqual([3, 1]);
    });

    test("goes in small steps over what there is, and ends with what was made too late to have ended", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const cutMs = t0 + hourMs;
      const old = await Promise.all(
        Array.from({ length: 11 }, async (_, n) => {
          const id = idAt(t0 + n);
          await bring(tasks, n % 3 === 0 ? "queued" : "canceled", { id });
          return id;
        }),
      );
      for (let n = 0; n < 20; n++) await tasks.create({ id: idAt(cutMs + n) });
      const [first, second] = [await place.store.prune(cutMs, "", 4), await place.store.prune(cutMs, old[3] ?? "", 4)];
      expect([first, second]).toEqual([
        { pruned: 2, next: old[3] ?? "" },
        { pruned: 3, next: old[7] ?? "" },
      ]);
      expect(await place.store.prune(cutMs, old[7] ?? "", 4)).toEqual({ pruned: 2, next: null });
      expect(await pruneAll(place, cutMs, 4)).toEqual([0, 2]);
    });

    test("ends with old unreadable messages and redrives that are over, not with those that go on", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const letter = { body: "", attributes: {}, reason: "unreadable" };
      await place.store.keepUnreadable({ ...letter, messageId: "old", atMs: t0 }, ROOT_CONTEXT);
      await place.store.keepUnreadable({ ...letter, messageId: "new", atMs: t0 + hourMs }, ROOT_CONTEXT);
      const over = await redrives.start(t0);
      await tasks.die((await tasks.create({ id: idAt(t0 + hourMs) })).id, "receive_limit", t0 + hourMs);
      const [running, paused] = [await redrives.start(t0), await redrives.start(t0)];
      await redrives.control(paused.id, "pause", t0);
      const late = await redrives.start(t0 + hourMs, { selection: { kind: "ids", ids: [] } });

      expect(await pruneAll(place, t0 + hourMs, 100)).toEqual([0, 1]);

      expect((await place.store.listUnreadable(10, ROOT_CONTEXT)).map(({ messageId }) => messageId)).toEqual(["new"]);
      const left = await Promise.all([over, running, paused, late].map(({ id }) => redrives.get(id)));
      expect(left.map((redrive) => redrive?.status)).toEqual([undefined, "running", "paused", "completed"]);
    });

    test("in the middle of a redrive: what it removes has failed", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const [gone, back] = [idAt(t0), newTaskId()];
      for (const id of [gone, back]) {
        await tasks.create({ id });
        await runToDeath(tasks, id, t0);
      }
      const { id } = await redrives.start(t0 + 1);
      const step = await redrives.propose(t0 + 1);
      expect(await pruneAll(place, t0 + 1, 100)).toEqual([1, 1]);
      expect((await redrives.commit(step, t0 + 2)).map((task) => task.id)).toEqual([back]);
      expect(await redrives.get(id)).toMatchObject({ status: "completed", matched: 2, moved: 1, failed: 1 });
    });
  });
}
