/** Figures as people read them. Pure. */

import { formatDuration } from "../../../terminal/times.ts";

/** `rate`: a second; `seconds`: a duration; `count`: of things. */
export type Unit = "rate" | "seconds" | "count";

export function showFigure(value: number | null | undefined, unit: Unit, floor = 0): string {
  if (value === null || value === undefined) return "–";
  if (unit === "seconds" && value === 0) return "0 s";
  if (unit === "seconds") return value < floor ? `< ${formatDuration(floor * 1000)}` : formatDuration(value * 1000);
  const text = showCount(value);
  return unit === "rate" ? `${text}/s` : text;
}

/** The same where there is little room, and the value is a round one. */
export function showOnAxis(value: number, unit: Unit): string {
  if (unit !== "seconds") return showFigure(value, unit);
  if (value >= 3600) return `${trimmed(value / 3600)} h`;
  if (value >= 60) return `${trimmed(value / 60)} min`;
  return value >= 1 || value === 0 ? `${trimmed(value)} s` : `${trimmed(value * 1000)} ms`;
}

/** `0.25`, `12.5`, `1,204`, `38.2k` */
export function showCount(value: number): string {
  if (value >= 10_000) return `${trimmed(value / 1000)}k`;
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return trimmed(value);
}

function trimmed(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

/** The index of the newest known value. */
export function newestIndexOf(values: readonly (number | null)[]): number | undefined {
  const index = values.findLastIndex((value) => value !== null);
  return index < 0 ? undefined : index;
}

/** The newest known value. */
export function newestOf(values: readonly (number | null)[]): number | null {
  return values[newestIndexOf(values) ?? -1] ?? null;
}

export function totalOf(values: readonly (number | null)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

const byteUnits = ["B", "kB", "MB", "GB", "TB"] as const;

/** A kilobyte is 1024 bytes, as in the settings. */
export function showBytes(bytes: number): string {
  const power = Math.min(byteUnits.length - 1, bytes < 1 ? 0 : Math.floor(Math.log(bytes) / Math.log(1024)));
  return `${trimmed(bytes / 1024 ** power)} ${byteUnits[power]}`;
}
