/**
 * Where a moment of a trace falls on a line of terminal cells. Pure.
 * A trace waits seconds between attempts that work for milliseconds: drawn to scale, the work would be gone. So long
 * stretches in which nothing runs are cut out, and each leaves a break of a few cells. Between two breaks the axis is
 * linear. Its ruler, a line of round offsets and of how long the cut pauses are, stands beside it.
 */

import { formatDuration } from "./times.ts";

export interface Interval {
  startMs: number;
  endMs: number;
}

/** A stretch of the axis in whole cells, from `fromCell` up to but without `toCell`. */
export interface AxisStretch extends Interval {
  fromCell: number;
  toCell: number;
}

/** Part of the line, in fractions of a cell. */
interface CellRange {
  from: number;
  to: number;
}

export interface TimeAxis {
  /** In which something runs, in order. */
  runs: AxisStretch[];
  /** What was cut out, in order; one fewer than the runs. */
  breaks: AxisStretch[];
  /** Where an interval is drawn: at least half a cell, and never over a break. */
  place(interval: Interval): CellRange;
}

/** A stretch without work is cut out when it is a larger part than this of what the axis would still show. */
const longestIdleShare = 0.15;
const breakCells = 3;
/** A line has room for one break in so many cells. */
const cellsPerBreak = 6;
/** A run gets this many cells even when it is short beside the others, as long as there are enough of them. */
const legibleRunCells = 8;
const minBarCells = 0.5;

/** An axis of `cells` cells (at least one) over all of `intervals` (at least one). */
export function createTimeAxis(intervals: readonly Interval[], cells: number): TimeAxis {
  const busy = cutIdle(mergeOverlaps(intervals), Math.floor(cells / cellsPerBreak));
  const widths = shareCells(
    busy.map((run) => run.endMs - run.startMs),
    cells - (busy.length - 1) * breakCells,
  );
  const runs: AxisStretch[] = [];
  for (const [index, run] of busy.entries()) {
    const before = runs.at(-1);
    const fromCell = before ? before.toCell + breakCells : 0;
    runs.push({ ...run, fromCell, toCell: fromCell + (widths[index] ?? 0) });
  }
  const breaks = runs.slice(1).map((next, index) => toBreak(runs[index] ?? next, next));
  return { runs, breaks, place: (interval) => place(interval, runs) };
}

function toBreak(before: AxisStretch, next: AxisStretch): AxisStretch {
  return { startMs: before.endMs, endMs: next.startMs, fromCell: before.toCell, toCell: next.fromCell };
}

/** The stretches in which something runs, in order, none touching the next. */
function mergeOverlaps(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const { startMs, endMs } of intervals.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = merged.at(-1);
    // A clock that was set back can end a span before its start.
    const end = Math.max(startMs, endMs);
    if (last && startMs <= last.endMs) last.endMs = Math.max(last.endMs, end);
    else merged.push({ startMs, endMs: end });
  }
  return merged;
}

/**
 * Joins what no long pause separates. The longest pause is cut first and the next measured against what then remains:
 * of the pauses 1, 2, 4, 8 s of a growing back-off the first would be short beside the last, yet long beside the work.
 */
function cutIdle(busy: readonly Interval[], maxBreaks: number): Interval[] {
  const pauses = busy
    .slice(1)
    .map((next, index) => ({ startMs: busy[index]?.endMs ?? next.startMs, endMs: next.startMs }))
    .toSorted((a, b) => b.endMs - b.startMs - (a.endMs - a.startMs));
  const cuts = new Set<number>();
  let remainingMs = (busy.at(-1)?.endMs ?? 0) - (busy[0]?.startMs ?? 0);
  for (const { startMs, endMs } of pauses) {
    const pauseMs = endMs - startMs;
    if (cuts.size === maxBreaks || pauseMs <= remainingMs * longestIdleShare) break;
    cuts.add(endMs);
    remainingMs -= pauseMs;
  }
  const runs: Interval[] = [];
  for (const { startMs, endMs } of busy) {
    const last = runs.at(-1);
    if (last && !cuts.has(startMs)) last.endMs = endMs;
    else runs.push({ startMs, endMs });
  }
  return runs;
}

/** Whole cells for each run: by duration, but none less than it takes to read it. The sum is `cells`. */
function shareCells(durationsMs: readonly number[], cells: number): number[] {
  const least = Math.max(1, Math.min(legibleRunCells, Math.floor(cells / (2 * durationsMs.length))));
  const widths = durationsMs.map(() => least);
  let leftCells = cells;
  let leftMs = durationsMs.reduce((sum, ms) => sum + ms, 0);
  let leftRuns = durationsMs.length;
  // From the shortest up: once one is given more than the least, the rest share by duration alone.
  for (const [index, ms] of [...durationsMs.entries()].toSorted(([, a], [, b]) => a - b)) {
    const share = leftMs > 0 ? (leftCells * ms) / leftMs : leftCells / leftRuns;
    const width = leftRuns === 1 ? leftCells : Math.max(least, Math.round(share));
    widths[index] = width;
    leftCells -= width;
    leftMs -= ms;
    leftRuns -= 1;
  }
  return widths;
}

function place({ startMs, endMs }: Interval, runs: readonly AxisStretch[]): CellRange {
  const run = runs.findLast((candidate) => candidate.startMs <= startMs) ?? runs[0];
  if (!run) return { from: 0, to: minBarCells };
  const to = Math.min(run.toCell, Math.max(toCell(endMs, run), toCell(startMs, run) + minBarCells));
  return { from: Math.min(toCell(startMs, run), to - minBarCells), to };
}

function toCell(ms: number, run: AxisStretch): number {
  const durationMs = run.endMs - run.startMs;
  const share = durationMs > 0 ? (ms - run.startMs) / durationMs : 0;
  return run.fromCell + Math.min(1, Math.max(0, share)) * (run.toCell - run.fromCell);
}

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
  const long = breaks.map((pause) => over(pause, `╌ ${pauseText(pause)} ╌`, cells));
  if (keepFree(long, cells).length === long.length) return long;
  const short = breaks.map((pause) => over(pause, withoutZero(pauseText(pause)), cells));
  return keepFree(short, cells);
}

function pauseText({ startMs, endMs }: AxisStretch): string {
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
