/**
 * Where a moment of a trace is on the width that it is drawn on: as parts of it, from 0 to 1. Long pauses are cut out, as in
 * the terminal, unless they are looked at by zooming in. Pure.
 */

import { type AxisStretch, createTimeAxis, type Interval } from "../../../terminal/time-axis.ts";
import { formatDuration } from "../../../terminal/times.ts";
import type { TreeRow } from "./tree.ts";

/** Milliseconds after the trace began. */
export interface TimeWindow {
  fromMs: number;
  toMs: number;
}

export interface Scale {
  place(fromMs: number, durationMs: number): { left: number; width: number };
  isInside(fromMs: number, durationMs: number): boolean;
  /** What was cut out. */
  gaps: { left: number; width: number; ms: number }[];
  ticks: { left: number; text: string }[];
  /** The moment at a part of the width. */
  timeAt(part: number): number;
}

/** Fine enough for a wide screen; what the axis gives to a pause is three of them. */
const cells = 100;
/** A first span begins with the trace, but for rounding. */
const zeroMs = 0.01;

/** A stretch of the width in which time runs evenly: one in which something runs, or what was cut out between two. */
interface Stretch extends Interval {
  left: number;
  width: number;
}

/** `zoom` undefined: all of it. `ticks`: for how many there is room. */
export function createScale(
  tree: readonly TreeRow[],
  durationMs: number,
  { zoom, ticks }: { zoom: TimeWindow | undefined; ticks: number },
): Scale {
  const { fromMs, toMs } = zoom ?? { fromMs: 0, toMs: Math.max(durationMs, 0.001) };
  // Zoomed in, the whole stretch is shown, whether something runs in it or not.
  const axis = createTimeAxis(zoom ? [{ startMs: fromMs, endMs: toMs }] : busyIn(tree, { fromMs, toMs }), cells);
  const toStretch = ({ startMs, endMs, fromCell, toCell }: AxisStretch): Stretch => {
    return { startMs, endMs, left: fromCell / cells, width: (toCell - fromCell) / cells };
  };
  const runs = axis.runs.map(toStretch);
  const gaps = axis.breaks.map(toStretch);
  const stretches = [...runs, ...gaps].sort((a, b) => a.left - b.left);
  const partOf = (ms: number): number => {
    const at = stretches.findLast(({ startMs }) => startMs <= ms) ?? stretches[0];
    return at ? at.left + at.width * shareOf(ms, at) : 0;
  };
  return {
    place: (startMs, ms) => {
      const left = partOf(startMs);
      return { left, width: Math.max(0, partOf(startMs + ms) - left) };
    },
    isInside: (startMs, ms) => startMs <= toMs && startMs + ms >= fromMs,
    gaps: gaps.map(({ left, width, startMs, endMs }) => ({ left, width, ms: endMs - startMs })),
    ticks: ticksOf(runs, ticks),
    timeAt: (part) => {
      const at = stretches.findLast(({ left }) => left <= part) ?? stretches[0];
      if (!at) return fromMs;
      return at.startMs + clamp((part - at.left) / at.width, 0, 1) * (at.endMs - at.startMs);
    },
  };
}

/** When spans ran. Time in which a message only waits may be cut out. */
function busyIn(tree: readonly TreeRow[], { fromMs, toMs }: TimeWindow): Interval[] {
  const ran = tree.flatMap(({ row }) => (row.kind === "span" ? toInterval(row.offset_ms, row.duration_ms) : []));
  return ran.length > 0 ? ran : [{ startMs: fromMs, endMs: toMs }];
}

function shareOf(ms: number, { startMs, endMs }: Interval): number {
  return endMs > startMs ? clamp((ms - startMs) / (endMs - startMs), 0, 1) : 0;
}

function toInterval(startMs: number, ms: number): Interval {
  return { startMs, endMs: startMs + ms };
}

/** The start of each run, and round steps behind it; of two that would touch the second is left out. */
function ticksOf(runs: readonly Stretch[], wanted: number): Scale["ticks"] {
  const starts = runs.map(({ startMs, left }) => ({ left, text: startMs < zeroMs ? "0" : formatDuration(startMs) }));
  const apart = 1 / (1.4 * wanted);
  const placed = starts.filter((tick, index) => tick.left - (starts[index - 1]?.left ?? -1) >= apart);
  for (const [index, run] of runs.entries()) {
    for (const tick of stepsIn(run, wanted, index === 0 && run.startMs < zeroMs ? "" : "+")) {
      if (placed.every(({ left }) => Math.abs(left - tick.left) >= apart) && tick.left <= 1 - apart / 2)
        placed.push(tick);
    }
  }
  return placed.sort((a, b) => a.left - b.left);
}

function stepsIn({ startMs, endMs, left, width }: Stretch, wanted: number, sign: string): Scale["ticks"] {
  const stepMs = roundStep((endMs - startMs) / Math.max(1, width * wanted));
  const count = stepMs > 0 ? Math.floor((endMs - startMs) / stepMs) : 0;
  return Array.from({ length: count }, (_, step) => {
    const ms = (step + 1) * stepMs;
    return { left: left + (width * ms) / (endMs - startMs), text: `${sign}${formatDuration(ms)}` };
  });
}

/** The next of 1, 2, 5, 10, 20, 50 … */
function roundStep(ms: number): number {
  if (!(ms > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(ms));
  return power * ([1, 2, 5, 10].find((digit) => digit * power >= ms) ?? 10);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

/** A part of the width for a style. */
export function percent(part: number): string {
  return `${(part * 100).toFixed(3)}%`;
}
