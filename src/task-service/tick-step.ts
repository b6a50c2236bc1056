/**
 * What is to be done about a schedule now: one step at a time, decided from the schedule, the time and whether the run
 * before still goes on. Pure: every process decides the same.
 */

import type { Schedule, ScheduledRun } from "../store/ports/schedules.ts";
import { nextTick, ticksBefore } from "../words/ticks.ts";

export type TickStep =
  /** A run is due. */
  | { kind: "fire"; tickMs: number }
  /** The tick has no run, because the run before it goes on. */
  | { kind: "skip"; tickMs: number; after: Schedule }
  /** The tick waits for the end of the run before it. */
  | { kind: "hold"; tickMs: number; after: Schedule }
  /** Ticks that no task service saw; the next one that counts is `untilMs`, or none. */
  | { kind: "miss"; count: number; fromMs: number; untilMs: number | null; after: Schedule }
  /** The tick that is held is held longer. */
  | { kind: "wait"; after: Schedule };

/** A tick that is later than this was missed: no task service saw it. */
const missedAfterMs = 60_000;

/** As far as missed ticks are counted. */
const maxCounted = 1000;

/** A held tick is looked at after a tenth of the time that it waits, within these. */
const shortestHoldMs = 1000;
const longestHoldMs = 30_000;

/** undefined: nothing. `isRunGoing`: the newest run has not ended. */
export function nextStep(schedule: Schedule, nowMs: number, isRunGoing: boolean): TickStep | undefined {
  const { nextTickMs, heldTickMs, lookAtMs } = schedule;
  const isHeldUp = isRunGoing && schedule.overlap !== "allow";
  if (heldTickMs !== null && !isHeldUp) return { kind: "fire", tickMs: heldTickMs };
  if (nextTickMs !== null && nextTickMs <= nowMs) {
    return missed(schedule, nextTickMs, nowMs) ?? (isHeldUp ? heldUp(schedule, nextTickMs, nowMs) : fire(nextTickMs));
  }
  if (heldTickMs !== null && lookAtMs !== null && lookAtMs <= nowMs) {
    return { kind: "wait", after: moved(schedule, {}, nowMs) };
  }
  return undefined;
}

function fire(tickMs: number): TickStep {
  return { kind: "fire", tickMs };
}

function heldUp(schedule: Schedule, tickMs: number, nowMs: number): TickStep {
  const passed = { nextTickMs: nextTick(schedule.timing, tickMs) };
  if (schedule.overlap === "buffer_one" && schedule.heldTickMs === null) {
    return { kind: "hold", tickMs, after: moved(schedule, { ...passed, heldTickMs: tickMs }, nowMs) };
  }
  return { kind: "skip", tickMs, after: moved(schedule, { ...passed, skipped: schedule.skipped + 1 }, nowMs) };
}

/** Of those that were missed the newest are made up for, as many as the schedule says. */
function missed(schedule: Schedule, tickMs: number, nowMs: number): TickStep | undefined {
  const { timing, catchUp } = schedule;
  const sinceMs = nowMs - missedAfterMs;
  if (tickMs >= sinceMs) return undefined;
  const untilMs = ticksBefore(timing, sinceMs, catchUp)[0] ?? nextTick(timing, sinceMs - 1);
  if (untilMs !== null && untilMs <= tickMs) return undefined;
  const count = countTicks(schedule, tickMs, untilMs ?? sinceMs);
  const after = moved(schedule, { nextTickMs: untilMs, missed: schedule.missed + count }, nowMs);
  return { kind: "miss", count, fromMs: tickMs, untilMs, after };
}

/** From one tick up to a time, as far as they are counted. */
function countTicks({ timing }: Schedule, tickMs: number, untilMs: number): number {
  let count = 0;
  for (let at: number | null = tickMs; at !== null && at < untilMs && count < maxCounted; count++) {
    at = nextTick(timing, at);
  }
  return count;
}

/** The schedule once the tick has made this run. */
export function afterRun(schedule: Schedule, run: ScheduledRun, nowMs: number): Schedule {
  const { timing, heldTickMs, nextTickMs, fired } = schedule;
  const ran = { lastRun: run, fired: fired + 1 };
  if (heldTickMs === run.scheduledForMs) return moved(schedule, { ...ran, heldTickMs: null }, nowMs);
  if (nextTickMs !== run.scheduledForMs) return moved(schedule, ran, nowMs);
  return moved(schedule, { ...ran, nextTickMs: nextTick(timing, run.scheduledForMs) }, nowMs);
}

/** The schedule after one more change. */
export function moved(schedule: Schedule, changes: Partial<Schedule>, nowMs: number): Schedule {
  const after = { ...schedule, ...changes, version: schedule.version + 1 };
  return { ...after, lookAtMs: lookAtOf(after, nowMs) };
}

/** When something is to be done about it; null: never. */
function lookAtOf({ nextTickMs, heldTickMs }: Schedule, nowMs: number): number | null {
  if (heldTickMs === null) return nextTickMs;
  const pauseMs = Math.min(longestHoldMs, Math.max(shortestHoldMs, Math.ceil((nowMs - heldTickMs) / 10)));
  return Math.min(nowMs + pauseMs, nextTickMs ?? Number.POSITIVE_INFINITY);
}
