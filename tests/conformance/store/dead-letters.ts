/** What died stays to be looked at: listed newest first, by what it died of, until it is brought back or discarded. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type {
  DeadCursor,
  DeadLetter,
  DeadSelection,
  UnreadableMessage,
} from "../../../src/store/ports/dead-letters.ts";
import { deadGroupOf } from "../../../src/words/dead-group.ts";
import { type TaskStatus, taskStatuses } from "../../../src/words/task.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import { all, type Redrives, redrivesIn } from "../../support/redrives.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { entryAt, t0, tasksIn, traceparentAt } from "../../support/stored-tasks.ts";
import { bring, endMs, keptOf, runToDeath, smtpError } from "../../support/task-states.ts";

const hourMs = 3_600_000;

export function describeDeadLetters(open: OpenStore): void {
  describeList(open);
  describeDiscard(open);
  describeUnreadable(open);
}

/** All pages of that size, following the cursor. */
async function walk(redrives: Redrives, limit: number): Promise<string[]> {
  const seen: string[] = [];
  let after: DeadCursor | undefined;
  for (;;) {
    const page = await redrives.list(all, { limit, ...(after && { after }) });
    seen.push(...page.map(({ task }) => task.id));
    const last = page.at(-1);
    if (!last || page.length < limit) return seen;
    after = { diedAtMs: last.diedAtMs, id: last.task.id };
  }
}

function describeList(open: OpenStore): void {
  describe("the list of dead letters", () => {
    test("shows each whole, with why, when and in which span it died; newest first, and only what is dead", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      for (const status of taskStatuses) if (status !== "dead") await bring(tasks, status);
      expect(await redrives.list()).toEqual([]);
      const unsampled = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00" };
      const [first, second] = [await tasks.create(), await tasks.create({ origin: unsampled })];
      await runToDeath(tasks, first.id, t0 + 10, { reason: "attempts_exhausted" });
      await tasks.die(second.id, "receive_limit", t0 + 20);
      const letterOf = async (id: string, letter: Omit<DeadLetter, "task">) => ({
        task: await tasks.get(id),
        ...letter,
      });
      const expected = [
        await letterOf(second.id, {
          reason: "receive_limit",
          diedAtMs: t0 + 20,
          deathTraceparent: traceparentAt(t0 + 20),
          group: deadGroupOf({ type: "receive_limit", message: "" }),
        }),
        await letterOf(first.id, {
          reason: "attempts_exhausted",
          diedAtMs: t0 + 10,
          deathTraceparent: traceparentAt(t0 + 10),
          group: deadGroupOf(smtpError),
        }),
      ];
      expect<unknown>(await redrives.list()).toEqual(expected);
      expect<unknown>(await redrivesIn(await place.connectOther()).list()).toEqual(expected);
    });

    const filters: [DeadSelection, string[]][] = [
      [{ kind: "filter" }, ["d", "c", "b", "a"]],
      [{ kind: "filter", type: "mail" }, ["d", "b"]],
      [{ kind: "filter", errorType: "Refused" }, ["b", "a"]],
      [{ kind: "filter", reason: "fatal" }, ["c", "b"]],
      [{ kind: "filter", type: "mail", reason: "fatal" }, ["b"]],
      [{ kind: "filter", type: "echo", errorType: "Timeout", reason: "fatal" }, ["c"]],
      [{ kind: "filter", type: "mail", errorType: "Timeout" }, []],
      [{ kind: "filter", reason: "never_finished" }, []],
      [{ kind: "ids", ids: ["a", "none", "c"] }, ["c", "a"]],
      [{ kind: "ids", ids: [] }, []],
    ];

    test("holds what fits every field that is asked for", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const names = new Map<string, string>();
      const make = async (name: string, type: string): Promise<string> => {
        const { id } = await tasks.create({ type });
        names.set(name, id);
        return id;
      };
      await runToDeath(tasks, await make("a", "echo"), t0 + 1, { reason: "attempts_exhausted", errorType: "Refused" });
      await runToDeath(tasks, await make("b", "mail"), t0 + 2, { reason: "fatal", errorType: "Refused" });
      await runToDeath(tasks, await make("c", "echo"), t0 + 3, { reason: "fatal", errorType: "Timeout" });
      await tasks.die(await make("d", "mail"), "receive_limit", t0 + 4);
      const idOf = (name: string): string => names.get(name) ?? newTaskId();
      const found = await Promise.all(
        filters.map(([asked]) =>
          redrives.list(asked.kind === "ids" ? { kind: "ids", ids: asked.ids.map(idOf) } : asked),
        ),
      );
      const shown = found.map((letters) => letters.map(({ task }) => task.id));
      expect(shown).toEqual(filters.map(([, expected]) => expected.map(idOf)));
    });

    test("is walked without gaps or repeats, also where several died in the same millisecond", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const diedAtMs = [1, 2, 2, 2, 2, 2, 3, 4, 4, 4, 5];
      const ids = await Promise.all(diedAtMs.map(async () => (await tasks.create()).id));
      await Promise.all(ids.map((id, n) => tasks.die(id, "receive_limit", t0 + (diedAtMs[n] ?? 0))));
      const whole = (await redrives.list()).map(({ task }) => task.id);
      expect([...whole].sort()).toEqual([...ids].sort());
      for (const limit of [1, 2, 3, 5, 11]) expect(await walk(redrives, limit)).toEqual(whole);
    });

    test("goes on where it was when others die or come back in between", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const redrives = redrivesIn(place.store);
      const [oldest, middle, newest, later] = await Promise.all(
        [1, 2, 3, 4].map(async () => (await tasks.create()).id),
      );
      for (const [n, id] of [oldest, middle, newest].entries()) await tasks.die(id ?? "", "receive_limit", t0 + n);
      const [shown] = await redrives.list(all, { limit: 1 });
      expect(shown?.task.id).toBe(newest);
      await tasks.die(later ?? "", "receive_limit", t0 + 9);
      await tasks.discard(newest ?? "", "seen", t0 + 9);
      const after = { diedAtMs: shown?.diedAtMs ?? 0, id: shown?.task.id ?? "" };
      expect((await redrives.list(all, { after })).map(({ task }) => task.id)).toEqual([middle ?? "", oldest ?? ""]);
    });
  });
}

