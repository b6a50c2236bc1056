/** What is said of a schedule, and what is refused: times that never come, rules that do not fit together. */

import { describe, expect, test } from "bun:test";
import { toSpecJson } from "../../src/rpc/schedule-view.ts";
import type { Schedule } from "../../src/store/ports/schedules.ts";
import { toSaid } from "../../src/task-service/schedule-change.ts";
import { overlay, parseCreateSchedule, parseUpdateSchedule } from "../../src/task-service/schedule-requests.ts";
import { newSchedule } from "../support/stored-schedules.ts";

const nowMs = Date.parse("2026-01-01T00:00:30Z");
const task = { type: "echo" };

function specOf(fields: object) {
  return parseCreateSchedule({ spec: { task, ...fields } }).spec;
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
    [{ every: "90s", startAt: "2026-01-01T00:00:00Z" }, "2026-01-01T00:01:30Z"],
    [{ every: "90s", startAt: "2026-02-01T00:00:00Z" }, "2026-02-01T00:00:00Z"],
    [{ cron: "0 3 * * *", timeZone: "Europe/Berlin" }, "2026-01-01T02:00:00Z"],
    [{ cron: "@daily", startAt: "2026-02-01T00:00:00Z" }, "2026-02-01T00:00:00Z"],
    [{ cron: "@daily", paused: true }, null],
  ];

  test.each(next)("%p is due next at %p", (said, nextAt) => {
    expect(toSaid(specOf(said), nowMs).nextTickMs).toBe(nextAt === null ? null : at(nextAt));
  });

  const refused: [said: object, why: string][] = [
    [{}, "expected either cron or every"],
    [{ cron: "@daily", every: "60s" }, "expected either cron or every"],
    [{ every: "60s", timeZone: "UTC" }, 'time_zone: "UTC": it goes with cron only'],
    [{ every: "0.999s" }, 'every: "999ms": expected 1s to 366d'],
    [{ every: "31708800s" }, 'every: "367d": expected 1s to 366d'],
    [{ cron: "0 0 31 2 *" }, 'cron: "0 0 31 2 *": it fits no time to come'],
    [{ cron: "nope" }, 'cron: "nope": expected five fields'],
    [{ cron: "@daily", timeZone: "Mars" }, 'time_zone: "Mars": expected a time zone of IANA'],
    [{ cron: "@daily", endAt: "2026-01-02T00:00:00Z" }, 'end_at: "2026-01-02T00:00:00.000Z": the schedule would end'],
    [{ cron: "@daily", endAt: "2025-01-02T00:00:00Z" }, "the schedule would end before"],
    [{ cron: "@daily", paused: true, endAt: "2025-01-02T00:00:00Z" }, "the schedule would end before"],
    [{ every: "1s", task: { type: "echo", timeout: "0s" } }, "task.timeout"],
    [{ every: "1s", task: { type: "echo", metadata: { schedule_id: "x" } } }, 'task.metadata: "schedule_id"'],
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

  function change(fields: object, mask: string, of: Schedule = before) {
    const { spec, updateMask } = parseUpdateSchedule({ id: "nightly", spec: fields, updateMask: mask });
    return toSaid(overlay(toSpecJson(of), spec, updateMask), nowMs, of);
  }

  test("keeps what is not said, and what is due stays due", () => {
    const { timing, task: kept, overlap, catchUp, isPaused, nextTickMs, heldTickMs } = before;
    const same = { timing, task: kept, overlap, catchUp, isPaused, nextTickMs, heldTickMs };
    expect(change({ overlap: "allow" }, "overlap")).toEqual({ ...same, overlap: "allow" });
    expect(change({ every: "60s" }, "every")).toEqual(same);
    expect(change({ overlap: "allow", catchUp: 7 }, "catchUp")).toEqual({ ...same, catchUp: 7 });
  });

  test("has the next tick of its new rule", () => {
    const daily = change({ cron: "@daily", timeZone: "Europe/Berlin" }, "cron,timeZone");
    expect(daily.timing.rule).toEqual({ kind: "cron", cron: "@daily", timeZone: "Europe/Berlin" });
    expect(daily.nextTickMs).toBe(at("2026-01-01T23:00Z"));
    const faster = change({ every: "10s" }, "every");
    expect(faster).toMatchObject({ timing: { rule: { anchorMs: nowMs } }, nextTickMs: nowMs + 10_000 });
    const cron = newSchedule({ timing: daily.timing });
    expect(change({ every: "10s" }, "every", cron).timing.rule).toEqual({
      kind: "every",
      everyMs: 10_000,
      anchorMs: nowMs,
    });
    expect(change({ timeZone: "UTC" }, "timeZone", cron).nextTickMs).toBe(at("2026-01-02T00:00Z"));
  });

  test("loses what is named and not said", () => {
    const full = newSchedule({ overlap: "allow", catchUp: 9, timing: { ...before.timing, endAtMs: nowMs + 1e9 } });
    const less = change({}, "overlap,catchUp,endAt", full);
    expect(less).toMatchObject({ overlap: "skip", catchUp: 1, timing: { endAtMs: null } });
    expect(() => change({}, "task")).toThrow("a schedule needs its task");
    expect(() => change({}, "every")).toThrow("expected either cron or every");
  });

  test("that is paused forgets its ticks, and goes on with the next one after it is resumed", () => {
    const paused = change({ paused: true }, "paused");
    expect(paused).toMatchObject({ isPaused: true, nextTickMs: null, heldTickMs: null });
    const resumed = change({ paused: false }, "paused", { ...before, ...paused });
    expect(resumed).toMatchObject({ isPaused: false, nextTickMs: nowMs + 30_000 });
  });

  test("that has ended may be changed, and may begin again, but not end anew in the past", () => {
    const ended = newSchedule({ timing: { ...before.timing, endAtMs: nowMs - 1 }, nextTickMs: null });
    expect(change({ overlap: "allow" }, "overlap", ended).nextTickMs).toBeNull();
    expect(change({}, "endAt", ended).nextTickMs).toBe(nowMs + 30_000);
    expect(() => change({ endAt: "2025-01-01T00:00:00Z" }, "endAt", ended)).toThrow("the schedule would end before");
  });

  test.each(["", "nope", "id", "every,nope"])("names fields that there are, not %p", (mask) => {
    expect(() => parseUpdateSchedule({ id: "x", spec: {}, updateMask: mask })).toThrow("does not fit");
  });
});
