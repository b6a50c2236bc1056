/** How attempts and tasks end: once, by whoever holds the claim. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { Ending } from "../../../src/store/ports/attempts.ts";
import { type TaskRecord, type TaskStatus, type TimelineEntry, toAttempts } from "../../../src/words/task.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import { redrivesIn } from "../../support/redrives.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { finishOne } from "../../support/store-entries.ts";
import { actorAt, entryAt, leaseMs, recordOf, type StoredTasks, t0, tasksIn } from "../../support/stored-tasks.ts";

const error = { type: "SmtpRefused", message: "421 try later", causes: ["Error: no route"] };
const startMs = t0 + 5;
const endMs = t0 + 25;

const succeeded: Ending = { to: "succeeded", result: '{"ok":true}' };
const retrying: Ending = { to: "retrying", runAtMs: t0 + 900, sendAtMs: t0 + 950, outcome: "timed_out", error };
const failed: Ending = { to: "failed", reason: "attempts_exhausted", outcome: "crashed", error };
const canceled: Ending = { to: "canceled", outcome: "canceled", error };
const interrupted: Ending = { to: "queued", error, runsAlone: false };
const suspected: Ending = { to: "queued", error, runsAlone: true };

export function describeFinish(open: OpenStore): void {
  describe("an attempt's end", () => {
    const endings: [what: string, ending: Ending, changes: Partial<TaskRecord>, entry: Partial<TimelineEntry>][] = [
      ["a success", succeeded, { result: '{"ok":true}', endedAtMs: endMs }, { outcome: "succeeded" }],
      ["a failure that is tried again", retrying, { error, runAtMs: t0 + 900 }, { outcome: "timed_out", error }],
      ["a failure for good", failed, { error, endedAtMs: endMs }, { outcome: "crashed", error }],
      ["a cancel", canceled, { endedAtMs: endMs }, { outcome: "canceled", error }],
      ["an interruption", interrupted, { error, attempt: 0 }, { outcome: "interrupted", error }],
      [
        "an interruption by a crash that it may have caused",
        suspected,
        { error, attempt: 0, runsAlone: true },
        { outcome: "interrupted", error },
      ],
    ];

    test.each(endings)("is written whole: %s", async (_, ending, changes, entry) => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const task = await tasks.create();
      const { claim } = await tasks.win(task.id, startMs);
      expect(await tasks.finish(task.id, claim, ending, endMs)).toBe(true);
      const ended = { status: ending.to, attempt: 1, startedAtMs: startMs };
      expect(await tasks.get(task.id)).toEqual({ ...recordOf(task), ...ended, ...changes });
      expect(await tasks.timeline(task.id)).toEqual([
        entryAt(t0, { from: null, to: "queued" }),
        entryAt(startMs, { from: "queued", to: "running", attempt: 1, durationMs: 5, worker: "w1" }),
        entryAt(endMs, { from: "running", to: ending.to, attempt: 1, durationMs: 20, worker: "w1", ...entry }),
      ]);
    });

    test("keeps a task's error as it is, and in its history the beginning of each", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      const { claim } = await tasks.win(id, startMs);
      const long = { type: "T".repeat(200), message: "語".repeat(4000), causes: ["c".repeat(1000), "\ud83d"] };
      await tasks.finish(id, claim, { to: "failed", reason: "fatal", outcome: "failed", error: long }, endMs);
      expect((await tasks.get(id))?.error).toEqual({ ...long, causes: ["c".repeat(1000), "\ufffd"] });
      expect((await tasks.timeline(id)).at(-1)?.error).toEqual({
        type: "T".repeat(200),
        message: `${"語".repeat(999)}…`,
        causes: [`${"c".repeat(249)}…`, "\ufffd"],
      });
    });

    test("under a claim that is not the newest is refused, and writes nothing", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      await tasks.win(id, t0, "w1");
      await tasks.win(id, t0 + leaseMs, "w2");
      const before = await whole(tasks, id);
      for (const ending of [succeeded, retrying, failed, interrupted]) {
        for (const claim of [0, 1, 3]) expect(await tasks.finish(id, claim, ending, t0 + leaseMs + 1)).toBe(false);
      }
      expect(await whole(tasks, id)).toEqual(before);
      expect(await tasks.finish(id, 2, succeeded, t0 + leaseMs + 2)).toBe(true);
    });

    test("takes effect once", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      const { claim } = await tasks.win(id, t0);
      const endings = [succeeded, failed, retrying, interrupted];
      const results = await Promise.all(endings.map((ending) => tasks.finish(id, claim, ending, endMs)));
      expect(results.filter((isTaken) => isTaken)).toEqual([true]);
      expect((await tasks.get(id))?.status).toBe(endings[results.indexOf(true)]?.to ?? "running");
      expect(await tasks.timeline(id)).toHaveLength(3);
    });

    test.each([
      ["succeeded", succeeded, false],
      ["failed", failed, false],
      ["retrying", retrying, false],
      ["queued", interrupted, false],
      ["canceled", retrying, true],
    ] as const)("repeated because its answer was lost is done as before: %s", async (status, ending, isCanceled) => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      const { claim } = await tasks.win(id, t0);
      if (isCanceled) await tasks.cancel(id, t0 + 1);
      const request = { id, claim, ending, actor: actorAt(endMs) };
      const finish = (asked: typeof request) => finishOne(place.store, asked, ROOT_CONTEXT);
      expect<unknown>(await finish(request)).toBe(status);
      const before = await whole(tasks, id);
      expect<unknown>([await finish(request), await finish(request)]).toEqual([status, status]);
      // Neither another attempt's outcome nor another outcome of this one.
      const other = { ...request, ending: ending === failed ? succeeded : failed };
      const others = [await finish(other), await finish({ ...request, actor: actorAt(endMs + 1) })];
      expect(others).toEqual([null, null]);
      expect(await whole(tasks, id)).toEqual(before);
    });

    test("repeated late is done as before, though the task has died and come back since", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const { id } = await tasks.create();
      const { claim } = await tasks.win(id, startMs);
      const request = { id, claim, ending: failed, actor: actorAt(endMs) };
      const finish = () => finishOne(place.store, request, ROOT_CONTEXT);
      await finish();
      await tasks.die(id, "attempts_exhausted", endMs);
      expect(await finish()).toBe("failed");
      await redrives.start(endMs + 1);
      await redrives.run(endMs + 1);
      expect(await finish()).toBe("failed");
      expect((await tasks.get(id))?.status).toBe("queued");
      await tasks.win(id, endMs + 2);
      expect(await finish()).toBeNull();
    });

    test("of a task that is not there is refused", async () => {
      await using place = await open();
      expect(await tasksIn(place.store).finish(newTaskId(), 1, succeeded, endMs)).toBe(false);
    });

    test("that was an interruption does not count, but its claim is never given again", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create({ maxAttempts: 1 });
      const first = await tasks.win(id, t0);
      await tasks.finish(id, first.claim, suspected, t0 + 1);
      const second = await tasks.win(id, t0 + 2);
      expect([second.claim, second.task.attempt, second.task.runsAlone]).toEqual([2, 1, true]);
      expect(await tasks.finish(id, first.claim, failed, t0 + 3)).toBe(false);
      expect(await tasks.finish(id, second.claim, succeeded, t0 + 4)).toBe(true);
      expect(await tasks.get(id)).toMatchObject({ status: "succeeded", attempt: 1, runsAlone: false, error: null });
      expect(toAttempts(await tasks.timeline(id)).map(({ number, outcome }) => [number, outcome])).toEqual([
        [1, "interrupted"],
        [1, "succeeded"],
      ]);
    });
  });

  describe("a death", () => {
    /** Brings a new task into the state. */
    const bring: Partial<Record<TaskStatus, (tasks: StoredTasks) => Promise<string>>> = {
      scheduled: async (tasks) => (await tasks.create({ status: "scheduled", runAtMs: t0 + 1000 })).id,
      queued: async (tasks) => (await tasks.create()).id,
      running: (tasks) => started(tasks),
      retrying: (tasks) => started(tasks, retrying),
      failed: (tasks) => started(tasks, failed),
    };

    /** By then the lease of an attempt is over. */
    const deathMs = startMs + leaseMs;

    test.each(Object.entries(bring))("is recorded of a task that is %s, once", async (status, become) => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await become(tasks);
      const before = await tasks.get(id);
      const dead = await tasks.die(id, "receive_limit", deathMs);
      const isFailed = status === "failed";
      const task = { ...before, status: "dead", endedAtMs: isFailed ? endMs : deathMs };
      const reason = isFailed ? "attempts_exhausted" : "receive_limit";
      expect<unknown>(dead).toEqual({ kind: "recorded", task, reason });
      expect<unknown>(await tasks.get(id)).toEqual(task);
      expect((await tasks.timeline(id)).at(-1)).toMatchObject({
        from: status,
        to: "dead",
        atMs: deathMs,
        outcome: status === "running" ? "lease_lost" : null,
      });

      const after = await whole(tasks, id);
      expect(await tasks.die(id, "fatal", deathMs + 100)).toEqual({ kind: "known", status: "dead" });
      expect(await whole(tasks, id)).toEqual(after);
    });

    test("of a running task makes its outcome worthless", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await started(tasks);
      await tasks.die(id, "receive_limit", deathMs);
      expect(await tasks.finish(id, 1, succeeded, deathMs + 1)).toBe(false);
      expect(await tasks.extend([{ id, claim: 1 }], deathMs + 1)).toEqual(["lost"]);
      expect((await tasks.get(id))?.status).toBe("dead");
    });

    test("is not recorded of a task whose lease holds: the broker gave up a copy of its message", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await started(tasks);
      expect(await tasks.die(id, "receive_limit", startMs + leaseMs - 1)).toEqual({ kind: "known", status: "running" });
      expect(await tasks.finish(id, 1, succeeded, startMs + leaseMs)).toBe(true);
    });

    test("is not recorded of a task that succeeded, or is not there", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await started(tasks, succeeded);
      const before = await whole(tasks, id);
      expect(await tasks.die(id, "receive_limit", t0 + 100)).toEqual({ kind: "known", status: "succeeded" });
      expect(await whole(tasks, id)).toEqual(before);
      expect(await tasks.die(newTaskId(), "receive_limit", t0 + 100)).toEqual({ kind: "unknown" });
    });
  });
}

/** A task that was claimed, and whose attempt has ended so. */
async function started(tasks: StoredTasks, ending?: Ending): Promise<string> {
  const { id } = await tasks.create();
  const { claim } = await tasks.win(id, startMs);
  if (ending) await tasks.finish(id, claim, ending, endMs);
  return id;
}

async function whole(tasks: StoredTasks, id: string): Promise<unknown> {
  return { task: await tasks.get(id), timeline: await tasks.timeline(id) };
}
