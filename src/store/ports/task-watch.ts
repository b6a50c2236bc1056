/**
 * The store port's words for watching a task: its changes of state are numbered from 1 on, so that who comes back after
 * a break is told those that it has not seen, each once.
 */

import { isEnded, type TaskRecord, type TimelineEntry } from "../../words/task.ts";

/** What a watcher has seen of a task; nothing: 0 and null. */
export interface Seen {
  /** The number of the newest change of state. */
  entry: number;
  progress: number | null;
}

export interface WatchedTask {
  task: TaskRecord;
  timeline: TimelineEntry[];
  /** Of the first entry in the timeline: more than 1 when older ones were forgotten. */
  firstNumber: number;
}

export const nothingSeen: Seen = { entry: 0, progress: null };

/** Whether there is something to tell: also that nothing more will come. */
export function isNews(seen: Seen, newest: number, { status, progress }: Pick<TaskRecord, "status" | "progress">) {
  return newest > seen.entry || progress !== seen.progress || isEnded(status);
}
