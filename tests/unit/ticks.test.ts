/** The ticks of rules: what is taken, what is refused, and what becomes of them when the clocks change. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  nextTick,
  nextTicks,
  parseCron,
  parseTimeZone,
  type Rule,
  type Timing,
  ticksBefore,
  timingAfterStep,
} from "../../src/words/ticks.ts";

const atMs = (text: string): number => Date.parse(text);
const shown = (ticks: readonly number[]): string[] =>
  ticks.map((tick) => new Date(tick).toISOString().replace(":00.000Z", "Z"));

function cron(text: string, timeZone = "UTC", limits: Partial<Timing> = {}): Timing {
  return { rule: { kind: "cron", cron: text, timeZone }, startAtMs: null, endAtMs: null, ...limits };
}

function every(everyMs: number, anchorMs: number, limits: Partial<Timing> = {}): Timing {
  return { rule: { kind: "every", everyMs, anchorMs }, startAtMs: null, endAtMs: null, ...limits };
}

describe("a cron expression", () => {
  const taken: [text: string, next: string][] = [
    ["*/15 * * * *", "2026-01-01T00:15Z"],
    ["30 4 1 * *", "2026-01-01T04:30Z"],
    ["0 9 * * MON-FRI", "2026-01-01T09:00Z"],
    ["0 0 * * 7", "2026-01-04T00:00Z"],
    ["0 0 29 2 *", "2028-02-29T00:00Z"],
    ["0 0 L * *", "2026-01-31T00:00Z"],
    ["0 12 13 * +FRI", "2026-02-13T12:00Z"],
    ["0 12 13 * FRI", "2026-01-02T12:00Z"],
    ["@daily", "2026-01-02T00:00Z"],
    ["@Hourly", "2026-01-01T01:00Z"],
    ["0 30 6 * * *", "2026-01-01T06:30Z"],
    ["  5   4 * * * ", "2026-01-01T04:05Z"],
  ];

  test.each(taken)("%p is due first at %p", (text, next) => {
    expect(shown(nextTicks(cron(parseCron(text)), atMs("2026-01-01T00:00Z"), 1))).toEqual([next]);
  });

  const refused: [text: string, why: string][] = [
    ["", "five fields"],
    ["* * * *", "five fields"],
    ["* * * * * * *", "five fields"],
    ["2026-01-01T00:00:00", "five fields"],
    ["@reboot", "five fields"],
    ["@fortnightly", "five fields"],
    ["60 * * * *", "Invalid value for minute: 60"],
    ["*/0 * * * *", "illegal stepping"],
    ["0 0 * * BOB", "expected a cron expression"],
    ["0 0 32 * *", "Invalid value for day"],
  ];

  test.each(refused)("%p is refused: %s", (text, why) => {
    expect(() => parseCron(text)).toThrow(why);
  });

  const never = ["0 0 31 2 *", "0 0 31 4,6,9,11 *"];

  test.each(never)("%p has no tick", (text) => {
    expect(nextTick(cron(parseCron(text)), atMs("2026-01-01T00:00Z"))).toBeNull();
  });

  test("with seconds is due each second, and never twice at the same", () => {
    const timing = cron("* * * * * *");
    const start = atMs("2026-06-30T23:59:58Z");
    expect(nextTicks(timing, start, 3)).toEqual([start + 1000, start + 2000, start + 3000]);
    expect(nextTick(timing, start + 999)).toBe(start + 1000);
    expect(nextTick(timing, start + 1000)).toBe(start + 2000);
  });
});

describe("a time zone", () => {
  test.each(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])("%p is taken", (name) => {
    expect(parseTimeZone(name)).toBe(name);
  });

  test.each(["", "+01:00", "Europe/Nowhere", "Mars/Olympus"])("%p is refused", (name) => {
    expect(() => parseTimeZone(name)).toThrow("expected a time zone of IANA");
  });
});

