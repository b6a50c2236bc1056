/** What a person says of a schedule, and what follows from it: its times, and when it is due next. Pure. */

import { checkForm, msOf } from "../api/fields.ts";
import { type NewSchedule, newSchedule, scheduleChange, toGiven } from "../api/schedule.ts";
import { maxMessageBytes } from "../rpc/call.ts";
import { parseDuration } from "../settings/parsers.ts";
import type { Schedule, ScheduledTask } from "../store/ports/schedules.ts";
import { TaskError } from "../words/errors.ts";
import { textOf } from "../words/json-text.ts";
import { defaultTimeZone, nextTick, parseCron, parseTimeZone, type Rule, type Timing } from "../words/ticks.ts";
import { parseTime } from "../words/time-text.ts";

const defaultCatchUp = 1;

type Said = Pick<Schedule, "timing" | "task" | "overlap" | "catchUp" | "isPaused" | "nextTickMs" | "heldTickMs">;

/** `before`: the schedule that is changed. Throws `invalid_argument` for what cannot be, or would never be due. */
export function toSaid(spec: NewSchedule, nowMs: number, before?: Schedule): Said {
  const timing = toTiming(spec, nowMs, before);
  const isSame = before !== undefined && isAlike(timing, before.timing);
  // What is due already stays due when only something else is changed.
  const next = isSame && before.nextTickMs !== null ? before.nextTickMs : nextTick(timing, nowMs);
  if (next === null && !isSame) throw neverDue(spec);
  return {
    timing,
    task: toTask(spec.task),
    overlap: spec.overlap ?? "skip",
    catchUp: spec.catch_up ?? defaultCatchUp,
    isPaused: spec.paused ?? false,
    nextTickMs: spec.paused ? null : next,
    // A pause forgets it.
    heldTickMs: spec.paused ? null : (before?.heldTickMs ?? null),
  };
}

function neverDue({ cron = "", start_at: startAt, end_at: endAt }: NewSchedule): TaskError {
  if (endAt !== undefined) {
    return refused("end_at", endAt, "the schedule would end before it is due for the first time");
  }
  return refused("cron", cron, startAt === undefined ? "it fits no time to come" : "it fits no time after start_at");
}

function toTiming(spec: NewSchedule, nowMs: number, before: Schedule | undefined): Timing {
  const startAtMs = spec.start_at === undefined ? null : parseTime(spec.start_at);
  const endAtMs = spec.end_at === undefined ? null : parseTime(spec.end_at);
  return { rule: toRule(spec, startAtMs ?? anchorOf(spec, before?.timing) ?? nowMs), startAtMs, endAtMs };
}

/** An interval that stays goes on where it was. */
function anchorOf({ every }: NewSchedule, before: Timing | undefined): number | undefined {
  const rule = before?.rule;
  return rule?.kind === "every" && rule.everyMs === msOf(every) && before?.startAtMs === null
    ? rule.anchorMs
    : undefined;
}

function toRule({ cron, time_zone: timeZone = defaultTimeZone, every }: NewSchedule, anchorMs: number): Rule {
  if (cron !== undefined) return { kind: "cron", cron: parseCron(cron), timeZone: parseTimeZone(timeZone) };
  if (every !== undefined) return { kind: "every", everyMs: parseDuration(every), anchorMs };
  throw new TaskError("invalid_argument", "expected either cron or every");
}

function toTask({ type, payload, metadata = {}, timeout, max_attempts }: NewSchedule["task"]): ScheduledTask {
  const text = textOf(payload);
  if (text.length > maxMessageBytes) {
    throw new TaskError("payload_too_large", `the payload is larger than ${maxMessageBytes} bytes`);
  }
  return { type, payload: text, metadata, maxAttempts: max_attempts ?? null, timeoutMs: msOf(timeout) ?? null };
}

/** Both were made by `toTiming`: their fields stand in one order. */
function isAlike(one: Timing, other: Timing): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * The schedule as it was given before, with `fields` as they are in `change`; one without a value there is taken away. A
 * schedule has one rule: a new cron takes the place of an interval, and the other way round. Throws `invalid_argument`.
 */
export function overlay(before: Schedule, change: unknown, fields: readonly string[]): NewSchedule {
  const given = new Map<string, unknown>(Object.entries(Object(change)));
  const changes = Object.fromEntries(fields.map((field) => [field, given.get(field) ?? null]));
  checkForm(scheduleChange, changes);
  const { task, ...others } = toGiven(before);
  const now: Record<string, unknown> = { ...others, task: withoutNulls(task) };
  if (changes.cron) now.every = null;
  if (changes.every) Object.assign(now, { cron: null, time_zone: null });
  return checkForm(newSchedule, withoutNulls({ ...now, ...changes }));
}

function withoutNulls(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null));
}

/** `field`: as the HTTP API has it, with dots. */
function refused(field: string, value: string, why: string): TaskError {
  const problems = [{ pointer: `/${field.replaceAll(".", "/")}`, detail: why }];
  return new TaskError("invalid_argument", `${field}: "${value}": ${why}`, { problems });
}
