/**
 * The store port's words for lists of tasks: newest first, in pages. An id begins with the time of its task's creation,
 * so ids are the order and the place in it, and what is made meanwhile stands before every page that follows.
 */

import type { TaskRecord, TaskStatus, TimelineEntry } from "../../words/task.ts";
import { firstIdAt } from "../../words/task-id.ts";
import { bytesOfTask, maxAnswerBytes } from "../answer-size.ts";

/** An absent field fits everything. */
export interface TaskFilter {
  status?: TaskStatus;
  type?: string;
  correlationId?: string;
  /** Made later than this, in milliseconds since the epoch. */
  createdAfterMs?: number;
  createdBeforeMs?: number;
}

/** A task with every change of its state that is kept. */
export interface ListedTask {
  task: TaskRecord;
  timeline: TimelineEntry[];
}

export interface TaskPage {
  tasks: ListedTask[];
  /** Goes on behind this id; null: there is nothing more. A page may be short, or empty, and not be the last. */
  next: string | null;
  /** It has as much as was asked for, or as a page may hold. */
  isFull: boolean;
}

/** By so much the time in a task's id may differ from that of its creation. */
const idSlackMs = 1000;

/** The ids between which a page is: from the first, up to and without the second. */
export function idRangeOf({ createdAfterMs, createdBeforeMs }: TaskFilter, before: string | null) {
  const from = createdAfterMs === undefined ? "" : firstIdAt(createdAfterMs - idSlackMs);
  const to = createdBeforeMs === undefined ? lastId : firstIdAt(createdBeforeMs + idSlackMs);
  return { from, to: before !== null && before < to ? before : to };
}

/** Sorts after every id. */
const lastId = "g";

export function isCreatedWithin({ createdAfterMs, createdBeforeMs }: TaskFilter, { createdAtMs }: TaskRecord): boolean {
  return createdAtMs > (createdAfterMs ?? -Infinity) && createdAtMs < (createdBeforeMs ?? Infinity);
}

/** Collects a page. */
export interface PageInProgress {
  /** False when the page was full without it. */
  add(listed: ListedTask): boolean;
  /** `lookedUpTo`: the last id that was looked at; null: there was no other. */
  end(lookedUpTo: string | null): TaskPage;
}

export function startPage(filter: TaskFilter, limit: number): PageInProgress {
  const tasks: ListedTask[] = [];
  let bytes = 0;
  let isFull = false;
  return {
    add: (listed) => {
      const { task, timeline } = listed;
      if (!isCreatedWithin(filter, task)) return true;
      bytes += bytesOfTask(task, timeline);
      isFull = tasks.length === limit || (tasks.length > 0 && bytes > maxAnswerBytes);
      if (isFull) return false;
      tasks.push(listed);
      return true;
    },
    end: (lookedUpTo) => ({ tasks, isFull, next: isFull ? (tasks.at(-1)?.task.id ?? null) : lookedUpTo }),
  };
}
