/** The right to run an attempt: won by one, for a time, and never again under the same number. */

import { describe, expect, test } from "bun:test";
import { toAttempts } from "../../../src/words/task.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { entryAt, leaseMs, recordOf, t0, tasksIn, traceparentAt } from "../../support/stored-tasks.ts";

const error = { type: "SmtpRefused", message: "421 try later" };

export function describeClaim(open: OpenStore): void {
  describe("a claim", () => {
    test("that is won counts the attempt, and stands in the timeline", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const task = await tasks.create();
      const claimed = await tasks.claim(task.id, t0 + 70, "w1");
      const record = { ...recordOf(task), status: "running", attempt: 1, startedAtMs: t0 + 70 } as const;
      expect(claimed).toEqual({ kind: "won", claim: 1, task: record, previous: null });
      expect(await tasks.get(task.id)).toEqual(record);
      expect(await tasks.timeline(task.id)).toEqual([
        entryAt(t0, { from: null, to: "queued" }),
        entryAt(t0 + 70, { from: "queued", to: "running", attempt: 1, durationMs: 70, worker: "w1" }),
      ]);
    });

    test("is won by one of many at once, through two connections; the others hear until when", async () => {
      await using place = await open();
      const lines = [tasksIn(place.store), tasksIn(await place.connectOther())];
      const { id } = (await lines[0]?.create()) ?? { id: "" };
      const claims = Array.from({ length: 20 }, (_, n) => lines[n % 2]?.claim(id, t0, `w${n}`));
      const results = await Promise.all(claims);
      const [won, ...others] = results.sort((a, b) => Number(b?.kind === "won") - Number(a?.kind === "won"));
      expect(won).toMatchObject({ kind: "won", claim: 1, task: { attempt: 1 } });
      expect(others).toEqual(Array(19).fill({ kind: "leased", untilMs: t0 + leaseMs }));
      expect(await lines[0]?.timeline(id)).toHaveLength(2);
    });

    test("of a task that is not due hears when it will be", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const task = await tasks.create({ status: "scheduled", runAtMs: t0 + 1000, sendAtMs: t0 + 1000 });
      expect(await tasks.claim(task.id, t0 + 999)).toEqual({ kind: "early", untilMs: t0 + 1000 });
      expect(await tasks.get(task.id)).toEqual(recordOf(task));
    });

    test("of a queued task is won also under a clock that was set back", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create({ runAtMs: t0 });
      expect(await tasks.claim(id, t0 - 60_000)).toMatchObject({ kind: "won", claim: 1 });
    });

    test("of a scheduled task that is due goes through the queue", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create({ status: "scheduled", runAtMs: t0 + 1000, sendAtMs: t0 + 1000 });
      await tasks.win(id, t0 + 1500);
      expect(await tasks.timeline(id)).toEqual([
        entryAt(t0, { from: null, to: "scheduled" }),
        entryAt(t0 + 1500, { from: "scheduled", to: "queued", durationMs: 1500 }),
        entryAt(t0 + 1500, { from: "queued", to: "running", attempt: 1, worker: "w1" }),
      ]);
    });

    test("between two attempts hears when the next is due, and wins it then", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      const { claim } = await tasks.win(id, t0);
      const runAtMs = t0 + 500;
      await tasks.finish(id, claim, { to: "retrying", runAtMs, sendAtMs: runAtMs, outcome: "failed", error }, t0 + 10);
      expect(await tasks.claim(id, runAtMs - 1)).toEqual({ kind: "early", untilMs: runAtMs });
      expect(await tasks.claim(id, runAtMs)).toMatchObject({
        kind: "won",
        claim: 2,
        task: { attempt: 2, startedAtMs: t0, error },
        previous: traceparentAt(t0 + 10),
      });
    });

    test("of a task that has ended, or is not there, hears so", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const [done, dead] = [await tasks.create(), await tasks.create()];
      const { claim } = await tasks.win(done.id, t0);
      await tasks.finish(done.id, claim, { to: "succeeded", result: "1" }, t0 + 1);
      await tasks.die(dead.id, "receive_limit", t0 + 1);
      expect(await tasks.claim(done.id, t0 + 2)).toEqual({ kind: "ended", status: "succeeded" });
      expect(await tasks.claim(dead.id, t0 + 2)).toEqual({ kind: "ended", status: "dead" });
      expect(await tasks.claim(newTaskId(), t0 + 2)).toEqual({ kind: "unknown" });
    });

    test("of a task that failed for good hears why", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      const { claim } = await tasks.win(id, t0);
      await tasks.finish(id, claim, { to: "failed", reason: "fatal", outcome: "failed", error }, t0 + 1);
      const task = await tasks.get(id);
      expect<unknown>(await tasks.claim(id, t0 + leaseMs * 2)).toEqual({ kind: "failed", reason: "fatal", task });
    });
  });

  describe("a lease", () => {
    test("holds until its last millisecond; then the attempt counts as crashed and the next is won", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      await tasks.win(id, t0, "w1");
      const endMs = t0 + leaseMs;
      expect(await tasks.claim(id, endMs - 1, "w2")).toEqual({ kind: "leased", untilMs: endMs });
      expect(await tasks.claim(id, endMs, "w2")).toMatchObject({
        kind: "won",
        claim: 2,
        task: { status: "running", attempt: 2, startedAtMs: t0 },
        previous: traceparentAt(t0),
      });
      const timeline = await tasks.timeline(id);
      expect(timeline.at(-1)).toEqual(
        entryAt(endMs, {
          from: "running",
          to: "running",
          attempt: 2,
          durationMs: leaseMs,
          outcome: "crashed",
          worker: "w2",
        }),
      );
      expect(toAttempts(timeline).map(({ number, outcome, worker }) => [number, outcome, worker])).toEqual([
        [1, "crashed", "w1"],
        [2, null, "w2"],
      ]);
    });

    test("of the last attempt that runs out is the end of the task, which never finished", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create({ maxAttempts: 2 });
      await tasks.win(id, t0);
      await tasks.win(id, t0 + leaseMs);
      const endMs = t0 + leaseMs * 2;
      const refused = await tasks.claim(id, endMs);
      const task = await tasks.get(id);
      expect<unknown>(refused).toEqual({ kind: "failed", reason: "never_finished", task });
      const never = { type: "never_finished", message: "attempt 2 never finished" };
      expect(task).toMatchObject({ status: "failed", attempt: 2, error: never, endedAtMs: endMs });
      expect((await tasks.timeline(id)).at(-1)).toEqual(
        entryAt(endMs, {
          from: "running",
          to: "failed",
          attempt: 2,
          durationMs: leaseMs,
          outcome: "crashed",
          error: never,
        }),
      );
      expect(await tasks.claim(id, endMs + 1)).toEqual(refused);
    });

    test("that is extended holds so much longer, and the lost ones are told", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const [kept, retaken, done] = [await tasks.create(), await tasks.create(), await tasks.create()];
      for (const { id } of [kept, retaken, done]) await tasks.win(id, t0);
      await tasks.finish(done.id, 1, { to: "succeeded", result: "1" }, t0 + 1);
      await tasks.extend([{ id: kept.id, claim: 1 }], t0 + 20_000);
      const laterMs = t0 + leaseMs;
      await tasks.win(retaken.id, laterMs, "w2");

      const unknown = newTaskId();
      const leases = [kept.id, retaken.id, done.id, unknown].map((id) => ({ id, claim: 1 }));
      expect(await tasks.extend(leases, laterMs)).toEqual(["kept", "lost", "lost", "lost"]);
      expect(await tasks.claim(kept.id, laterMs)).toEqual({ kind: "leased", untilMs: laterMs + leaseMs });
      expect(await tasks.claim(retaken.id, laterMs)).toEqual({ kind: "leased", untilMs: laterMs + leaseMs });
      expect(await tasks.extend([{ id: retaken.id, claim: 2 }], laterMs)).toEqual(["kept"]);
    });
  });
}
