/** Watching a task: each change is told once, as soon as it is committed, also to who comes back after a break. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { Store } from "../../../src/store/ports/store.ts";
import { nothingSeen, type Seen, type WatchedTask } from "../../../src/store/ports/tasks.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { finishOne } from "../../support/store-entries.ts";
import { leaseMs, t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring, endMs, failed, keptOf, retrying, startMs, succeeded } from "../../support/task-states.ts";

/** Far longer than a test may take: who resolves was woken. */
const foreverMs = 600_000;

/** Begins to wait; the store has taken the call when this resolves. */
async function begin(store: Store, id: string, seen: Seen): Promise<{ news: Promise<WatchedTask | undefined> }> {
  const news = store.awaitChange(id, seen, foreverMs, ROOT_CONTEXT);
  await store.ping();
  return { news };
}

/** The numbers of what is there, with the states that were entered. */
function numbered(watched: WatchedTask | undefined): [number, string][] {
  return (watched?.timeline ?? []).map(({ to }, n) => [n + (watched?.firstNumber ?? 0), to]);
}

export function describeWatch(open: OpenStore): void {
  describe("a watch on a task", () => {
    test("tells the whole of it to who has seen nothing, with its changes numbered", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await bring(tasks, "retrying");
      const watched = await place.store.awaitChange(id, nothingSeen, foreverMs, ROOT_CONTEXT);
      expect<unknown>(watched).toEqual({ ...(await keptOf(tasks, id)), firstNumber: 1 });
      expect(numbered(watched)).toEqual([
        [1, "queued"],
        [2, "running"],
        [3, "retrying"],
      ]);
    });

    test("is over with the next change, whoever commits it", async () => {
      await using place = await open();
      const [tasks, others] = [tasksIn(place.store), tasksIn(await place.connectOther())];
      const { id } = await tasks.create();
      const claimed = await begin(place.store, id, { entry: 1, progress: null });
      await others.win(id, startMs);
      expect(numbered(await claimed.news).at(-1)).toEqual([2, "running"]);
      const failing = await begin(place.store, id, { entry: 2, progress: null });
      await tasks.finish(id, 1, retrying, endMs);
      expect(numbered(await failing.news).at(-1)).toEqual([3, "retrying"]);
    });

    test("is over with the next progress, and not with what changes nothing that is told", async () => {
      await using place = await open();
      const [store, tasks] = [place.store, tasksIn(place.store)];
      const { id } = await tasks.create();
      await tasks.win(id, startMs);
      await store.noteProgress([{ id, claim: 1, share: 0.25 }], ROOT_CONTEXT);
      const { news } = await begin(store, id, { entry: 2, progress: 0.25 });
      await store.noteProgress([{ id, claim: 1, share: 0.25 }], ROOT_CONTEXT);
      await tasks.extend([{ id, claim: 1 }], startMs + 1);
      await store.noteProgress([{ id, claim: 1, share: 0.5 }], ROOT_CONTEXT);
      expect((await news)?.task.progress).toBe(0.5);
    });

    test("of a task that has ended, or is not there, never waits", async () => {
      await using place = await open();
      const id = await bring(tasksIn(place.store), "dead");
      const watched = await place.store.awaitChange(id, { entry: 4, progress: null }, foreverMs, ROOT_CONTEXT);
      expect(watched?.task.status).toBe("dead");
      expect(await place.store.awaitChange(newTaskId(), nothingSeen, foreverMs, ROOT_CONTEXT)).toBeUndefined();
    });

    test("gives the task as it is when the time is over, or when nobody waits any longer", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      const asItIs = { ...(await keptOf(tasks, id)), firstNumber: 1 };
      const seen = { entry: 1, progress: null };
      expect<unknown>(await place.store.awaitChange(id, seen, 20, ROOT_CONTEXT)).toEqual(asItIs);
      const over = new AbortController();
      const given = place.store.awaitChange(id, seen, foreverMs, ROOT_CONTEXT, over.signal);
      await place.store.ping();
      over.abort();
      expect<unknown>(await given).toEqual(asItIs);
    });
  });

  describe("progress", () => {
    test("is the newest that the newest attempt has said, and stays after its end", async () => {
      await using place = await open();
      const [store, tasks] = [place.store, tasksIn(place.store)];
      const note = (claim: number, share: number) => store.noteProgress([{ id, claim, share }], ROOT_CONTEXT);
      const progress = async () => (await (await place.connectOther()).get(id, ROOT_CONTEXT))?.progress;
      const { id } = await tasks.create();
      await note(0, 0.1);
      expect(await progress()).toBeNull();
      await tasks.win(id, startMs);
      await note(1, 0.1);
      await note(1, 0.3);
      expect(await progress()).toBe(0.3);
      const second = await tasks.win(id, startMs + leaseMs);
      expect(second.task.progress).toBeNull();
      await note(1, 0.9);
      expect(await progress()).toBeNull();
      await note(2, 0.2);
      const timeline = await tasks.timeline(id);
      await tasks.finish(id, 2, succeeded, startMs + leaseMs + 1);
      await note(2, 0.4);
      expect(await progress()).toBe(0.2);
      expect(await tasks.timeline(id)).toHaveLength(timeline.length + 1);
    });

    test("that was not noted in time comes with the outcome, of any kind", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      for (const ending of [succeeded, retrying, failed]) {
        const id = await bring(tasks, "running");
        const request = { id, claim: 1, ending, actor: { atMs: t0 + 30, service: "w", traceId: "", spanId: "" } };
        await finishOne(place.store, { ...request, progress: 0.75 }, ROOT_CONTEXT);
        expect((await tasks.get(id))?.progress).toBe(0.75);
      }
    });
  });
}
