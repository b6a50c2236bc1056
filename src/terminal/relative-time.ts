/** Times as people want them. Pure. */

import type { Canvas } from "./table.ts";

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

/** What stands in a table: scripts want the time itself. */
export function whenText(time: string, canvas: Canvas, nowMs: number): string {
  return canvas.width === undefined ? plainTime(time) : relativeTime(time, nowMs);
}

/** `2026-11-21 19:51:27.123Z`: sorts as text, and is read by every tool. */
export function plainTime(time: string): string {
  return time.replace("T", " ");
}
