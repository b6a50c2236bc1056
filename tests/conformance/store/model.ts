/**
 * Whatever happens to tasks in whatever order, the store does what the model in task-model.ts says, and every history
 * that it writes is one that the table of transitions allows. What may happen is in histories.ts.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Ending } from "../../../src/store/ports/attempts.ts";
import { isEnded, type TaskRecord, type TimelineEntry, transitions } from "../../../src/words/task.ts";
import { type Redrives, redrivesIn } from "../../support/redrives.ts";
import type { OpenStore, TestStore } from "../../support/sqlite-store.ts";
import { leaseMs, type StoredTasks, t0, tasksIn } from "../../support/stored-tasks.ts";
import { type Act, anyHistory, type History, onceFailed } from "./histories.ts";
import * as model from "./task-model.ts";

/** The tasks of one history, in the store and in the model. */
interface World {
  store: TestStore["store"];
  tasks: StoredTasks;
  redrives: Redrives;
  models: model.TaskModel[];
  nowMs: number;
}

const error = { type: "E", message: "no" };

function endingOf(to: Ending["to"], nowMs: number): Ending {
  switch (to) {
    case "succeeded":
      return { to, result: "1" };
    case "retrying":
      return { to, runAtMs: nowMs + 500, sendAtMs: nowMs + 700, outcome: "failed", error };
    case "failed":
      return { to, reason: "fatal", outcome: "failed", error };
    case "queued":
      return { to, error, runsAlone: false };
    case "canceled":
      return { to, outcome: "canceled", error };
  }
}

function usualAct({ status, runAtMs }: model.TaskModel, to: Ending["to"], nowMs: number): Act {
  if (status === "running") return { do: "finish", to, isOutdated: false };
  if (status === "failed") return { do: "die", reason: "fatal" };
  if (status === "dead") return { do: "redrive", isForced: false, meanwhile: "nothing" };
  return runAtMs > nowMs ? { do: "wait", ms: runAtMs - nowMs } : { do: "claim", copies: 1 };
}

/** Does it in the store and in the model, and holds the answers against each other. */
async function perform(world: World, task: model.TaskModel, act: Act): Promise<void> {
  const { tasks, nowMs } = world;
  const { id } = task;
  const number = task.claim - Number("isOutdated" in act && act.isOutdated);
  switch (act.do) {
    case "usual":
      return perform(world, task, usualAct(task, act.to, nowMs));
    case "claim": {
      const claimed = await Promise.all(Array.from({ length: act.copies }, () => tasks.claim(id, nowMs)));
      // Of two at once either may come first.
      const inOrder = claimed.sort((a, b) => Number(b.kind === "won") - Number(a.kind === "won"));
      for (const result of inOrder) expect(result).toMatchObject(model.claim(task, nowMs));
      return;
    }
    case "crash":
      if (task.status === "running") world.nowMs = Math.max(nowMs, task.leaseUntilMs);
      return;
    case "extend":
      return expect(await tasks.extend([{ id, claim: number }], nowMs)).toEqual([model.extend(task, number, nowMs)]);
    case "confirm":
      await tasks.confirm(nowMs, { id, claim: number });
      return model.confirm(task, number, nowMs);
    case "finish": {
      // Nobody retries after the last attempt: `decide` has a test of that.
      const isLast = act.to === "retrying" && task.attempt === task.maxAttempts;
      const ending = endingOf(isLast ? "failed" : act.to, nowMs);
      return expect(await tasks.finish(id, number, ending, nowMs)).toBe(model.finish(task, number, ending, nowMs));
    }
    case "cancel":
      return expect(await tasks.cancel(id, nowMs)).toMatchObject(model.cancel(task));
    case "discard":
      return expect(await tasks.discard(id, "no use", nowMs)).toMatchObject(model.discard(task));
    case "die":
      return expect(await tasks.die(id, act.reason, nowMs)).toMatchObject(model.die(task, act.reason, nowMs));
    case "redrive":
      return redriveOne(world, task, act);
    case "sweep":
      return sweep(world);
    case "resend":
      return resend(world);
    case "wait":
      world.nowMs += act.ms;
  }
}

async function redriveOne(world: World, task: model.TaskModel, act: Extract<Act, { do: "redrive" }>): Promise<void> {
  const { tasks, redrives, nowMs } = world;
  const { isForced } = act;
  const order = await redrives.start(nowMs, { selection: { kind: "ids", ids: [task.id] }, isForced });
  const step = await redrives.propose(nowMs);
  expect(step).toMatchObject({ redrive: order, isLast: true, refused: model.isRedrivable(task, isForced) ? 0 : 1 });
  if (act.meanwhile === "discard") expect(await tasks.discard(task.id, "x", nowMs)).toMatchObject(model.discard(task));
  if (act.meanwhile === "cancel") await redrives.control(order.id, "cancel", nowMs);
  const isMoved = act.meanwhile !== "cancel" && model.isRedrivable(task, isForced);
  if (isMoved) model.redrive(task, nowMs);
  const sent = await redrives.tryCommit(step, nowMs);
  const expected = act.meanwhile === "cancel" ? undefined : isMoved ? [[task.id, task.claim]] : [];
  expect(sent?.map(({ id, claim }) => [id, claim])).toEqual(expected);
  const counts = { matched: 1, moved: isMoved ? 1 : 0, failed: isMoved || act.meanwhile === "cancel" ? 0 : 1 };
  expect(await redrives.get(order.id)).toMatchObject(counts);
}

