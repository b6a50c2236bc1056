/** Durations as people read them in a terminal; settings have a notation of their own in settings.ts. */

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
