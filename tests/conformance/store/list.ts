/** Lists of tasks: newest first, whatever was asked for, page after page without gaps or repeats. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import fc from "fast-check";
import { v7 as uuidv7 } from "uuid";
import type { Store } from "../../../src/store/ports/store.ts";
import type { TaskFilter } from "../../../src/store/ports/tasks.ts";
import { type TaskStatus, taskStatuses } from "../../../src/words/task.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { type StoredTasks, t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring } from "../../support/task-states.ts";

/** An id as a task has it that was made then. */
function idAt(atMs: number): string {
  return uuidv7({ msecs: atMs });
}

interface Made {
  id: string;
  status: TaskStatus;
  type: string;
  correlationId: string;
  atMs: number;
}

async function make(tasks: StoredTasks, made: Partial<Omit<Made, "id">>): Promise<Made> {
  const whole = { status: "queued" as const, type: "echo", correlationId: "c-1", atMs: t0, ...made };
  const { status, type, correlationId, atMs } = whole;
  const id = await bring(tasks, status, { id: idAt(atMs), type, correlationId }, atMs);
  return { ...whole, id };
}

/** Every page of that size, to the last. */
async function walk(store: Store, filter: TaskFilter, limit = 100): Promise<string[]> {
  const seen: string[] = [];
  let next: string | null = null;
  do {
    const page = await store.listTasks(filter, limit, next, ROOT_CONTEXT);
    if (page.tasks.length > limit) throw new Error(`a page of ${page.tasks.length} where ${limit} were asked for`);
    seen.push(...page.tasks.map(({ task }) => task.id));
    next = page.next;
  } while (next !== null);
  return seen;
}

/** What a list has to be. */
function expected(made: readonly Made[], filter: TaskFilter): string[] {
  const { status, type, correlationId, createdAfterMs = 0, createdBeforeMs = Infinity } = filter;
  return made
    .filter((task) => task.status === (status ?? task.status) && task.type === (type ?? task.type))
    .filter((task) => task.correlationId === (correlationId ?? task.correlationId))
    .filter((task) => task.atMs > createdAfterMs && task.atMs < createdBeforeMs)
    .map(({ id }) => id)
    .sort()
    .reverse();
}

export function describeList(open: OpenStore): void {
  describe("a list of tasks", () => {
    test("shows each whole, as it is now, with its timeline", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      expect(await place.store.listTasks({}, 10, null, ROOT_CONTEXT)).toEqual({ tasks: [], next: null, isFull: false });
      for (const [n, status] of taskStatuses.entries()) await make(tasks, { status, atMs: t0 + n });
      const { tasks: listed, next } = await (await place.connectOther()).listTasks({}, 20, null, ROOT_CONTEXT);
      expect(listed.map(({ task }) => task.status)).toEqual([...taskStatuses].reverse());
      for (const { task, timeline } of listed) {
        expect<unknown>([task, timeline]).toEqual([await tasks.get(task.id), await tasks.timeline(task.id)]);
      }
      expect(next).toBeNull();
    });

    test("has what fits everything that is asked for, in pages of any size", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const made: Made[] = [];
      for (let n = 0; n < 36; n++) {
        const status = (["queued", "succeeded", "dead"] as const)[n % 3] ?? "queued";
        const type = n % 4 === 0 ? "mail" : "echo";
        made.push(await make(tasks, { status, type, correlationId: `c-${n % 5}`, atMs: t0 + n * 2500 }));
      }
      const filter = fc.record(
        {
          status: fc.constantFrom("queued", "succeeded", "dead", "canceled"),
          type: fc.constantFrom("mail", "echo", "fax"),
          correlationId: fc.constantFrom("c-0", "c-1", "c-9"),
          createdAfterMs: fc.integer({ min: t0 - 1, max: t0 + 90_000 }),
          createdBeforeMs: fc.integer({ min: t0, max: t0 + 90_001 }),
        },
        { requiredKeys: [] },
      ) satisfies fc.Arbitrary<TaskFilter>;
      const property = fc.asyncProperty(filter, fc.constantFrom(1, 2, 7, 100), async (asked, limit) => {
        expect(await walk(place.store, asked, limit)).toEqual(expected(made, asked));
      });
      await fc.assert(property, { numRuns: 60 });
    });

    test("says exactly when a task was made, up to the millisecond", async () => {
      await using place = await open();
      const { id } = await make(tasksIn(place.store), { atMs: t0 + 50 });
      const list = (filter: TaskFilter) => walk(place.store, filter);
      expect(await list({ createdAfterMs: t0 + 49 })).toEqual([id]);
      expect(await list({ createdAfterMs: t0 + 50 })).toEqual([]);
      expect(await list({ createdBeforeMs: t0 + 51 })).toEqual([id]);
      expect(await list({ createdBeforeMs: t0 + 50 })).toEqual([]);
    });

    test("goes on where it was when tasks are made, and others change, in between", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const made = await Promise.all([1, 2, 3, 4, 5].map((n) => make(tasks, { atMs: t0 + n })));
      const [first, second, third, fourth, fifth] = made.map(({ id }) => id);
      const page = await place.store.listTasks({ status: "queued" }, 2, null, ROOT_CONTEXT);
      expect(page.tasks.map(({ task }) => task.id)).toEqual([fifth ?? "", fourth ?? ""]);
      await make(tasks, { atMs: t0 + 9 });
      await tasks.cancel(fourth ?? "", t0 + 10);
      await tasks.cancel(second ?? "", t0 + 10);
      const rest = await place.store.listTasks({ status: "queued" }, 10, page.next, ROOT_CONTEXT);
      expect(rest.tasks.map(({ task }) => task.id)).toEqual([third ?? "", first ?? ""]);
      expect(rest.next).toBeNull();
    });

    test("has no page that is too large to be sent", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      // Of three bytes each.
      const payload = JSON.stringify("語".repeat(83_000));
      const ids = Array.from({ length: 12 }, (_, n) => idAt(t0 + n));
      await Promise.all(ids.map((id) => tasks.create({ id, payload })));
      const page = await place.store.listTasks({}, 100, null, ROOT_CONTEXT);
      expect(page.tasks.length).toBe(8);
      expect(page.isFull).toBe(true);
      expect(await walk(place.store, {})).toEqual(ids.sort().reverse());
    });
  });
}
