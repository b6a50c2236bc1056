/** What is said of a schedule, and what is refused: times that never come, rules that do not fit together. */

import { describe, expect, test } from "bun:test";
import { newSchedule as newScheduleForm, updateSchedule } from "../../src/api/schedule.ts";
import type { Schedule } from "../../src/store/ports/schedules.ts";
import { parseRequest } from "../../src/task-service/requests.ts";
import { overlay, toSaid } from "../../src/task-service/schedule-change.ts";
import { newSchedule } from "../support/stored-schedules.ts";

const nowMs = Date.parse("2026-01-01T00:00:30Z");
const task = { type: "echo" };

function specOf(fields: object) {
  return parseRequest("CreateSchedule", newScheduleForm, { task, ...fields });
}

const at = (text: string): number => Date.parse(text);

describe("a schedule as it is said", () => {
  test("has the usual where nothing is said", () => {
    expect(toSaid(specOf({ cron: " 0  3 * * * " }), nowMs)).toEqual({
      timing: { rule: { kind: "cron", cron: "0 3 * * *", timeZone: "UTC" }, startAtMs: null, endAtMs: null },
      task: { type: "echo", payload: "null", metadata: {}, maxAttempts: null, timeoutMs: null },
      overlap: "skip",
      catchUp: 1,
      isPaused: false,
      nextTickMs: at("2026-01-01T03:00Z"),
      heldTickMs: null,
    });
  });

  const next: [said: object, nextAt: string | null][] = [
    [{ every: "90s" }, "2026-01-01T00:02:00Z"],
    [{ every: "90s", start_at: "2026-01-01T00:00:00Z" }, "2026-01-01T00:01:30Z"],
    [{ every: "90s", start_at: "2026-02-01T00:00:00Z" }, "2026-02-01T00:00:00Z"],
    [{ cron: "0 3 * * *", time_zone: "Europe/Berlin" }, "2026-01-01T02:00:00Z"],
    [{ cron: "@daily", start_at: "2026-02-01T00:00:00Z" }, "2026-02-01T00:00:00Z"],
    [{ cron: "@daily", paused: true }, null],
  ];

  test.each(next)("%p is due next at %p", (said, nextAt) => {
    expect(toSaid(specOf(said), nowMs).nextTickMs).toBe(nextAt === null ? null : at(nextAt));
  });

  const refused: [said: object, why: string][] = [
    [{}, "expected either cron or every"],
    [{ cron: "@daily", every: "60s" }, "expected either cron or every"],
    [{ every: "60s", time_zone: "UTC" }, "/time_zone: it goes with cron only"],
    [{ every: "0.999s" }, "/every: expected 1s to 366d"],
    [{ every: "31708800s" }, "/every: expected 1s to 366d"],
    [{ cron: "0 0 31 2 *" }, "/cron: it fits no time to come"],
    [{ cron: "nope" }, "/cron: expected five fields"],
    [{ cron: "@daily", time_zone: "Mars" }, "/time_zone: expected a time zone of IANA"],
    [{ cron: "@daily", end_at: "2026-01-02T00:00:00Z" }, 'end_at: "2026-01-02T00:00:00Z": the schedule would end'],
    [{ cron: "@daily", end_at: "2025-01-02T00:00:00Z" }, "the schedule would end before"],
    [{ cron: "@daily", paused: true, end_at: "2025-01-02T00:00:00Z" }, "the schedule would end before"],
    [{ every: "1s", task: { type: "echo", timeout: "0s" } }, "/task/timeout: expected a duration above 0"],
    [
      { every: "1s", task: { type: "echo", metadata: { schedule_id: "x" } } },
      "/task/metadata: each run gets schedule_id",
    ],
  ];

  test.each(refused)("%p is refused: %s", (said, why) => {
    expect(() => toSaid(specOf(said), nowMs)).toThrow(why);
  });
});

