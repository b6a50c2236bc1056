/** The steps of a redrive: which tasks they take, and what becomes of those. */

import { describe, expect, test } from "bun:test";
import { toAttempts } from "../../../src/words/task.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import { originAt, redrivesIn, sendWithinMs } from "../../support/redrives.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { entryAt, t0, tasksIn, traceparentAt } from "../../support/stored-tasks.ts";
import { bring, failed, keptOf, kill, runToDeath, succeeded } from "../../support/task-states.ts";

const nowMs = t0 + 1000;
const laterMs = nowMs + 1000;

export function describeRedriveSteps(open: OpenStore): void {
  describeRevival(open);
  describeProposal(open);
}

function describeRevival(open: OpenStore): void {
  describe("a task that is brought back", () => {
    test("is queued as new, with its history, the death that it came from and the trace that begins", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const task = await tasks.create({ type: "mail", correlationId: "c-2", maxAttempts: 1 });
      const { id } = task;
      await runToDeath(tasks, id, t0 + 10);
      const before = await keptOf(tasks, id);
      await redrives.start(nowMs);
      const step = await redrives.propose(nowMs);
      const { correlationId, type, origin } = task;
      expect(step.candidates).toEqual([{ id, type, correlationId, origin, deathTraceparent: traceparentAt(t0 + 10) }]);

      const sent = { id, claim: 1, type, correlationId, origin: originAt(laterMs), redrivenAtMs: laterMs };
      expect(await redrives.commit(step, laterMs)).toEqual([sent]);

      const fresh = { status: "queued", attempt: 0, error: null, endedAtMs: null, runAtMs: laterMs } as const;
      const origins = { redrives: 1, redrivenFrom: traceparentAt(t0 + 10) };
      const durationMs = laterMs - (t0 + 10);
      const kept = {
        task: { ...before.task, ...fresh, ...origins },
        timeline: [...before.timeline, entryAt(laterMs, { from: "dead", to: "queued", durationMs })],
      };
      expect<unknown>(await keptOf(tasks, id)).toEqual(kept);
      expect(await redrives.list()).toEqual([]);

      expect(await tasks.due(laterMs + sendWithinMs - 1)).toEqual([]);
      expect(await tasks.takeDue(laterMs + sendWithinMs)).toEqual([sent]);
    });

    test("has all its attempts again, from 1, while its claims go on and the old attempts stay", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const { id } = await tasks.create({ maxAttempts: 2 });
      const retry = {
        to: "retrying",
        runAtMs: t0,
        sendAtMs: t0,
        outcome: "failed",
        error: { type: "E", message: "no" },
      } as const;
      await tasks.finish(id, (await tasks.win(id, t0)).claim, retry, t0);
      await runToDeath(tasks, id, t0 + 1);
      await redrives.start(nowMs);
      await redrives.run(nowMs);

      const first = await tasks.win(id, nowMs, "w2");
      expect([first.claim, first.task.attempt]).toEqual([3, 1]);
      expect(await tasks.finish(id, 2, succeeded, nowMs)).toBe(false);
      await tasks.finish(id, first.claim, { ...retry, runAtMs: nowMs }, nowMs);
      const second = await tasks.win(id, nowMs, "w2");
      expect([second.claim, second.task.attempt]).toEqual([4, 2]);
      await tasks.finish(id, second.claim, succeeded, nowMs);
      const attempts = toAttempts(await tasks.timeline(id));
      expect(attempts.map(({ number, outcome, worker }) => [number, outcome, worker])).toEqual([
        [1, "failed", "w1"],
        [2, "failed", "w1"],
        [1, "failed", "w2"],
        [2, "succeeded", "w2"],
      ]);
    });

    test("tells of its newest death and its newest trace, when it comes back again", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const { id } = await tasks.create({ sendAtMs: t0 });
      await runToDeath(tasks, id, t0 + 10);
      await redrives.start(nowMs);
      await redrives.run(nowMs);
      await runToDeath(tasks, id, nowMs + 10);
      await redrives.start(laterMs);
      expect((await redrives.propose(laterMs)).candidates).toMatchObject([
        { deathTraceparent: traceparentAt(nowMs + 10) },
      ]);
      await redrives.run(laterMs);
      expect(await tasks.get(id)).toMatchObject({ redrives: 2, redrivenFrom: traceparentAt(nowMs + 10) });
      const [due] = await tasks.takeDue(laterMs + sendWithinMs);
      expect(due).toMatchObject({ id, origin: originAt(laterMs), redrivenAtMs: laterMs });
    });

    test("is not killed by a second copy of the letter that told of its death", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const id = await bring(tasks, "dead");
      await redrives.start(nowMs);
      await redrives.run(nowMs);
      const queued = await keptOf(tasks, id);
      for (const reason of ["fatal", "attempts_exhausted", "never_finished"] as const) {
        expect(await tasks.die(id, reason, nowMs + 1)).toEqual({ kind: "known", status: "queued" });
      }
      expect(await keptOf(tasks, id)).toEqual(queued);
      const { claim } = await tasks.win(id, nowMs + 2);
      expect(await tasks.die(id, "fatal", nowMs + 3)).toEqual({ kind: "known", status: "running" });
      await tasks.finish(id, claim, failed, nowMs + 4);
      expect(await tasks.die(id, "fatal", nowMs + 5)).toMatchObject({ kind: "recorded", reason: "fatal" });
    });
  });
}