function describeDiscard(open: OpenStore): void {
  describe("a discard", () => {
    const discardMs = t0 + 100;

    test("puts a dead letter away, once, with the reason in its timeline", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const id = await bring(tasks, "dead");
      const { task, timeline } = await keptOf(tasks, id);
      const kept = {
        task: { ...task, status: "discarded" },
        timeline: [
          ...timeline,
          entryAt(discardMs, {
            from: "dead",
            to: "discarded",
            attempt: 1,
            durationMs: discardMs - endMs,
            error: { type: "discarded", message: "customer is gone" },
          }),
        ],
      };
      const discarded = await tasks.discard(id, "customer is gone", discardMs);
      expect<unknown>(discarded).toEqual({ kind: "discarded", task: kept.task });
      expect(await tasks.discard(id, "again", discardMs + 1)).toEqual({ kind: "moved_on", status: "discarded" });
      expect<unknown>(await keptOf(tasks, id)).toEqual(kept);
      expect(await redrives.list()).toEqual([]);
      expect(await redrives.count()).toEqual({ matched: 0, refused: 0 });
      expect(await tasks.claim(id, discardMs)).toEqual({ kind: "ended", status: "discarded" });
      expect(await tasks.die(id, "fatal", discardMs)).toEqual({ kind: "known", status: "discarded" });
      expect(await tasks.due(t0 + hourMs)).toEqual([]);
    });

    test("by two at once is one's", async () => {
      await using place = await open();
      const lines = [tasksIn(place.store), tasksIn(await place.connectOther())];
      const id = await bring(tasksIn(place.store), "dead");
      const results = await Promise.all(lines.map((tasks, n) => tasks.discard(id, `by ${n}`, discardMs)));
      expect(results.map(({ kind }) => kind).sort()).toEqual(["discarded", "moved_on"]);
      expect(await lines[0]?.timeline(id)).toHaveLength(5);
    });

    const others = taskStatuses.filter((status): status is Exclude<TaskStatus, "dead"> => status !== "dead");

    test.each(others)("of a task that is %s writes nothing", async (status) => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await bring(tasks, status);
      const before = await keptOf(tasks, id);
      expect(await tasks.discard(id, "no use", discardMs)).toEqual({ kind: "moved_on", status });
      expect(await keptOf(tasks, id)).toEqual(before);
    });

    test("of a task that is not there hears so", async () => {
      await using place = await open();
      expect(await tasksIn(place.store).discard(newTaskId(), "no use", discardMs)).toEqual({ kind: "unknown" });
    });
  });
}

function describeUnreadable(open: OpenStore): void {
  describe("the list of unreadable messages", () => {
    test("shows each as it came, newest first, and no more than asked for", async () => {
      await using place = await open();
      expect(await place.store.listUnreadable(10, ROOT_CONTEXT)).toEqual([]);
      const attributes = { dead_reason: "unreadable", "odd key": "ü\n" };
      const message = (messageId: string, atMs: number): UnreadableMessage => {
        return { messageId, body: `not ours \u0001 ${messageId}`, attributes, reason: "unreadable", atMs };
      };
      const [second, third, first] = [message("m1", t0 + 1), message("m2", t0), message("m3", t0 + 2)];
      for (const one of [second, third, first]) await place.store.keepUnreadable(one, ROOT_CONTEXT);
      const other = await place.connectOther();
      expect(await other.listUnreadable(10, ROOT_CONTEXT)).toEqual([first, second, third]);
      expect(await other.listUnreadable(2, ROOT_CONTEXT)).toEqual([first, second]);
    });
  });
}