describe("a schedule that is changed", () => {
  const before = newSchedule({
    timing: { rule: { kind: "every", everyMs: 60_000, anchorMs: nowMs - 90_000 }, startAtMs: null, endAtMs: null },
    // Due, and nobody has come to it yet.
    nextTickMs: nowMs - 30_000,
    heldTickMs: nowMs - 60_000,
  });

  function change(changes: object, fields: string[], of: Schedule = before) {
    const request = parseRequest("UpdateSchedule", updateSchedule, { id: "nightly", change: changes, fields });
    return toSaid(overlay(of, request.change, request.fields), nowMs, of);
  }

  test("keeps what is not said, and what is due stays due", () => {
    const { timing, task: kept, overlap, catchUp, isPaused, nextTickMs, heldTickMs } = before;
    const same = { timing, task: kept, overlap, catchUp, isPaused, nextTickMs, heldTickMs };
    expect(change({ overlap: "allow" }, ["overlap"])).toEqual({ ...same, overlap: "allow" });
    expect(change({ every: "60s" }, ["every"])).toEqual(same);
    expect(change({ overlap: "allow", catch_up: 7 }, ["catch_up"])).toEqual({ ...same, catchUp: 7 });
  });

  test("has the next tick of its new rule", () => {
    const daily = change({ cron: "@daily", time_zone: "Europe/Berlin" }, ["cron", "time_zone"]);
    expect(daily.timing.rule).toEqual({ kind: "cron", cron: "@daily", timeZone: "Europe/Berlin" });
    expect(daily.nextTickMs).toBe(at("2026-01-01T23:00Z"));
    const faster = change({ every: "10s" }, ["every"]);
    expect(faster).toMatchObject({ timing: { rule: { anchorMs: nowMs } }, nextTickMs: nowMs + 10_000 });
    const cron = newSchedule({ timing: daily.timing });
    expect(change({ every: "10s" }, ["every"], cron).timing.rule).toEqual({
      kind: "every",
      everyMs: 10_000,
      anchorMs: nowMs,
    });
    expect(change({ time_zone: "UTC" }, ["time_zone"], cron).nextTickMs).toBe(at("2026-01-02T00:00Z"));
  });

  test("loses what is named and not said", () => {
    const full = newSchedule({ overlap: "allow", catchUp: 9, timing: { ...before.timing, endAtMs: nowMs + 1e9 } });
    const less = change({}, ["overlap", "catch_up", "end_at"], full);
    expect(less).toMatchObject({ overlap: "skip", catchUp: 1, timing: { endAtMs: null } });
    expect(() => change({}, ["task"])).toThrow("/task");
    expect(() => change({}, ["every"])).toThrow("/every");
  });

  test("that is paused forgets its ticks, and goes on with the next one after it is resumed", () => {
    const paused = change({ paused: true }, ["paused"]);
    expect(paused).toMatchObject({ isPaused: true, nextTickMs: null, heldTickMs: null });
    const resumed = change({ paused: false }, ["paused"], { ...before, ...paused });
    expect(resumed).toMatchObject({ isPaused: false, nextTickMs: nowMs + 30_000 });
  });

  test("that has ended may be changed, and may begin again, but not end anew in the past", () => {
    const ended = newSchedule({ timing: { ...before.timing, endAtMs: nowMs - 1 }, nextTickMs: null });
    expect(change({ overlap: "allow" }, ["overlap"], ended).nextTickMs).toBeNull();
    expect(change({}, ["end_at"], ended).nextTickMs).toBe(nowMs + 30_000);
    expect(() => change({ end_at: "2025-01-01T00:00:00Z" }, ["end_at"], ended)).toThrow(
      "the schedule would end before",
    );
  });

  test.each([[[]], [["nope"]], [["id"]], [["every", "nope"]]])("names fields that there are, not %p", (fields) => {
    expect(() => change({}, fields)).toThrow("/fields");
  });
});
