/** The lettering of a time axis: round offsets, and over every break how long the pause is. Pure. */

import { formatDuration } from "./duration-text.ts";
import type { AxisStretch, TimeAxis } from "./time-axis.ts";

interface Label {
  from: number;
  text: string;
}

/** Between the starts of two offsets at least this many cells. */
const minStepCells = 9;
/** A microsecond: nothing finer is written. */
const minStepMs = 0.001;

/**
 * One line of exactly `cells` cells. Offsets count from the start, after a break from where work resumes: `+5 ms`.
 * What finds no room is left out, offsets before pauses.
 */
export function formatRuler(axis: TimeAxis, cells: number): string {
  const labels = toPauses(axis.breaks, cells);
  for (const [index, run] of axis.runs.entries()) {
    for (const label of toOffsets(run, index > 0)) {
      if (label.from + label.text.length <= run.toCell && isFree(label, labels, 2)) labels.push(label);
    }
  }
  const ordered = labels.toSorted((a, b) => a.from - b.from);
  return ordered.reduce((line, { from, text }) => line.padEnd(from) + text, "").padEnd(cells);
}

/** All in the long form `╌ 1.0 s ╌`, or where breaks are close all in the short one. */
function toPauses(breaks: readonly AxisStretch[], cells: number): Label[] {
  const long = breaks.map((pause) => over(pause, `╌ ${durationOf(pause)} ╌`, cells));
  if (keepFree(long, cells).length === long.length) return long;
  const short = breaks.map((pause) => over(pause, withoutZero(durationOf(pause)), cells));
  return keepFree(short, cells);
}

function durationOf({ startMs, endMs }: AxisStretch): string {
  return formatDuration(endMs - startMs);
}

function withoutZero(duration: string): string {
  return duration.replace(".0 ", " ");
}

function keepFree(labels: readonly Label[], cells: number): Label[] {
  const kept: Label[] = [];
  for (const label of labels) if (label.text.length <= cells && isFree(label, kept, 1)) kept.push(label);
  return kept;
}

/** Centred on the break, and moved where it would leave the line. */
function over(pause: AxisStretch, text: string, cells: number): Label {
  const from = Math.floor((pause.fromCell + pause.toCell - text.length) / 2);
  return { from: Math.max(0, Math.min(from, cells - text.length)), text };
}

function isFree({ from, text }: Label, labels: readonly Label[], space: number): boolean {
  return labels.every(
    (label) => from >= label.from + label.text.length + space || from + text.length + space <= label.from,
  );
}

function toOffsets(run: AxisStretch, isResumed: boolean): Label[] {
  const durationMs = run.endMs - run.startMs;
  const cellsPerMs = (run.toCell - run.fromCell) / durationMs;
  const stepMs = Math.max(minStepMs, roundUp(minStepCells / cellsPerMs));
  const count = Math.floor(durationMs / stepMs);
  return Array.from({ length: count + 1 }, (_, index) => {
    const text = index === 0 ? "0" : withoutZero(formatDuration(index * stepMs));
    return { from: run.fromCell + Math.round(index * stepMs * cellsPerMs || 0), text: isResumed ? `+${text}` : text };
  }).slice(isResumed ? 1 : 0);
}

/** The next of 1, 2, 5, 10, 20, 50 … */
function roundUp(ms: number): number {
  const power = 10 ** Math.floor(Math.log10(ms));
  return power * ([1, 2, 5].find((digit) => digit * power >= ms) ?? 10);
}
