/** Tasks in every state, each brought there the way that tasks get there. */

import type { Ending } from "../../src/store/ports/attempts.ts";
import type { NewTask } from "../../src/store/ports/tasks.ts";
import type { DeadReason, TaskRecord, TaskStatus, TimelineEntry } from "../../src/words/task.ts";
import { type StoredTasks, t0 } from "./stored-tasks.ts";

/** When the first attempt of such a task begins, and when it ends. */
export const startMs = t0 + 5;
export const endMs = t0 + 25;

export const smtpError = { type: "SmtpRefused", message: "421 try later" };

export const succeeded: Ending = { to: "succeeded", result: '{"ok":true}' };
export const retrying: Ending = {
  to: "retrying",
  runAtMs: t0 + 900,
  sendAtMs: t0 + 950,
  outcome: "timed_out",
  error: smtpError,
};
export const failed: Ending = { to: "failed", reason: "fatal", outcome: "failed", error: smtpError };
export const interrupted: Ending = { to: "queued", error: smtpError, runsAlone: false };

type Way = (tasks: StoredTasks, id: string) => Promise<unknown>;

const start: Way = (tasks, id) => tasks.win(id, startMs);
const end =
  (ending: Ending): Way =>
  (tasks, id) =>
    tasks.finish(id, 1, ending, endMs);
const die: Way = (tasks, id) => tasks.die(id, "fatal", endMs);

const ways: Record<TaskStatus, readonly Way[]> = {
  scheduled: [],
  queued: [],
  running: [start],
  retrying: [start, end(retrying)],
  succeeded: [start, end(succeeded)],
  failed: [start, end(failed)],
  dead: [start, end(failed), die],
  canceled: [(tasks, id) => tasks.cancel(id, endMs)],
  discarded: [start, end(failed), die, (tasks, id) => tasks.discard(id, "no use", endMs)],
};

/** A new task in that state; the id. */
export async function bring(
  tasks: StoredTasks,
  status: TaskStatus,
  changes: Partial<NewTask> = {},
  createdAtMs = t0,
): Promise<string> {
  const later = { status: "scheduled", runAtMs: t0 + 60_000, sendAtMs: t0 + 60_000 } as const;
  const { id } = await tasks.create({ ...(status === "scheduled" && later), ...changes }, createdAtMs);
  for (const step of ways[status]) await step(tasks, id);
  return id;
}

export interface DeathOptions {
  reason?: DeadReason;
  errorType?: string;
  message?: string;
}

/** Runs the task's next attempt, lets it fail for good, and records the death, all at that time. */
export async function runToDeath(
  tasks: StoredTasks,
  id: string,
  atMs: number,
  { reason = "fatal", errorType = smtpError.type, message = smtpError.message }: DeathOptions = {},
): Promise<void> {
  const { claim } = await tasks.win(id, atMs);
  const error = { type: errorType, message };
  await tasks.finish(id, claim, { to: "failed", reason, outcome: "failed", error }, atMs);
  await tasks.die(id, reason, atMs);
}

/** Tasks that died one millisecond after the other, from `t0` on; their ids, the oldest death first. */
export async function kill(tasks: StoredTasks, count: number): Promise<string[]> {
  const created = await Promise.all(Array.from({ length: count }, () => tasks.create()));
  await Promise.all(created.map(({ id }, n) => tasks.die(id, "receive_limit", t0 + n)));
  return created.map(({ id }) => id);
}

/** All that is kept of a task. */
export interface Kept {
  task: TaskRecord | undefined;
  timeline: TimelineEntry[];
}

export async function keptOf(tasks: StoredTasks, id: string): Promise<Kept> {
  const [task, timeline] = await Promise.all([tasks.get(id), tasks.timeline(id)]);
  return { task, timeline };
}
