/** A task as the API shows it, and what the page asks about it. */

import type { z } from "zod";
import type { task, timelineEntry } from "../../gateway/task-schemas.ts";
import { liveStatuses, transitions } from "../../words/task.ts";

export type Task = z.output<typeof task>;
export type Attempt = Task["attempts"][number];
export type TimelineEntry = z.output<typeof timelineEntry>;

/** `GET /v1/types`. */
export interface RegisteredType {
  type: string;
  payload_schema: unknown;
}

export interface TaskPage {
  items: Task[];
  next_cursor: string | null;
}

export function isCancelable({ status }: Pick<Task, "status">): boolean {
  return transitions[status].includes("canceled");
}

/** It may still change by itself. */
export function isUnderway({ status }: Pick<Task, "status">): boolean {
  return liveStatuses.some((live) => live === status);
}

/** What it failed of, unless it is being tried again: then that is history. */
export function currentError({ status, error }: Task): Task["error"] {
  return status === "queued" || status === "running" || status === "scheduled" ? null : error;
}

/** How long it waited for its first attempt, which may be late by intent: a retry puts off `run_at`. */
export function waitedMs({ created_at, run_at, attempts }: Task): number | undefined {
  const [first] = attempts;
  return first && Date.parse(first.started_at) - Date.parse(attempts.length === 1 ? run_at : created_at);
}

/** How long its newest attempt took; undefined while it runs. */
export function ranMs({ attempts }: Task): number | undefined {
  const last = attempts.at(-1);
  return last?.ended_at ? Date.parse(last.ended_at) - Date.parse(last.started_at) : undefined;
}
