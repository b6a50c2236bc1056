/** What is done about a schedule at a time: one table for each overlap policy, and what an outage leaves. */

import { describe, expect, test } from "bun:test";
import type { OverlapPolicy, Schedule } from "../../src/store/ports/schedules.ts";
import { afterRun, moved, nextStep } from "../../src/task-service/tick-step.ts";
import { newSchedule } from "../support/stored-schedules.ts";
import { t0 } from "../support/stored-tasks.ts";

const minuteMs = 60_000;
const first = t0 + minuteMs;

/** All that is done at that time, in words; every run goes on for ever if `isRunGoing`. */
function stepsAt(schedule: Schedule, nowMs: number, isRunGoing = false): { told: string[]; after: Schedule } {
  const told: string[] = [];
  let now = schedule;
  for (let step = nextStep(now, nowMs, isRunGoing); step; step = nextStep(now, nowMs, isRunGoing)) {
    if (told.length > 500) throw new Error("the steps do not end");
    const run = { taskId: `t${told.length}`, scheduledForMs: "tickMs" in step ? step.tickMs : 0 };
    now = step.kind === "fire" ? afterRun(now, run, nowMs) : step.after;
    told.push(`${step.kind} ${"tickMs" in step ? (step.tickMs - t0) / minuteMs : "count" in step ? step.count : ""}`);
    expect(now.version).toBe(schedule.version + told.length);
  }
  return { told, after: now };
}

describe("a schedule", () => {
  test("has nothing to be done before its tick, and a run at it", () => {
    const schedule = newSchedule();
    expect(nextStep(schedule, first - 1, false)).toBeUndefined();
    const { told, after } = stepsAt(schedule, first);
    expect(told).toEqual(["fire 1"]);
    expect(after).toEqual({
      ...schedule,
      version: 2,
      nextTickMs: first + minuteMs,
      lookAtMs: first + minuteMs,
      lastRun: { taskId: "t0", scheduledForMs: first },
      fired: 1,
    });
  });

  test("that is paused, or has no tick left, has nothing to be done", () => {
    const none = { nextTickMs: null, lookAtMs: null };
    expect(nextStep(newSchedule({ ...none, isPaused: true }), first + 1e9, false)).toBeUndefined();
    expect(nextStep(newSchedule(none), first + 1e9, false)).toBeUndefined();
  });

  test("ends with its last tick", () => {
    const { timing } = newSchedule();
    const schedule = newSchedule({ timing: { ...timing, endAtMs: first + 1 } });
    const { told, after } = stepsAt(schedule, first);
    expect([told, after.nextTickMs, after.lookAtMs]).toEqual([["fire 1"], null, null]);
  });

  test("that was run by hand keeps its ticks", () => {
    const schedule = newSchedule({ heldTickMs: t0 });
    const after = afterRun(schedule, { taskId: "t", scheduledForMs: t0 + 5 }, t0 + 5);
    expect(after).toMatchObject({ nextTickMs: first, heldTickMs: t0, fired: 1, lastRun: { taskId: "t" } });
  });
});

describe("while the run before goes on", () => {
  const rows: [overlap: OverlapPolicy, atMinute: number, told: string[], counts: object][] = [
    ["skip", 1, ["skip 1"], { skipped: 1, heldTickMs: null, nextTickMs: t0 + 2 * minuteMs }],
    ["skip", 2, ["skip 1", "skip 2"], { skipped: 2, heldTickMs: null, nextTickMs: t0 + 3 * minuteMs }],
    ["buffer_one", 1, ["hold 1"], { skipped: 0, heldTickMs: first, nextTickMs: t0 + 2 * minuteMs }],
    ["buffer_one", 2, ["hold 1", "skip 2"], { skipped: 1, heldTickMs: first, nextTickMs: t0 + 3 * minuteMs }],
    ["allow", 2, ["fire 1", "fire 2"], { skipped: 0, heldTickMs: null, fired: 2, nextTickMs: t0 + 3 * minuteMs }],
  ];

  test.each(rows)("%s at minute %p does %p", (overlap, minute, told, counts) => {
    const done = stepsAt(newSchedule({ overlap }), t0 + minute * minuteMs, true);
    expect(done.told).toEqual(told);
    expect(done.after).toMatchObject(counts);
  });

  test("a held tick runs when that ends, before the next one", () => {
    const held = stepsAt(newSchedule({ overlap: "buffer_one" }), first, true).after;
    const { told, after } = stepsAt(held, first + minuteMs);
    expect(told).toEqual(["fire 1", "fire 2"]);
    expect(after).toMatchObject({ heldTickMs: null, fired: 2, skipped: 0, nextTickMs: t0 + 3 * minuteMs });
  });

  test("a held tick is looked at ever more rarely, and never later than the next tick", () => {
    const { timing } = newSchedule();
    const hourly = { ...timing, rule: { kind: "every", everyMs: 60 * minuteMs, anchorMs: t0 } } as const;
    let schedule = newSchedule({ overlap: "buffer_one", timing: hourly, nextTickMs: t0, lookAtMs: t0 });
    const pauses: number[] = [];
    for (let atMs = t0; atMs < t0 + 59.5 * minuteMs; atMs = schedule.lookAtMs ?? Number.NaN) {
      schedule = stepsAt(schedule, atMs, true).after;
      pauses.push((schedule.lookAtMs ?? 0) - atMs);
    }
    expect(pauses.slice(0, 3)).toEqual([1000, 1000, 1000]);
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
    expect(pauses.at(-2)).toBe(30_000);
    expect(pauses.length).toBeLessThan(200);
    expect(schedule.lookAtMs).toBeLessThanOrEqual(t0 + 60 * minuteMs);
  });
});

