/** A task as the API shows it, what the page asks about it, and how the page cancels it and shows its status. */

import type { z } from "zod";
import type { task, timelineEntry } from "../../api/task.ts";
import { liveStatuses, type TaskStatus, transitions } from "../../words/task.ts";
import { ApiProblem, send } from "./api.ts";
import { tell } from "./parts/notices.tsx";

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

const atOnce = 4;

/** Cancels a few tasks at a time; never rejects: notices say what became of them. */
export async function cancelTasks(ids: readonly string[]): Promise<void> {
  const waiting = [...ids];
  const problems: ApiProblem[] = [];
  let ended = 0;
  const work = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      try {
        await send(`/tasks/${id}/cancel`, undefined);
      } catch (thrown) {
        if (!(thrown instanceof ApiProblem)) throw thrown;
        if (thrown.code === "conflict") ended += 1;
        else problems.push(thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const [first] = problems;
  if (first) tell(`${problems.length} could not be canceled: ${first.message}`, "bad");
  const canceled = ids.length - ended - problems.length;
  if (canceled > 0) tell(canceled === 1 ? "The task is canceled." : `${canceled} tasks are canceled.`);
  if (ended > 0) tell(ended === 1 ? "The task had ended before." : `${ended} had ended before.`);
}

const tones: Record<TaskStatus, "wait" | "run" | "good" | "bad" | "warn" | "over"> = {
  scheduled: "wait",
  queued: "wait",
  running: "run",
  retrying: "warn",
  succeeded: "good",
  failed: "bad",
  dead: "bad",
  canceled: "over",
  discarded: "over",
};

/** A task's status as a word with its colour: never the colour alone. */
export function Status({ status }: { status: TaskStatus }) {
  return <span class={`status tone-${tones[status]}`}>{status}</span>;
}

/** src/worker/handlers/built-in-handlers.ts; `crash` and `spin` are for those who know their names. */
const builtIn = ["echo", "fail", "flaky", "http", "sleep"];
const maxKept = 200;
const seen = new Set(builtIn);

/** Task types to propose: those that are always there, and those that were seen. */
export function knownTypes(tasks: readonly Task[]): string[] {
  for (const { type } of tasks) if (seen.size < maxKept) seen.add(type);
  return [...seen].sort();
}
