/**
 * Wall-clock time finer than a millisecond. `Date.now()` is cut to whole milliseconds and the monotonic clock has no
 * epoch; the difference of the two, at its largest, is the monotonic clock's epoch. When the system's clock is stepped
 * the difference leaves that epoch by more than a millisecond, and counting starts anew.
 */

import type { HrTime } from "@opentelemetry/api";

let epochMs = Date.now() - performance.now();

/** Milliseconds since the epoch, with a fraction. */
export function preciseNowMs(): number {
  const monotonic = performance.now();
  const difference = Date.now() - monotonic;
  if (difference > epochMs || difference < epochMs - 2) epochMs = difference;
  return epochMs + monotonic;
}

/** Milliseconds with a fraction to seconds and nanoseconds. */
export function toHrTime(ms: number): HrTime {
  const wholeSeconds = Math.floor(ms / 1000);
  return [wholeSeconds, Math.round((ms - wholeSeconds * 1000) * 1e6)];
}
