/** Waiting for a task's end: over as soon as it is committed, by whomever, and never later than asked. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { Store } from "../../../src/store/ports/store.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { recordOf, t0, tasksIn } from "../../support/stored-tasks.ts";

/** Far longer than a test may take: who resolves was woken. */
const foreverMs = 600_000;
const limitMs = 60_000;

/** Begins to wait; the store has taken the call when this resolves. */
async function beginWait(store: Store, id: string): Promise<{ end: Promise<unknown> }> {
  const end = store.awaitEnd(id, foreverMs, ROOT_CONTEXT);
  await store.ping();
  return { end };
}

export function describeAwaitEnd(open: OpenStore): void {
  describe("a wait for a task's end", () => {
    test(
      "is over when an outcome is committed through this connection",
      async () => {
        await using place = await open();
        const tasks = tasksIn(place.store);
        const { id } = await tasks.create();
        const waits = [await beginWait(place.store, id), await beginWait(place.store, id)];
        const { claim } = await tasks.win(id, t0);
        await tasks.finish(id, claim, { to: "succeeded", result: "1" }, t0 + 1);
        const ended = await tasks.get(id);
        expect(ended?.status).toBe("succeeded");
        expect(await Promise.all(waits.map(({ end }) => end))).toEqual([ended, ended]);
      },
      limitMs,
    );

    test(
      "is over when a death is recorded, not when an attempt failed before",
      async () => {
        await using place = await open();
        const tasks = tasksIn(place.store);
        const { id } = await tasks.create();
        const { end } = await beginWait(place.store, id);
        const { claim } = await tasks.win(id, t0);
        const error = { type: "E", message: "no" };
        await tasks.finish(id, claim, { to: "failed", reason: "fatal", outcome: "failed", error }, t0 + 1);
        await tasks.die(id, "fatal", t0 + 2);
        expect(await end).toEqual(await tasks.get(id));
        expect(await end).toMatchObject({ status: "dead" });
      },
      limitMs,
    );

    test(
      "is over when another connection commits the end",
      async () => {
        await using place = await open();
        const { id } = await tasksIn(place.store).create();
        const { end } = await beginWait(place.store, id);
        const others = tasksIn(await place.connectOther());
        const { claim } = await others.win(id, t0);
        await others.finish(id, claim, { to: "succeeded", result: "1" }, t0 + 1);
        expect(await end).toEqual(await others.get(id));
      },
      limitMs,
    );

    test("is over at once when the task has ended, or is not there", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      await tasks.die(id, "receive_limit", t0);
      expect(await place.store.awaitEnd(id, foreverMs, ROOT_CONTEXT)).toEqual(await tasks.get(id));
      expect(await place.store.awaitEnd(newTaskId(), foreverMs, ROOT_CONTEXT)).toBeUndefined();
    });

    test(
      "gives the task as it is when nobody waits any longer, and goes on for others",
      async () => {
        await using place = await open();
        const tasks = tasksIn(place.store);
        const task = await tasks.create();
        const other = await beginWait(place.store, task.id);
        const over = new AbortController();
        const end = place.store.awaitEnd(task.id, foreverMs, ROOT_CONTEXT, over.signal);
        await place.store.ping();
        over.abort();
        expect(await end).toEqual(recordOf(task));
        expect(await place.store.awaitEnd(task.id, foreverMs, ROOT_CONTEXT, over.signal)).toEqual(recordOf(task));
        await tasks.die(task.id, "receive_limit", t0);
        expect(await other.end).toMatchObject({ status: "dead" });
      },
      limitMs,
    );

    test("gives the task as it is when the time is over", async () => {
      await using place = await open();
      const task = await tasksIn(place.store).create();
      for (const waitMs of [0, 30]) {
        expect(await place.store.awaitEnd(task.id, waitMs, ROOT_CONTEXT)).toEqual(recordOf(task));
      }
    });
  });
}
