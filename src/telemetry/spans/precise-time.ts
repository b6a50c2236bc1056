/**
 * Wall-clock time finer than a millisecond. `Date.now()` is cut to whole milliseconds and the monotonic clock has no
 * epoch; the difference of the two, at its largest, is the monotonic clock's epoch, which `timeOrigin` tells to begin
 * with. When the system's clock is stepped the difference leaves that epoch by more than a millisecond, and counting
 * starts anew.
 */

import type { HrTime } from "@opentelemetry/api";

let epochMs = performance.timeOrigin;

/** Milliseconds since the epoch, with a fraction. */
export function preciseNowMs(): number {
  const before = performance.now();
  const wall = Date.now();
  const monotonic = performance.now();
  // The wall clock is read first, so that the difference never runs ahead. Readings between which the system took the
  // processor away tell nothing.
  const difference = wall - monotonic;
  if (monotonic - before < 1 && (difference > epochMs || difference < epochMs - 2)) epochMs = difference;
  return epochMs + monotonic;
}

/** Milliseconds with a fraction to seconds and nanoseconds. */
export function toHrTime(ms: number): HrTime {
  const wholeSeconds = Math.floor(ms / 1000);
  return [wholeSeconds, Math.round((ms - wholeSeconds * 1000) * 1e6)];
}