function describeProposal(open: OpenStore): void {
  describe("the steps of a redrive", () => {
    test("take what fits, the oldest death first, so many at a time, to the end", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const ids = await kill(tasks, 5);
      const { id: other } = await tasks.create({ type: "mail" });
      await tasks.die(other, "receive_limit", t0);
      const { id } = await redrives.start(nowMs, { selection: { kind: "filter", type: "echo" } });
      const moved: string[][] = [];
      for (let step = await redrives.propose(nowMs, 2); ; step = await redrives.propose(nowMs, 2)) {
        moved.push((await redrives.commit(step, nowMs)).map((task) => task.id));
        if (step.isLast) break;
        expect(await redrives.progress(id)).toEqual({
          status: "running",
          matched: 5,
          moved: moved.flat().length,
          failed: 0,
          endedAtMs: null,
        });
      }
      expect(moved).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
      const ended = { status: "completed", matched: 5, moved: 5, failed: 0, endedAtMs: nowMs } as const;
      expect(await redrives.progress(id)).toEqual(ended);
      expect(await tasks.get(other)).toMatchObject({ status: "dead", redrives: 0 });
      expect(await redrives.tryPropose(nowMs)).toEqual({ waitMs: null });
    });

    test("of named tasks take them as they are named, and pass over what is not dead", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const [a = "", b = "", c = ""] = await kill(tasks, 3);
      const ids = [c, newTaskId(), a, await bring(tasks, "queued"), await bring(tasks, "failed")];
      const { id } = await redrives.start(nowMs, { selection: { kind: "ids", ids } });
      const sizes = [ids.length - 1, ids.length];
      const isLast = await Promise.all(sizes.map(async (size) => (await redrives.propose(nowMs, size)).isLast));
      expect(isLast).toEqual([false, true]);
      expect(await redrives.run(nowMs, 2)).toEqual([c, a]);
      expect(await redrives.progress(id)).toMatchObject({ status: "completed", matched: 5, moved: 2, failed: 3 });
      const others = await Promise.all([b, ...ids.slice(3)].map((other) => tasks.get(other)));
      expect(others.map((task) => task?.status)).toEqual(["dead", "queued", "failed"]);
    });

    test("hold back what has come back dead from three redrives, unless they are forced", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const { id } = await tasks.create();
      const selections = [{ kind: "filter" }, { kind: "ids", ids: [id] }] as const;
      await runToDeath(tasks, id, t0);
      for (const [round, selection] of [...selections, ...selections].slice(0, 3).entries()) {
        await redrives.start(nowMs + round, { selection });
        expect(await redrives.run(nowMs + round)).toEqual([id]);
        await runToDeath(tasks, id, nowMs + round);
      }
      for (const selection of selections) {
        const held = await redrives.start(laterMs, { selection });
        expect(await redrives.propose(laterMs)).toMatchObject({ candidates: [], refused: 1, isLast: true });
        expect(await redrives.run(laterMs)).toEqual([]);
        expect(await redrives.progress(held.id)).toMatchObject({ status: "completed", moved: 0, failed: 1 });
      }
      expect(await tasks.get(id)).toMatchObject({ status: "dead", redrives: 3 });
      await redrives.start(laterMs, { isForced: true });
      expect(await redrives.run(laterMs)).toEqual([id]);
      expect(await tasks.get(id)).toMatchObject({ status: "queued", redrives: 4 });
    });

    test("do not take again what dies again after the order", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const ids = await kill(tasks, 3);
      const named = [...ids, ...ids.slice(0, 2)];
      for (const selection of [{ kind: "filter" }, { kind: "ids", ids: named }] as const) {
        const orderedMs = selection.kind === "filter" ? nowMs : laterMs;
        const { id: orderId, matched } = await redrives.start(orderedMs, { selection });
        const first = await redrives.commit(await redrives.propose(orderedMs, 2), orderedMs);
        expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
        for (const { id } of first) await runToDeath(tasks, id, orderedMs + 1);
        const second = await redrives.propose(orderedMs + 2);
        expect(second.candidates.map(({ id }) => id)).toEqual(ids.slice(2));
        await redrives.commit(second, orderedMs + 2);
        const counts = { status: "completed", matched, moved: 3, failed: matched - 3 };
        expect(await redrives.progress(orderId)).toMatchObject(counts);
        for (const id of ids.slice(2)) await runToDeath(tasks, id, orderedMs + 3);
      }
    });
  });
}