describe("after an outage", () => {
  const rows: [catchUp: number, outageMinutes: number, told: string[]][] = [
    // A tick that is a minute late, or less, was not missed.
    [0, 2, ["fire 1", "fire 2"]],
    [1, 2, ["fire 1", "fire 2"]],
    [0, 3, ["miss 1", "fire 2", "fire 3"]],
    [1, 3, ["fire 1", "fire 2", "fire 3"]],
    [0, 10, ["miss 8", "fire 9", "fire 10"]],
    [1, 10, ["miss 7", "fire 8", "fire 9", "fire 10"]],
    [3, 10, ["miss 5", "fire 6", "fire 7", "fire 8", "fire 9", "fire 10"]],
    [100, 4, ["fire 1", "fire 2", "fire 3", "fire 4"]],
  ];

  test.each(rows)("with catch_up %p, %p minutes later: %p", (catchUp, minutes, told) => {
    const { told: done, after } = stepsAt(newSchedule({ catchUp, overlap: "allow" }), t0 + minutes * minuteMs);
    expect(done).toEqual(told);
    expect(after.fired + after.missed).toBe(minutes);
    expect(after.nextTickMs).toBe(t0 + (minutes + 1) * minuteMs);
  });

  test("of years the newest tick is made up for in few steps, and those before are counted up to a thousand", () => {
    const year = 365 * 1440;
    const { told, after } = stepsAt(newSchedule(), t0 + year * minuteMs);
    expect(told).toEqual(["miss 1000", `fire ${year - 2}`, `fire ${year - 1}`, `fire ${year}`]);
    expect(after).toMatchObject({ missed: 1000, fired: 3 });
  });

  test("a daily run is made up for hours later", () => {
    const cron = { kind: "cron", cron: "0 3 * * *", timeZone: "Europe/Berlin" } as const;
    const tick = Date.parse("2026-03-28T02:00:00Z");
    const timing = { rule: cron, startAtMs: null, endAtMs: null };
    const daily = newSchedule({ timing, nextTickMs: tick, lookAtMs: tick });
    const step = nextStep(daily, tick + 7 * 60 * minuteMs, false);
    expect(step).toEqual({ kind: "fire", tickMs: tick });
    const none = nextStep({ ...daily, catchUp: 0 }, tick + 7 * 60 * minuteMs, false);
    // The clocks go forward in between.
    expect(none).toMatchObject({ kind: "miss", count: 1, untilMs: Date.parse("2026-03-29T01:00:00Z") });
  });

  test("a schedule that has ended in the meantime still makes up for its last tick, unless it should not", () => {
    const { timing } = newSchedule();
    const ended = newSchedule({ timing: { ...timing, endAtMs: t0 + 3 * minuteMs } });
    const later = t0 + 1000 * minuteMs;
    expect(stepsAt(ended, later).told).toEqual(["miss 1", "fire 2"]);
    const { told, after } = stepsAt({ ...ended, catchUp: 0 }, later);
    expect([told, after.missed, after.lookAtMs]).toEqual([["miss 2"], 2, null]);
  });
});

test("a change counts the version, and says when to look", () => {
  const schedule = newSchedule();
  expect(moved(schedule, { isPaused: true, nextTickMs: null }, t0)).toMatchObject({ version: 2, lookAtMs: null });
  expect(moved(schedule, { nextTickMs: t0 + 5 }, t0)).toMatchObject({ version: 2, lookAtMs: t0 + 5 });
});