describe("when the clocks change", () => {
  type Row = [what: string, cron: string, timeZone: string, from: string, ticks: string[]];

  const forward: Row[] = [
    // Berlin goes from 02:00 to 03:00 on 29 March 2026, at 01:00 UTC.
    [
      "a time of day in the gap",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T00:00Z",
      ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"],
    ],
    [
      "two times of day, one in the gap",
      "30 2,14 * * *",
      "Europe/Berlin",
      "2026-03-29T00:00Z",
      ["2026-03-29T01:00Z", "2026-03-29T12:30Z", "2026-03-30T00:30Z"],
    ],
    [
      "every half hour",
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-03-29T00:15Z",
      ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z"],
    ],
    [
      "an hour after the gap",
      "0 3 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00Z",
      ["2026-03-29T01:00Z", "2026-03-30T01:00Z"],
    ],
    // New York goes from 02:00 to 03:00 on 8 March 2026, at 07:00 UTC.
    [
      "a time of day in the gap",
      "15 2 * * *",
      "America/New_York",
      "2026-03-08T00:00Z",
      ["2026-03-08T07:00Z", "2026-03-09T06:15Z"],
    ],
    // Lord Howe goes on by half an hour, from 02:00 to 02:30 on 4 October 2026, at 15:30 UTC the day before.
    [
      "a time of day in a gap of half an hour",
      "15 2 * * *",
      "Australia/Lord_Howe",
      "2026-10-03T00:00Z",
      ["2026-10-03T15:30Z", "2026-10-04T15:15Z"],
    ],
  ];

  const back: Row[] = [
    // Berlin goes back from 03:00 to 02:00 on 25 October 2026, at 01:00 UTC.
    [
      "a time of day that comes twice",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00Z",
      ["2026-10-25T00:30Z", "2026-10-26T01:30Z"],
    ],
    ["the same, asked between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:45Z", ["2026-10-26T01:30Z"]],
    [
      "every half hour",
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-10-24T23:45Z",
      ["2026-10-25T00:00Z", "2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-25T02:00Z"],
    ],
    [
      "each hour",
      "@hourly",
      "America/New_York",
      "2026-11-01T04:30Z",
      ["2026-11-01T05:00Z", "2026-11-01T06:00Z", "2026-11-01T07:00Z"],
    ],
    [
      "a time of day that comes twice",
      "45 1 * * *",
      "America/New_York",
      "2026-11-01T00:00Z",
      ["2026-11-01T05:45Z", "2026-11-02T06:45Z"],
    ],
  ];

  test.each(forward)("forward: %s (%p in %s)", (_, text, zone, from, ticks) => {
    expect(shown(nextTicks(cron(text, zone), atMs(from), ticks.length))).toEqual(ticks);
  });

  test.each(back)("back: %s (%p in %s)", (_, text, zone, from, ticks) => {
    expect(shown(nextTicks(cron(text, zone), atMs(from), ticks.length))).toEqual(ticks);
  });

  test("an interval does not notice", () => {
    const timing = every(3_600_000, atMs("2026-03-29T00:10Z"));
    const ticks = ["2026-03-29T01:10Z", "2026-03-29T02:10Z"];
    expect(shown(nextTicks(timing, atMs("2026-03-29T00:10Z"), 2))).toEqual(ticks);
  });
});

describe("an interval", () => {
  const anchorMs = atMs("2026-01-01T00:00:10Z");

  test("is counted from its anchor, however late it is asked", () => {
    expect(nextTick(every(7000, anchorMs), anchorMs)).toBe(anchorMs + 7000);
    expect(nextTick(every(7000, anchorMs), anchorMs + 7_000_001)).toBe(anchorMs + 7_007_000);
    expect(nextTick(every(7000, anchorMs), anchorMs - 1)).toBe(anchorMs);
  });
});

describe("the limits of a schedule", () => {
  const anchorMs = atMs("2026-01-01T00:00Z");
  const limits = { startAtMs: anchorMs + 120_000, endAtMs: anchorMs + 240_000 };
  const ticks = [anchorMs + 120_000, anchorMs + 180_000];
  const timings = [every(60_000, anchorMs, limits), cron("* * * * *", "UTC", limits)];

  test.each(timings)("leave a tick at the start, and none at the end: %p", (timing) => {
    expect(nextTicks(timing, anchorMs - 1_000_000, 9)).toEqual(ticks);
    expect(ticksBefore(timing, anchorMs + 1_000_000, 9)).toEqual(ticks);
  });
});

