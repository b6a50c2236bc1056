/** Moments and durations as people read them; the exact time is what the mouse finds. */

import { formatDuration } from "../../../terminal/times.ts";
import { nowMs } from "../live.ts";

/** How long ago, or in how long; `null`: not yet. */
export function Time({ at }: { at: string | null | undefined }) {
  if (!at) return <span class="quiet">–</span>;
  return (
    <time dateTime={at} title={toExact(at)}>
      {toRelative(Date.parse(at), nowMs.value)}
    </time>
  );
}

const clockParts = {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
} as const;

/** `14:03:07.123`, with the day when it is not today's. */
export function ClockTime({ at }: { at: string }) {
  return (
    <time dateTime={at} title={toExact(at)} class="mono">
      {toClock(at, nowMs.value)}
    </time>
  );
}

export function Duration({ ms }: { ms: number | undefined }) {
  return ms === undefined ? (
    <span class="quiet">–</span>
  ) : (
    <span class="number">{formatDuration(Math.max(0, ms))}</span>
  );
}

export function toRelative(atMs: number, currentMs: number): string {
  const ms = currentMs - atMs;
  if (Math.abs(ms) < 1000) return "now";
  const text = short(Math.abs(ms));
  return ms > 0 ? `${text} ago` : `in ${text}`;
}

function short(ms: number): string {
  const units: [number, string][] = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
  ];
  const unit = units.find(([size]) => ms >= size);
  return unit ? `${Math.floor(ms / unit[0])} ${unit[1]}` : `${Math.floor(ms / 1000)} s`;
}

export function toClock(at: string, currentMs: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString(undefined, clockParts);
  return date.toDateString() === new Date(currentMs).toDateString() ? time : `${toDay(date)} ${time}`;
}

function toDay(date: Date): string {
  return date.toLocaleDateString(undefined, { month: "short", day: "numeric" });
}

function toExact(at: string): string {
  return `${new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" })} · ${at}`;
}
