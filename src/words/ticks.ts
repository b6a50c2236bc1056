/**
 * The ticks of a schedule: the moments at which it is due, as its rule names them. Pure: a tick is known by its nominal
 * time alone, so every process finds the same ones, whatever its clock says. The one home of the cron library.
 */

import { Cron } from "croner";

export type Rule =
  | { kind: "cron"; cron: string /** IANA, such as `Europe/Berlin`. */; timeZone: string }
  /** Each `everyMs` from `anchorMs` on, in both directions. */
  | { kind: "every"; everyMs: number; anchorMs: number };

/** Times are milliseconds since the epoch. */
export interface Timing {
  rule: Rule;
  /** No tick before it; one at it is. */
  startAtMs: number | null;
  /** No tick at it, and none after. */
  endAtMs: number | null;
}

/** The shortest and the longest `every`. */
export const shortestEveryMs = 1000;
export const longestEveryMs = 366 * 86_400_000;

export const defaultTimeZone = "UTC";

/** Throws an `Error` that says what is allowed. */
export function parseCron(cron: string): string {
  const text = cron.trim().replace(/\s+/g, " ");
  // The library takes a date, too, and fields for the year: a schedule repeats.
  if (text.startsWith("@") ? !nicknames.has(text.toLowerCase()) : ![5, 6].includes(text.split(" ").length)) {
    throw new Error(`expected five fields (minute hour day month weekday), six with seconds first, or ${known}`);
  }
  try {
    toCron(text, defaultTimeZone);
  } catch (error) {
    throw new Error(`expected a cron expression: ${(error as Error).message.replace(/^CronPattern: /, "")}`);
  }
  return text;
}

const nicknames = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"]);
const known = [...nicknames].join(", ");

/** Throws an `Error` that says what is allowed. Offsets are none: they know no summer time. */
export function parseTimeZone(name: string): string {
  try {
    if (/^[A-Za-z]/.test(name)) return new Intl.DateTimeFormat("en", { timeZone: name }) && name;
  } catch {
    // `Intl` does not know it.
  }
  throw new Error("expected a time zone of IANA, such as Europe/Berlin or UTC");
}

/** The first tick after `afterMs`; null when none follows. */
export function nextTick({ rule, startAtMs, endAtMs }: Timing, afterMs: number): number | null {
  const fromMs = Math.max(afterMs, (startAtMs ?? Number.NEGATIVE_INFINITY) - 1);
  const tickMs = rule.kind === "cron" ? nextCron(rule.cron, rule.timeZone, fromMs) : nextEvery(rule, fromMs);
  return tickMs === null || (endAtMs !== null && tickMs >= endAtMs) ? null : tickMs;
}

/** Up to `count` ticks after `afterMs`. */
export function nextTicks(timing: Timing, afterMs: number, count: number): number[] {
  const ticks: number[] = [];
  for (let at = nextTick(timing, afterMs); at !== null && ticks.length < count; at = nextTick(timing, at)) {
    ticks.push(at);
  }
  return ticks;
}

/** Up to `count` ticks before `beforeMs`, the newest of them, in the order of time. */
export function ticksBefore(timing: Timing, beforeMs: number, count: number): number[] {
  const { rule, startAtMs, endAtMs } = timing;
  const untilMs = Math.min(beforeMs, endAtMs ?? Number.POSITIVE_INFINITY);
  const ticks = rule.kind === "cron" ? cronBefore(rule, untilMs, count) : everyBefore(rule, untilMs, count);
  return ticks.filter((tickMs) => tickMs >= (startAtMs ?? Number.NEGATIVE_INFINITY));
}

/** A schedule's ticks go on by the new time when the clock was set back by so many of them; fewer are waited for. */
const waitedTicks = 4;

/**
 * The timing of a schedule, and its next tick, once the wall clock was set by `stepMs` to `nowMs`. An interval that
 * begins at no time of its own is a duration: its ticks are moved, so that they stay as far apart as before. All others
 * are times of the wall clock. Set forward over some of those, they were missed. Set back, the next tick stays, so that
 * none comes twice; but one that is many ticks away then would keep the schedule waiting, and it goes on by the new time.
 */
export function timingAfterStep(
  { timing, nextTickMs }: { timing: Timing; nextTickMs: number | null },
  stepMs: number,
  nowMs: number,
): { timing: Timing; nextTickMs: number | null } {
  const { rule, startAtMs, endAtMs } = timing;
  if (rule.kind === "every" && startAtMs === null) {
    const moved = { ...timing, rule: { ...rule, anchorMs: rule.anchorMs + stepMs } };
    const movedTickMs = nextTickMs === null ? null : nextTickMs + stepMs;
    const isOver = movedTickMs !== null && endAtMs !== null && movedTickMs >= endAtMs;
    return { timing: moved, nextTickMs: isOver ? null : movedTickMs };
  }
  if (stepMs > 0 || nextTickMs === null) return { timing, nextTickMs };
  const [, ...further] = nextTicks(timing, nowMs, waitedTicks + 1);
  const isNear = further.length < waitedTicks || (further.at(-1) ?? nextTickMs) >= nextTickMs;
  return { timing, nextTickMs: isNear ? nextTickMs : nextTick(timing, nowMs) };
}

function nextCron(cron: string, timeZone: string, afterMs: number): number | null {
  return toCron(cron, timeZone).nextRun(new Date(afterMs))?.getTime() ?? null;
}

function cronBefore(rule: Extract<Rule, { kind: "cron" }>, beforeMs: number, count: number): number[] {
  // The library counts in seconds.
  const before = new Date(Math.ceil(beforeMs / 1000) * 1000);
  const ticks = count === 0 ? [] : toCron(rule.cron, rule.timeZone).previousRuns(count, before);
  return ticks.map((date) => date.getTime()).sort((a, b) => a - b);
}

function nextEvery({ everyMs, anchorMs }: Extract<Rule, { kind: "every" }>, afterMs: number): number {
  return anchorMs + (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs;
}

function everyBefore(rule: Extract<Rule, { kind: "every" }>, beforeMs: number, count: number): number[] {
  const { everyMs, anchorMs } = rule;
  const newest = anchorMs + (Math.ceil((beforeMs - anchorMs) / everyMs) - 1) * everyMs;
  return Array.from({ length: count }, (_, n) => newest - (count - 1 - n) * everyMs);
}

/**
 * Summer time, as Vixie cron has it: a time of day that a day does not have is due at the first moment after the gap, and
 * one that it has twice is due the first time. Where hours or minutes go on by a wildcard or a step, every moment of the
 * clock counts: none in the gap, both of each pair.
 */
function toCron(cron: string, timeZone: string): Cron {
  return new Cron(cron, { timezone: timeZone, mode: "5-or-6-parts", fixedTimeRule: "no-wildcard", paused: true });
}
