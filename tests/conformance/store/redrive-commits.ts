/** A step of a redrive is committed once, with its counts, and these add up whatever happens meanwhile. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { newTaskId } from "../../../src/words/task-id.ts";
import { originAt, redrivesIn, sendWithinMs } from "../../support/redrives.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { actorAt, newTask, type StoredTasks, t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring, kill, runToDeath, succeeded } from "../../support/task-states.ts";

const nowMs = t0 + 1000;

export function describeRedriveCommits(open: OpenStore): void {
  describeCommit(open);
  describeCounts(open);
}

async function statusesOf(tasks: StoredTasks, ids: readonly string[]): Promise<(string | undefined)[]> {
  return (await Promise.all(ids.map((id) => tasks.get(id)))).map((task) => task?.status);
}

function describeCommit(open: OpenStore): void {
  describe("the commit of a step", () => {
    test("is one's, of two connections that propose the same", async () => {
      await using place = await open();
      const [here, there] = [redrivesIn(place.store), redrivesIn(await place.connectOther())];
      const tasks = tasksIn(place.store);
      const ids = await kill(tasks, 4);
      const { id } = await here.start(nowMs);
      const steps = [await here.propose(nowMs, 2), await there.propose(nowMs, 2)] as const;
      expect(steps[0]).toEqual(steps[1]);
      const commits = await Promise.all([here.tryCommit(steps[0], nowMs), there.tryCommit(steps[1], nowMs)]);
      expect(commits.map((sent) => sent?.length).sort()).toEqual([2, undefined]);
      expect(await here.progress(id)).toMatchObject({ status: "running", moved: 2, failed: 0 });
      expect(await tasks.timeline(ids[0] ?? "")).toHaveLength(3);
      expect(await here.tryCommit(steps[0], nowMs)).toBeUndefined();
      expect(await there.run(nowMs)).toEqual(ids.slice(2));
    });

    test.each(["pause", "cancel"] as const)("after a %s writes nothing", async (command) => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const ids = await kill(tasks, 3);
      const { id } = await redrives.start(nowMs);
      const step = await redrives.propose(nowMs, 2);
      await redrives.control(id, command, nowMs + 1);
      const before = [await redrives.get(id), await redrives.list(), await tasks.timeline(ids[0] ?? "")];
      expect(await redrives.tryCommit(step, nowMs + 2)).toBeUndefined();
      expect([await redrives.get(id), await redrives.list(), await tasks.timeline(ids[0] ?? "")]).toEqual(before);
    });

    test("brings a task back once that is named twice, with the first of its traces", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const id = await bring(tasks, "dead");
      await redrives.start(nowMs);
      const { redrive, candidates: _, ...step } = await redrives.propose(nowMs);
      const moves = [1, 2].map((ms) => ({ id, origin: originAt(nowMs + ms), actor: actorAt(nowMs) }));
      const commit = { redriveId: redrive.id, step, moves, nowMs: nowMs, sendWithinMs };
      const sent = await place.store.commitRedrive(commit, ROOT_CONTEXT);
      expect(sent).toMatchObject([{ id, origin: originAt(nowMs + 1) }]);
    });

    test("passes over what has come back and died again since the step was proposed", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const [id = ""] = await kill(tasks, 1);
      const slow = await redrives.start(nowMs);
      const step = await redrives.propose(nowMs);
      await redrives.control(slow.id, "pause", nowMs);
      await redrives.start(nowMs);
      expect(await redrives.run(nowMs)).toEqual([id]);
      await runToDeath(tasks, id, nowMs + 1);
      await redrives.control(slow.id, "resume", nowMs + 2);
      expect(await redrives.commit(step, nowMs + 2)).toEqual([]);
      expect(await tasks.get(id)).toMatchObject({ status: "dead", redrives: 1 });
      expect(await redrives.progress(slow.id)).toMatchObject({ status: "completed", moved: 0, failed: 1 });
    });
  });
}

function describeCounts(open: OpenStore): void {
  describe("a redrive with a payload", () => {
    test("brings its task back with that, and others with their own", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const [edited = "", other = ""] = await kill(tasks, 2);
      const before = await tasks.get(other);
      await redrives.start(nowMs, { selection: { kind: "ids", ids: [edited] }, payload: '{"n":2}' });
      await redrives.run(nowMs);
      await redrives.start(nowMs + 1);
      await redrives.run(nowMs + 1);
      expect(await tasks.get(edited)).toMatchObject({ status: "queued", payload: '{"n":2}' });
      expect(await tasks.get(other)).toMatchObject({ status: "queued", payload: before?.payload });
    });
  });

  describe("the outcome of a redrive", () => {
    test("is what has become of its tasks by now, though another brought some back since", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const [good = "", bad = "", twice = "", put = "", stopped = "", going = ""] = await kill(tasks, 6);
      const { id } = await redrives.start(nowMs);
      await redrives.run(nowMs, 2);
      const none = { followed: 6, succeeded: 0, dead: 0, canceled: 0, discarded: 0 };
      expect(await redrives.outcome(id)).toEqual(none);
      const won = await tasks.win(good, nowMs + 1);
      await tasks.finish(good, won.claim, succeeded, nowMs + 2);
      for (const each of [bad, twice, put]) await runToDeath(tasks, each, nowMs + 3);
      await tasks.discard(put, "no use", nowMs + 4);
      await tasks.cancel(stopped, nowMs + 4);
      expect(await tasks.get(going)).toMatchObject({ status: "queued" });
      const now = { followed: 6, succeeded: 1, dead: 2, canceled: 1, discarded: 1 };
      expect(await redrives.outcome(id)).toEqual(now);
      const later = await redrives.start(nowMs + 5, { selection: { kind: "ids", ids: [twice] } });
      await redrives.run(nowMs + 5);
      const again = await tasks.win(twice, nowMs + 6);
      await tasks.finish(twice, again.claim, succeeded, nowMs + 7);
      expect(await redrives.outcome(id)).toEqual(now);
      expect(await redrives.outcome(later.id)).toMatchObject({ followed: 1, succeeded: 1 });
    });

    test("of a redrive that there is not follows nothing", async () => {
      await using place = await open();
      expect(await redrivesIn(place.store).outcome(newTaskId())).toMatchObject({ followed: 0 });
    });
  });

  describe("the counts of a redrive", () => {
    test("add up in the end: what was gone when its step came has failed", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const [before = "", between = "", other = "", ...rest] = await kill(tasks, 6);
      const { id } = await redrives.start(nowMs);
      await tasks.discard(before, "no use", nowMs);
      const step = await redrives.propose(nowMs, 2);
      await tasks.discard(between, "no use", nowMs);
      expect((await redrives.commit(step, nowMs)).map((task) => task.id)).toEqual([other]);
      await redrives.start(nowMs + 1, { selection: { kind: "ids", ids: rest.slice(0, 1) } });
      expect((await redrives.run(nowMs + 1, 2)).sort()).toEqual([...rest].sort());
      const { status, moved = 0, failed: gone = 0 } = (await redrives.get(id)) ?? {};
      expect([status, moved + gone]).toEqual(["completed", 6]);
      expect(await statusesOf(tasks, [before, between, other])).toEqual(["discarded", "discarded", "queued"]);
    });

    test("add up when a death of before the order is recorded after it", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const ids = await kill(tasks, 2);
      const { id } = await redrives.start(nowMs);
      const late = newTask();
      await tasks.tryCreate(late);
      await tasks.die(late.id, "receive_limit", nowMs);
      expect(await redrives.run(nowMs)).toEqual([...ids, late.id]);
      const ended = { status: "completed", matched: 3, moved: 3, failed: 0, endedAtMs: nowMs } as const;
      expect(await redrives.progress(id)).toEqual(ended);
    });

    test("stop where it was canceled; what it had not reached stays dead", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const ids = await kill(tasks, 5);
      const { id } = await redrives.start(nowMs);
      await redrives.commit(await redrives.propose(nowMs, 2), nowMs);
      await redrives.control(id, "cancel", nowMs + 1);
      expect(await redrives.run(nowMs + 2)).toEqual([]);
      const ended = { status: "canceled", matched: 5, moved: 2, failed: 0, endedAtMs: nowMs + 1 } as const;
      expect(await redrives.progress(id)).toEqual(ended);
      expect(await statusesOf(tasks, ids)).toEqual(["queued", "queued", "dead", "dead", "dead"]);
    });

    test.each(["filter", "ids"] as const)(
      "and the place are kept: after a new start it goes on behind them (%s)",
      async (kind) => {
        await using place = await open();
        const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
        const ids = await kill(tasks, 5);
        const selection = kind === "ids" ? { kind, ids } : { kind };
        const { id } = await redrives.start(nowMs, { selection, ratePerSecond: 20 });
        await redrives.commit(await redrives.propose(nowMs), nowMs);
        const lost = await redrives.propose(nowMs + 100);
        const before = await redrives.get(id);

        const again = redrivesIn(await place.reopen());

        expect(before).toMatchObject({ status: "running", matched: 5, moved: 2, failed: 0 });
        expect(await again.get(id)).toEqual(before);
        expect(await again.tryPropose(nowMs + 99)).toEqual({ waitMs: 1 });
        expect(await again.propose(nowMs + 100)).toEqual(lost);
        expect(await again.run(nowMs + 300)).toEqual(ids.slice(2));
        expect(await again.progress(id)).toMatchObject({ status: "completed", moved: 5, failed: 0 });
      },
    );
  });
}
