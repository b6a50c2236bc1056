/** Calls that carry many entries: each entry has the fate that it would have alone, in the order of the entries. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import fc from "fast-check";
import type { ClaimRequest, Ending, FinishRequest } from "../../../src/store/ports/attempts.ts";
import type { Store } from "../../../src/store/ports/store.ts";
import type { Creation, NewTask } from "../../../src/store/ports/tasks.ts";
import type { EntryResult } from "../../../src/words/entry-result.ts";
import type { TaskStatus } from "../../../src/words/task.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { actorAt, leaseMs, newTask, recordOf, type StoredTasks, t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring, endMs, failed, interrupted, keptOf, retrying, startMs, succeeded } from "../../support/task-states.ts";

export interface BatchOptions {
  /** How many batches are drawn. */
  runs: number;
  /** Entries about one task, or under one idempotency key, are done in their order. */
  isInOrder: boolean;
}

export function describeBatches(open: OpenStore, options: BatchOptions): void {
  describe("a batch of nothing", () => {
    test("has no results", async () => {
      await using place = await open();
      const { store } = place;
      expect(await Promise.all([store.create([]), store.claim([]), store.finish([])])).toEqual([[], [], []]);
    });
  });

  describe("entries of one batch that meet", () => {
    test("under one idempotency key make one task, and another request under it is refused", async () => {
      await using place = await open();
      const { store } = place;
      const keyed = (key: string, digest: string) => creationOf(newTask({ idempotency: { key, digest } }));
      const same = [keyed("same", "d1"), keyed("same", "d1")];
      const other = [keyed("other", "d1"), keyed("other", "d2")];
      const results = await store.create([...same, creationOf(newTask()), ...other]);
      const kinds = kindsOf(results);
      expect(kinds.slice(0, 2).sort()).toEqual(["created", "replayed"]);
      expect(kinds[2]).toBe("created");
      expect(kinds.slice(3).sort()).toEqual(["created", "mismatch"]);
      const made = same[kinds.indexOf("created")]?.task ?? newTask();
      const replayed = results[kinds.indexOf("replayed")];
      expect(replayed).toEqual({ kind: "done", value: { kind: "replayed", task: recordOf(made) } });
    });

    test("as claims of one task are won once", async () => {
      await using place = await open();
      const { store } = place;
      const tasks = tasksIn(store);
      const [one, two] = [await tasks.create(), await tasks.create()];
      const results = await store.claim([one, two, one].map(({ id }) => claimOf(id)));
      const kinds = kindsOf(results);
      expect([kinds[0], kinds[2]].sort()).toEqual(["leased", "won"]);
      expect(kinds[1]).toBe("won");
      expect((await tasks.get(one.id))?.attempt).toBe(1);
    });

    test("as a claim and an outcome of one task: the outcome is taken, and the claim wins nothing", async () => {
      await using place = await open();
      const { store } = place;
      const tasks = tasksIn(store);
      const id = await bring(tasks, "running");
      const [[ended], [claimed]] = await Promise.all([store.finish([finishOf(id, 1)]), store.claim([claimOf(id)])]);
      expect(ended).toEqual({ kind: "done", value: "succeeded" });
      expect(["leased", "ended"]).toContain(kindOf(claimed));
      expect((await tasks.timeline(id)).map(({ to }) => to)).toEqual(["queued", "running", "succeeded"]);
    });
  });

  describe("any mix of entries in one batch", () => {
    const properties = { numRuns: options.runs };

    test("creates what each would alone", async () => {
      await using place = await open();
      const entry = fc.record({ key: fc.option(fc.nat(2)), digest: fc.nat(1), isTaken: fc.boolean() });
      const drawn = fc.array(entry, { minLength: 1, maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(drawn, async (entries) => {
          const asked = options.isInOrder ? entries : withoutTwins(entries, ({ key }) => key);
          await expectSame(
            place.store,
            async (tasks) => {
              const [taken, world] = [await tasks.create(), newTaskId()];
              const creations = asked.map(({ key, digest, isTaken }) => {
                const idempotency = key === null ? null : { key: `${world} ${key}`, digest: `d${digest}` };
                return creationOf(newTask({ ...(isTaken && { id: taken.id }), idempotency }));
              });
              return { entries: creations, ids: [taken.id, ...creations.map(({ task }) => task.id)] };
            },
            (store, creations) => store.create(creations),
          );
        }),
        properties,
      );
    });

    test("claims what each would alone", async () => {
      await using place = await open();
      const entry = fc.record({ status: fc.constantFrom(...claimed), again: fc.boolean() });
      const drawn = fc.array(entry, { minLength: 1, maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(drawn, async (entries) => {
          await expectSame(
            place.store,
            async (tasks) => {
              const ids = await Promise.all(
                entries.map(({ status }) => (status === "unknown" ? newTaskId() : bring(tasks, status))),
              );
              const again = ids.filter((_, n) => options.isInOrder && entries[n]?.again);
              return { entries: [...ids, ...again].map((id) => claimOf(id, t0 + 1000)), ids };
            },
            (store, requests) => store.claim(requests),
          );
        }),
        properties,
      );
    });

    test("ends what each would alone", async () => {
      await using place = await open();
      const entry = fc.record({
        task: fc.nat(4),
        claim: fc.constantFrom(1, 1, 1, 2),
        ending: fc.constantFrom<Ending>(succeeded, retrying, failed, interrupted),
        isTooLarge: fc.constantFrom(false, false, false, true),
      });
      const drawn = fc.array(entry, { minLength: 1, maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(drawn, async (entries) => {
          const asked = options.isInOrder ? entries : withoutTwins(entries, ({ task }) => task);
          await expectSame(
            place.store,
            async (tasks) => {
              const running = await Promise.all(Array.from({ length: 4 }, () => bring(tasks, "running")));
              const ids = [...running, newTaskId()];
              // The cancel of one of them is asked for.
              await tasks.cancel(ids[0] ?? "", startMs + 1);
              const requests = asked.map(({ task, claim, ending, isTooLarge }, n) => ({
                ...finishOf(ids[task] ?? "", claim, ending),
                actor: actorAt(endMs + n),
                // No table takes it.
                ...(isTooLarge && { progress: "much" as unknown as number }),
              }));
              return { entries: options.isInOrder ? requests : requests.map(withoutMisfit), ids };
            },
            (store, requests) => store.finish(requests),
          );
        }),
        properties,
      );
    });
  });
}

const claimed = [
  "queued",
  "queued",
  "scheduled",
  "running",
  "retrying",
  "succeeded",
  "failed",
  "dead",
  "canceled",
  "unknown",
] as const satisfies (TaskStatus | "unknown")[];

interface Asked<Entry> {
  entries: Entry[];
  /** The tasks that the entries are about. */
  ids: string[];
}

/**
 * Lays out the same tasks twice; asks for the entries of one in one batch, and for those of the other one after the
 * other. The results and what is then stored are the same, but for the ids.
 */
async function expectSame<Entry>(
  store: Store,
  layOut: (tasks: StoredTasks) => Promise<Asked<Entry>>,
  ask: (store: Store, entries: Entry[]) => Promise<EntryResult<unknown>[]>,
): Promise<void> {
  const tasks = tasksIn(store);
  const [together, alone] = [await layOut(tasks), await layOut(tasks)];
  const inOneBatch = await ask(store, together.entries);
  const oneByOne: EntryResult<unknown>[] = [];
  for (const entry of alone.entries) oneByOne.push(...(await ask(store, [entry])));
  expect(withoutIds(inOneBatch.map(shownResult), together.ids)).toBe(withoutIds(oneByOne.map(shownResult), alone.ids));
  const stored = ({ ids }: Asked<Entry>) => Promise.all(ids.map((id) => keptOf(tasks, id)));
  const [storedTogether, storedAlone] = [await stored(together), await stored(alone)];
  expect(withoutIds(storedTogether, together.ids)).toBe(withoutIds(storedAlone, alone.ids));
}

function shownResult(result: EntryResult<unknown>): unknown {
  return result.kind === "failed" ? result.error.code : result;
}

/** JSON text in which each id is its place. */
function withoutIds(value: unknown, ids: readonly string[]): string {
  return ids.reduce((text, id, n) => text.replaceAll(id, `task ${n}`), JSON.stringify(value));
}

/** The first of those that have the same key; null is no key. */
function withoutTwins<Entry>(entries: readonly Entry[], keyOf: (entry: Entry) => number | null): Entry[] {
  return entries.filter((entry, n) => {
    const key = keyOf(entry);
    return key === null || entries.findIndex((other) => keyOf(other) === key) === n;
  });
}

function withoutMisfit({ progress: _, ...request }: FinishRequest): FinishRequest {
  return request;
}

function creationOf(task: NewTask): Creation {
  return { task, actor: actorAt(t0), context: ROOT_CONTEXT };
}

function claimOf(id: string, atMs = startMs + 1): ClaimRequest {
  return { id, worker: "w1", leaseMs, actor: actorAt(atMs), context: ROOT_CONTEXT };
}

function finishOf(id: string, claim: number, ending: Ending = succeeded): FinishRequest {
  return { id, claim, ending, actor: actorAt(endMs), context: ROOT_CONTEXT };
}

function kindOf(result: EntryResult<{ kind: string }> | undefined): string {
  return result?.kind === "done" ? result.value.kind : "failed";
}

function kindsOf(results: readonly EntryResult<{ kind: string }>[]): string[] {
  return results.map(kindOf);
}
