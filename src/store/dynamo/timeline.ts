/**
 * A task's timeline as its item keeps it: one short text for each change of state, appended without reading those before.
 * What follows from the entry before (the state that was left, how long it lasted, the attempt's number) is not kept:
 * `toTimeline` counts it out.
 */

import type { Failure } from "../../words/errors.ts";
import type { AttemptOutcome, TaskStatus, TimelineEntry } from "../../words/task.ts";
import { toWellFormedJson } from "../../words/text.ts";
import { toNotedError } from "../ports/attempts.ts";
import type { Actor } from "../ports/tasks.ts";

/** What a change adds to what its actor tells. */
export interface NotedChange {
  to: TaskStatus;
  outcome?: AttemptOutcome;
  error?: Failure;
  /** Who took the task over. */
  worker?: string;
  /** It is an attempt's outcome, told by the worker that ran it. */
  isOutcome?: boolean;
}

type Kept = [
  atMs: number,
  to: TaskStatus,
  traceId: string,
  spanId: string,
  service: string,
  /** 1: that of the attempt before; 0: none. */
  worker: string | 0 | 1,
  outcome: AttemptOutcome | 0,
  error: Failure | 0,
];

/** What stands in place of entries that were forgotten: how they had left the task. */
type Gap = ["…", atMs: number, to: TaskStatus, attempt: number, worker: string | null, forgotten?: number];

/** The text of one entry, as it is appended. */
export function noteOf(actor: Actor, { to, outcome, error, worker, isOutcome }: NotedChange): string {
  const kept: Kept = [
    actor.atMs,
    to,
    actor.traceId,
    actor.spanId,
    actor.service,
    isOutcome ? 1 : (worker ?? 0),
    outcome ?? 0,
    error ? toNotedError(error) : 0,
  ];
  return JSON.stringify(trimmed(kept));
}

/** What is 0 at the end needs not be said. */
function trimmed(kept: readonly unknown[]): readonly unknown[] {
  const last = kept.findLastIndex((value) => value !== 0);
  return kept.slice(0, last + 1);
}

interface Walk {
  atMs: number;
  status: TaskStatus | null;
  attempt: number;
  worker: string | null;
}

export function toTimeline(notes: readonly string[]): TimelineEntry[] {
  return walk(notes).entries;
}

function walk(notes: readonly string[]): { entries: TimelineEntry[]; end: Walk } {
  let at: Walk = { atMs: 0, status: null, attempt: 0, worker: null };
  const entries: TimelineEntry[] = [];
  for (const note of notes) {
    // Only what `noteOf` and `forgetOldest` write stands there.
    const kept: Kept | Gap = JSON.parse(toWellFormedJson(note));
    if (kept[0] === "…") {
      at = { atMs: kept[1], status: kept[2], attempt: kept[3], worker: kept[4] };
      continue;
    }
    const entry = toEntry(at, kept);
    entries.push(entry);
    at = {
      atMs: entry.atMs,
      status: entry.to,
      // An interrupted attempt does not count.
      attempt: entry.from === "running" && entry.to === "queued" ? entry.attempt - 1 : entry.attempt,
      worker: entry.to === "running" ? entry.worker : at.worker,
    };
  }
  return { entries, end: at };
}

function toEntry(before: Walk, kept: Kept): TimelineEntry {
  const [atMs, to, traceId, spanId, service, worker = 0, outcome = 0, error = 0] = kept;
  const { status: from } = before;
  const isRevived = from === "dead" && to === "queued";
  return {
    atMs,
    from,
    to,
    attempt: isRevived ? 0 : before.attempt + (to === "running" ? 1 : 0),
    durationMs: from === null ? 0 : Math.max(0, atMs - before.atMs),
    // The lease ran out: the outcome of that attempt is unknown.
    outcome: outcome || (from === "running" && to === "running" ? "crashed" : null),
    error: error ? toNotedError(error) : null,
    traceId,
    spanId,
    service,
    worker: worker === 1 ? before.worker : worker || null,
  };
}

/** The `traceparent` of the span that made the change at `index`, counted from the end if negative. */
export function traceparentOf(notes: readonly string[], index: number): string {
  const kept: Kept = JSON.parse(notes.at(index) ?? "[]");
  return `00-${kept[2]}-${kept[3]}-01`;
}

/** Makes room in an item that is full: of its entries the newer half stays, and how those before had left the task. */
export function forgetOldest(notes: readonly string[]): string[] {
  const kept = notes.slice(Math.ceil(notes.length / 2));
  const { end } = walk(notes.slice(0, notes.length - kept.length));
  const forgotten = newestNumber(notes) - kept.length;
  const gap: Gap = ["…", end.atMs, end.status ?? "queued", end.attempt, end.worker, forgotten];
  return [JSON.stringify(gap), ...kept];
}

/** The entries of a task are numbered from 1 on; of those that are kept, this is the first one's number. */
export function firstNumber(notes: readonly string[]): number {
  return newestNumber(notes) - notes.length + (gapOf(notes) ? 2 : 1);
}

export function newestNumber(notes: readonly string[]): number {
  const gap = gapOf(notes);
  return gap ? (gap[5] ?? 0) + notes.length - 1 : notes.length;
}

function gapOf([first = "[]"]: readonly string[]): Gap | undefined {
  const kept: Kept | Gap = JSON.parse(first);
  return kept[0] === "…" ? kept : undefined;
}
