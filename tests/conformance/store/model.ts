/**
 * Whatever happens to tasks in whatever order, the store does what a model of ten lines says, and every history it
 * writes is one that the table of transitions allows.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Ending } from "../../../src/store/store.ts";
import { isEnded, type TaskStatus, type TimelineEntry, transitions } from "../../../src/task.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { leaseMs, type StoredTasks, t0, tasksIn } from "../../support/stored-tasks.ts";

interface Model {
  status: TaskStatus;
  attempt: number;
  maxAttempts: number;
  /** The newest claim; each one that was won is one more. */
  claim: number;
  leaseUntilMs: number;
  runAtMs: number;
}

type Step =
  | { do: "claim" | "extend" | "die" | "sweep" }
  | { do: "finish"; to: Ending["to"]; isOutdated: boolean }
  | { do: "wait"; ms: number };

const error = { type: "E", message: "no" };

function endingOf(to: Ending["to"], nowMs: number): Ending {
  switch (to) {
    case "succeeded":
      return { to, result: "1" };
    case "retrying":
      return { to, runAtMs: nowMs + 500, sendAtMs: nowMs + 500, outcome: "failed", error };
    case "failed":
      return { to, reason: "fatal", outcome: "failed", error };
    case "queued":
      return { to, error, runsAlone: false };
    case "canceled":
      return { to, outcome: "canceled", error };
  }
}

/** What a claim should give, and what it makes of the model. */
function claimInModel(model: Model, nowMs: number): unknown {
  if (isEnded(model.status)) return { kind: "ended", status: model.status };
  if (model.status === "failed") return { kind: "failed" };
  if (model.status === "running" && model.leaseUntilMs > nowMs) return { kind: "leased", untilMs: model.leaseUntilMs };
  if (model.runAtMs > nowMs) return { kind: "early", untilMs: model.runAtMs };
  if (model.attempt === model.maxAttempts) {
    model.status = "failed";
    return { kind: "failed", reason: "never_finished" };
  }
  Object.assign(model, { status: "running", attempt: model.attempt + 1, claim: model.claim + 1 });
  model.leaseUntilMs = nowMs + leaseMs;
  return { kind: "won", claim: model.claim, task: { status: "running", attempt: model.attempt } };
}

/** Does the step in the store and in the model, and holds the answers against each other. */
async function doStep(tasks: StoredTasks, id: string, model: Model, step: Step, nowMs: number): Promise<void> {
  const isLive = !isEnded(model.status);
  switch (step.do) {
    case "claim":
      expect(await tasks.claim(id, nowMs)).toMatchObject(Object(claimInModel(model, nowMs)));
      return;
    case "extend": {
      const isOurs = model.status === "running";
      expect(await tasks.extend([{ id, claim: model.claim }], nowMs)).toEqual([isOurs ? "kept" : "lost"]);
      if (isOurs) model.leaseUntilMs = nowMs + leaseMs;
      return;
    }
    case "die":
      expect((await tasks.die(id, "receive_limit", nowMs)).kind).toBe(isLive ? "recorded" : "known");
      if (isLive) model.status = "dead";
      return;
    case "sweep":
      await tasks.takeDue(nowMs, { limit: 1_000_000 });
      if (model.status === "scheduled" && model.runAtMs <= nowMs) model.status = "queued";
      return;
    case "finish": {
      const isOurs = model.status === "running" && !step.isOutdated;
      // Nobody retries after the last attempt: `decide` has a test of that.
      const isLast = step.to === "retrying" && model.attempt === model.maxAttempts;
      const ending = endingOf(isLast ? "failed" : step.to, nowMs);
      expect(await tasks.finish(id, model.claim - Number(step.isOutdated), ending, nowMs)).toBe(isOurs);
      if (!isOurs) return;
      model.status = ending.to;
      if (ending.to === "retrying") model.runAtMs = ending.runAtMs;
      if (ending.to === "queued") model.attempt -= 1;
      return;
    }
    case "wait":
      return;
  }
}

function checkHistory(timeline: readonly TimelineEntry[], model: Model): void {
  const forbidden = timeline.filter(({ from, to }) => from !== null && !transitions[from].includes(to));
  expect(forbidden).toEqual([]);
  expect(timeline.map(({ from }) => from)).toEqual([null, ...timeline.slice(0, -1).map(({ to }) => to)]);
  expect(timeline.at(-1)?.to).toBe(model.status);
  expect(timeline.filter(({ to }) => to === "running").length).toBe(model.claim);
  expect(timeline.filter(({ attempt }) => attempt > model.maxAttempts)).toEqual([]);
  const untold = timeline.filter(({ from, outcome }) => (from === "running") !== (outcome !== null));
  expect(untold).toEqual([]);
  const sums = timeline.map(({ atMs, durationMs }, index) => atMs - (timeline[index - 1]?.atMs ?? t0) - durationMs);
  expect(sums).toEqual(timeline.map(() => 0));
}

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Step>({ do: "claim" }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("finish" as const),
      to: fc.constantFrom("succeeded" as const, "retrying" as const, "failed" as const, "queued" as const),
      isOutdated: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 500, leaseMs - 1, leaseMs) }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: "extend" }, { do: "die" }, { do: "sweep" }, { do: "sweep" }) },
);

interface History {
  isScheduled: boolean;
  maxAttempts: number;
  steps: Step[];
}

const anyHistory: fc.Arbitrary<History> = fc.record({
  isScheduled: fc.boolean(),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  steps: fc.array(anyStep, { minLength: 1, maxLength: 25 }),
});

export function describeModel(open: OpenStore): void {
  describe("any history of a task", () => {
    test("is that of the model, goes only where it may, and never gives a claim twice", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const run = async ({ isScheduled, maxAttempts, steps }: History): Promise<void> => {
        const runAtMs = isScheduled ? t0 + 1000 : t0;
        const status = isScheduled ? ("scheduled" as const) : ("queued" as const);
        const { id } = await tasks.create({ status, maxAttempts, runAtMs, sendAtMs: runAtMs });
        const model: Model = { status, attempt: 0, maxAttempts, claim: 0, leaseUntilMs: 0, runAtMs };
        let nowMs = t0;
        for (const step of steps) {
          if (step.do === "wait") nowMs += step.ms;
          await doStep(tasks, id, model, step, nowMs);
          expect(await tasks.get(id)).toMatchObject({ status: model.status, attempt: model.attempt });
        }
        checkHistory(await tasks.timeline(id), model);
      };
      await fc.assert(fc.asyncProperty(anyHistory, run), { numRuns: 250 });
    }, 60_000);
  });
}
