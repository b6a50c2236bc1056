/** Durations and moments as people read them; settings have a notation of their own. Pure. */

import type { Canvas } from "./table.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Three figures at most and the unit that fits: `850 µs`, `12.3 ms`, `1.2 s`, `2 m 05 s`, `1 h 30 m`, `3 d 04 h`. */
export function formatDuration(ms: number): string {
  // Each bound is where rounding would leave the unit: 999.6 ms is 1.0 s.
  if (ms < 0.9995) return `${Math.round(ms * 1000)} µs`;
  if (ms < 99.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < minuteMs - 50) return `${(ms / secondMs).toFixed(1)} s`;
  if (ms < hourMs - secondMs / 2) return twoUnits(ms, minuteMs, secondMs, ["m", "s"]);
  if (ms < dayMs - minuteMs / 2) return twoUnits(ms, hourMs, minuteMs, ["h", "m"]);
  return twoUnits(ms, dayMs, hourMs, ["d", "h"]);
}

function twoUnits(ms: number, largeMs: number, smallMs: number, [large, small]: [string, string]): string {
  const rounded = Math.round(ms / smallMs) * smallMs;
  const rest = (rounded % largeMs) / smallMs;
  return `${Math.floor(rounded / largeMs)} ${large} ${String(rest).padStart(2, "0")} ${small}`;
}

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

const words = new Intl.RelativeTimeFormat("en", { style: "narrow", numeric: "always" });

/** `12s ago`, `in 5min`, `3d ago`; a moment that is less than a second away is `now`. */
export function relativeTime(time: string, nowMs: number): string {
  const ms = Date.parse(time) - nowMs;
  const [unit, unitMs] = units.find(([, size]) => Math.abs(ms) >= size) ?? ["second", 1000];
  const count = Math.trunc(ms / unitMs);
  return count === 0 ? "now" : words.format(count, unit);
}

/** A moment in a table: relative on a terminal; the time itself where a script may read it. */
export function whenText(time: string, canvas: Canvas, nowMs: number): string {
  return canvas.width === undefined ? plainTime(time) : relativeTime(time, nowMs);
}

/** A moment in a list of facts: with how long ago it is, on a terminal. */
export function fullTime(time: string, canvas: Canvas, nowMs: number): string {
  return canvas.width === undefined ? plainTime(time) : `${plainTime(time)} (${relativeTime(time, nowMs)})`;
}

/** `2026-11-21 19:51:27.123Z`: sorts as text, and is read by every tool. */
export function plainTime(time: string): string {
  return time.replace("T", " ");
}