describe("the ticks before a time", () => {
  const rules: Rule[] = [
    { kind: "every", everyMs: 61_000, anchorMs: 7 },
    { kind: "cron", cron: "*/7 * * * *", timeZone: "UTC" },
    { kind: "cron", cron: "30 2 * * *", timeZone: "Europe/Berlin" },
    { kind: "cron", cron: "*/20 1,2 * * SUN", timeZone: "America/New_York" },
    { kind: "cron", cron: "0 12 L * *", timeZone: "Australia/Lord_Howe" },
  ];
  const during2026 = fc.integer({ min: atMs("2026-01-01T00:00Z"), max: atMs("2026-12-31T00:00Z") });

  test.each(rules)("are those that come one after the other: %p", (rule) => {
    const timing: Timing = { rule, startAtMs: null, endAtMs: null };
    fc.assert(
      fc.property(during2026, fc.integer({ min: 1, max: 5 }), (beforeMs, count) => {
        const before = ticksBefore(timing, beforeMs, count);
        expect(before).toHaveLength(count);
        expect(before.at(-1)).toBeLessThan(beforeMs);
        const [oldest = 0] = before;
        expect(nextTicks(timing, oldest - 1, count)).toEqual(before);
        expect(nextTick(timing, before.at(-1) ?? 0)).toBeGreaterThanOrEqual(beforeMs);
      }),
      { numRuns: 60 },
    );
  });

  test("are none when none are asked for", () => {
    for (const rule of rules) expect(ticksBefore({ rule, startAtMs: null, endAtMs: null }, 0, 0)).toEqual([]);
  });
});

/** Each schedule is met at `beforeMs` with the tick after that as its next one. */
describe("the timing after the wall clock was set", () => {
  const beforeMs = atMs("2026-06-01T12:00:30Z");
  const minuteMs = 60_000;
  const nextAfter = (timing: Timing, stepMs: number): number | null =>
    timingAfterStep({ timing, nextTickMs: nextTick(timing, beforeMs) }, stepMs, beforeMs + stepMs).nextTickMs;
  const every = (everyMs: number, startAtMs: number | null): Timing => ({
    rule: { kind: "every", everyMs, anchorMs: startAtMs ?? beforeMs - 12_345 },
    startAtMs,
    endAtMs: null,
  });

  test.each([-3_600_000, -90_000, -2001, 2001, 60_000, 86_400_000])(
    "keeps an interval at its pace: set by %i ms",
    (stepMs) => {
      const before = { timing: every(minuteMs, null), nextTickMs: beforeMs + 47_655 };
      const after = timingAfterStep(before, stepMs, beforeMs + stepMs);
      expect(after.nextTickMs).toBe(beforeMs + stepMs + 47_655);
      expect(nextTicks(after.timing, beforeMs + stepMs, 2)).toEqual(
        [47_655, 107_655].map((ms) => beforeMs + stepMs + ms),
      );
    },
  );

  test.each([
    ["a daily tick stays", cron("0 3 * * *"), -60 * minuteMs, "2026-06-02T03:00Z"],
    ["an hourly tick stays", cron("0 * * * *"), -65 * minuteMs, "2026-06-01T13:00Z"],
    ["ticks of each minute go on by the new time", cron("* * * * *"), -60 * minuteMs, "2026-06-01T11:01Z"],
    ["ticks of each minute that are near are waited for", cron("* * * * *"), -3 * minuteMs, "2026-06-01T12:01Z"],
    [
      "an interval from a time of its own goes on by the new time",
      every(5000, 0),
      -60 * minuteMs,
      "2026-06-01T11:00:35Z",
    ],
    ["a long interval from a time of its own stays", every(6 * 60 * minuteMs, 0), -60 * minuteMs, "2026-06-01T18:00Z"],
    ["ticks that the clock was set over are missed ones", cron("* * * * *"), 60 * minuteMs, "2026-06-01T12:01Z"],
  ])("%s", (_, timing, stepMs, next) => {
    expect(nextAfter(timing, stepMs)).toBe(atMs(next));
  });

  test("has none when it had none, or when its end has come", () => {
    for (const timing of [cron("* * * * *"), every(minuteMs, null)]) {
      expect(timingAfterStep({ timing, nextTickMs: null }, -3_600_000, beforeMs).nextTickMs).toBeNull();
    }
    const ending = { ...every(minuteMs, null), endAtMs: beforeMs + minuteMs };
    expect(nextAfter(ending, 60 * minuteMs)).toBeNull();
  });
});

/** What the library finds is what a clock of that place shows, minute by minute. */
describe("every minute that a wall clock shows", () => {
  const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
  const days = ["2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"];

  test.each(zones)("in %s is a tick of the hours and minutes that it names", (timeZone) => {
    const clock = new Intl.DateTimeFormat("en", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    for (const day of days) {
      const from = atMs(`${day}T00:00Z`) - 86_400_000;
      const named = Array.from({ length: 3 * 1440 }, (_, minute) => from + minute * 60_000).filter((at) => {
        const [hour, minute] = clock.format(at).split(":").map(Number);
        return (hour ?? 0) % 2 === 0 && (minute ?? 0) % 10 === 5;
      });
      expect(nextTicks(cron("5-59/10 */2 * * *", timeZone), from - 1, named.length)).toEqual(named);
    }
  });
});
