/** What a person says of a schedule, and what follows from it: its times, and when it is due next. Pure. */

import { maxMessageBytes } from "../rpc/call.ts";
import { showDuration } from "../settings/parsers.ts";
import { runMetadata, type Schedule, type ScheduledTask } from "../store/ports/schedules.ts";
import { TaskError } from "../words/errors.ts";
import {
  defaultTimeZone,
  longestEveryMs,
  nextTick,
  parseCron,
  parseTimeZone,
  type Rule,
  shortestEveryMs,
  type Timing,
} from "../words/ticks.ts";
import type { ScheduleSpec } from "./schedule-requests.ts";

type Said = Pick<Schedule, "timing" | "task" | "overlap" | "catchUp" | "isPaused" | "nextTickMs" | "heldTickMs">;

/** `before`: the schedule that is changed. Throws `invalid_argument` for what cannot be, or would never be due. */
export function toSaid(spec: ScheduleSpec, nowMs: number, before?: Schedule): Said {
  const timing = toTiming(spec, nowMs, before);
  const isSame = before !== undefined && isAlike(timing, before.timing);
  // What is due already stays due when only something else is changed.
  const next = isSame && before.nextTickMs !== null ? before.nextTickMs : nextTick(timing, nowMs);
  if (next === null && !isSame) throw neverDue(spec);
  return {
    timing,
    task: toTask(spec.task),
    overlap: spec.overlap,
    catchUp: spec.catchUp,
    isPaused: spec.paused,
    nextTickMs: spec.paused ? null : next,
    // A pause forgets it.
    heldTickMs: spec.paused ? null : (before?.heldTickMs ?? null),
  };
}

function neverDue({ cron, startAt, endAt }: ScheduleSpec): TaskError {
  if (endAt !== undefined) {
    return refused(
      "end_at",
      new Date(endAt).toISOString(),
      "the schedule would end before it is due for the first time",
    );
  }
  return refused("cron", cron, startAt === undefined ? "it fits no time to come" : "it fits no time after start_at");
}

function toTiming(spec: ScheduleSpec, nowMs: number, before: Schedule | undefined): Timing {
  const { startAt: startAtMs = null, endAt: endAtMs = null } = spec;
  return { rule: toRule(spec, startAtMs ?? anchorOf(spec, before?.timing) ?? nowMs), startAtMs, endAtMs };
}

/** An interval that stays goes on where it was. */
function anchorOf({ every }: ScheduleSpec, before: Timing | undefined): number | undefined {
  const rule = before?.rule;
  return rule?.kind === "every" && rule.everyMs === every && before?.startAtMs === null ? rule.anchorMs : undefined;
}

function toRule({ cron, timeZone, every }: ScheduleSpec, anchorMs: number): Rule {
  if ((cron === "") === (every === undefined)) throw new TaskError("invalid_argument", "expected either cron or every");
  if (every === undefined) {
    return {
      kind: "cron",
      cron: parsed("cron", cron, parseCron),
      timeZone: parsed("time_zone", timeZone || defaultTimeZone, parseTimeZone),
    };
  }
  if (timeZone !== "") throw refused("time_zone", timeZone, "it goes with cron only");
  if (every < shortestEveryMs || every > longestEveryMs) {
    throw refused(
      "every",
      showDuration(every),
      `expected ${showDuration(shortestEveryMs)} to ${showDuration(longestEveryMs)}`,
    );
  }
  return { kind: "every", everyMs: every, anchorMs };
}

function toTask({ type, payload, metadata, timeout, maxAttempts }: ScheduleSpec["task"]): ScheduledTask {
  const own = Object.values(runMetadata).find((name) => Object.hasOwn(metadata, name));
  if (own !== undefined) throw refused("task.metadata", own, "each run gets this key by itself");
  if (timeout === 0) throw refused("task.timeout", "0s", "expected a duration above 0");
  const text = JSON.stringify(payload);
  if (text.length > maxMessageBytes) {
    throw new TaskError("payload_too_large", `the payload is larger than ${maxMessageBytes} bytes`);
  }
  return {
    type,
    payload: text,
    metadata,
    maxAttempts: maxAttempts || null,
    timeoutMs: timeout ?? null,
  };
}

/** Both were made by `toTiming`: their fields stand in one order. */
function isAlike(one: Timing, other: Timing): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function parsed<T>(field: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw refused(field, text, error instanceof Error ? error.message : String(error));
  }
}

/** `field`: as the HTTP API has it, with dots. */
function refused(field: string, value: string, why: string): TaskError {
  const problems = [{ pointer: `/${field.replaceAll(".", "/")}`, detail: why }];
  return new TaskError("invalid_argument", `${field}: "${value}": ${why}`, { problems });
}