async function sweep({ tasks, models, nowMs }: World): Promise<void> {
  const due = await tasks.takeDue(nowMs, { limit: 1_000_000, holdMs: model.holdMs });
  const expected = models.filter((task) => model.sweep(task, nowMs));
  expect(new Set(due.map(({ id, claim }) => `${id} ${claim}`))).toEqual(
    new Set(expected.map(({ id, claim }) => `${id} ${claim}`)),
  );
}

async function resend({ store, models, nowMs }: World): Promise<void> {
  const count = await store.countWaiting(nowMs);
  expect(await store.resendWaiting(nowMs, 1_000_000, nowMs)).toBe(count);
  expect(models.filter((task) => model.resend(task, nowMs)).length).toBe(count);
}

/** What no step may do, whatever the model says: `before` and `after` are the task around it. */
function checkStep(task: model.TaskModel, before: TaskRecord | undefined, after: TaskRecord | undefined): void {
  const { status, attempt, redrives } = task;
  expect(after).toMatchObject({ status, attempt, redrives });
  const isSame = before && isEnded(before.status) && after?.status === before.status;
  if (isSame) expect(after).toEqual(before);
}

/** What must be true of every timeline. */
function checkHistory(timeline: readonly TimelineEntry[], task: model.TaskModel): void {
  const forbidden = timeline.filter(({ from, to }) => from !== null && !transitions[from].includes(to));
  expect(forbidden).toEqual([]);
  expect(timeline.map(({ from }) => from)).toEqual([null, ...timeline.slice(0, -1).map(({ to }) => to)]);
  expect(timeline.at(-1)?.to).toBe(task.status);
  expect(timeline.filter(({ to }) => to === "running").length).toBe(task.claim);
  expect(timeline.filter(({ from }) => from === "dead").filter(({ to }) => to === "queued").length).toBe(task.redrives);
  const untold = timeline.filter(({ from, outcome }) => (from === "running") !== (outcome !== null));
  expect(untold).toEqual([]);
  const sums = timeline.map(({ atMs, durationMs }, index) => atMs - (timeline[index - 1]?.atMs ?? t0) - durationMs);
  expect(sums).toEqual(timeline.map(() => 0));
  checkAttempts(timeline, task.maxAttempts);
}

/** Attempts count up from 1, begin again only with a redrive, and an interrupted one does not count. */
function checkAttempts(timeline: readonly TimelineEntry[], maxAttempts: number): void {
  let next = 1;
  for (const { from, to, attempt } of timeline) {
    if (from === "dead" && to === "queued") next = 1;
    if (from === "running" && to === "queued") next -= 1;
    if (to !== "running") continue;
    expect(attempt).toBe(next);
    expect(attempt).toBeLessThanOrEqual(maxAttempts);
    next += 1;
  }
}

async function begin(store: TestStore["store"], history: History): Promise<World> {
  const [tasks, redrives] = [tasksIn(store), redrivesIn(store)];
  const models: model.TaskModel[] = [];
  for (const { isScheduled, maxAttempts } of history.tasks) {
    const runAtMs = isScheduled ? t0 + 1000 : t0;
    const status = isScheduled ? "scheduled" : "queued";
    const { id } = await tasks.create({ status, maxAttempts, runAtMs, sendAtMs: runAtMs });
    const fresh = { attempt: 0, claim: 0, leaseUntilMs: 0, isCancelAsked: false, redrives: 0, sentAtMs: null };
    models.push({ id, status, maxAttempts, runAtMs, dueAtMs: runAtMs, ...fresh });
  }
  return { store, tasks, redrives, models, nowMs: t0 };
}

/** Lives through a history; in the end its tasks are dead, so that no later history sweeps them. */
async function live(store: TestStore["store"], history: History): Promise<void> {
  const world = await begin(store, history);
  const { tasks, models } = world;
  const read = () => Promise.all(models.map(({ id }) => tasks.get(id)));
  try {
    let before = await read();
    for (const [index, act] of history.steps) {
      const task = models[index % models.length];
      if (task) await perform(world, task, act);
      const after = await read();
      for (const [n, one] of models.entries()) checkStep(one, before[n], after[n]);
      before = after;
    }
    for (const task of models) checkHistory(await tasks.timeline(task.id), task);
  } finally {
    await Promise.all(models.map(({ id }) => tasks.die(id, "receive_limit", world.nowMs + leaseMs)));
  }
}

export function describeModel(open: OpenStore, histories: number): void {
  describe("any history of tasks", () => {
    test("is that of the model, goes only where it may, and never gives a claim twice", async () => {
      await using place = await open();
      await fc.assert(
        fc.asyncProperty(anyHistory, (history) => live(place.store, history)),
        { numRuns: histories },
      );
    }, 120_000);

    test.each(onceFailed)("is that of the model: %s", async (_, history) => {
      await using place = await open();
      await live(place.store, history);
    });
  });
}
