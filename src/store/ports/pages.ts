/**
 * Pages of lists: how many bytes a task has in an answer, how much fits into one, and how a page of tasks is collected.
 * What does not fit of a list is on the next page; of a timeline that is too long, the oldest entries are left out.
 */

import type { TaskRecord, TimelineEntry } from "../../words/task.ts";
import { firstIdAt } from "../../words/task-id.ts";
import type { ListedTask, TaskFilter, TaskPage } from "./tasks.ts";

/** The limit of a list: a gRPC client takes 4 MiB by default, and a payload may grow in protobuf's form. */
export const maxAnswerBytes = 2 * 1024 * 1024;
/** The limit of one task's timeline. */
const maxHistoryBytes = 512 * 1024;

/** Names, ids and times, all of which are bounded. */
const bytesOfTaskItself = 1000;
const bytesOfEntryItself = 250;

export function bytesOfTask(task: TaskRecord, timeline: readonly TimelineEntry[]): number {
  const history = newestEntries(timeline).reduce((sum, entry) => sum + bytesOfEntry(entry), 0);
  return bytesOfTaskItself + bytesIn(task.payload, task.result) + bytesInJson(task.metadata, task.error) + history;
}

function bytesOfEntry({ error }: TimelineEntry): number {
  return bytesOfEntryItself + (error ? bytesInJson(error) : 0);
}

/** The newest entries of the timeline, as many as an answer has room for. */
export function newestEntries(timeline: readonly TimelineEntry[]): readonly TimelineEntry[] {
  let bytes = 0;
  const last = timeline.findLastIndex((entry) => {
    bytes += bytesOfEntry(entry);
    return bytes > maxHistoryBytes;
  });
  return timeline.slice(last + 1);
}

/** UTF-8 bytes of texts. */
function bytesIn(...texts: (string | null)[]): number {
  return texts.reduce((sum, text) => sum + (text === null ? 0 : Buffer.byteLength(text)), 0);
}

export function bytesInJson(...values: unknown[]): number {
  return bytesIn(...values.map((value) => JSON.stringify(value)));
}

/** The first items of a list that fit into one answer: at least one, so that the list makes progress. */
export function fitting<Item>(items: readonly Item[], bytesOf: (item: Item, index: number) => number): Item[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += bytesOf(item, index);
    return index > 0 && bytes > maxAnswerBytes;
  });
  return items.slice(0, end < 0 ? items.length : end);
}

/** The time in a task's id may differ by this much from that of its creation. */
const idSlackMs = 1000;

/** The range of ids of a page: the first is included, the second is not. */
export function idRangeOf({ createdAfterMs, createdBeforeMs }: TaskFilter, before: string | null) {
  const from = createdAfterMs === undefined ? "" : firstIdAt(createdAfterMs - idSlackMs);
  const to = createdBeforeMs === undefined ? lastId : firstIdAt(createdBeforeMs + idSlackMs);
  return { from, to: before !== null && before < to ? before : to };
}

/** Sorts after every id. */
const lastId = "g";

function isCreatedWithin({ createdAfterMs, createdBeforeMs }: TaskFilter, { createdAtMs }: TaskRecord): boolean {
  return createdAtMs > (createdAfterMs ?? -Infinity) && createdAtMs < (createdBeforeMs ?? Infinity);
}

/** Collects a page of tasks. */
interface PageInProgress {
  /** False when the page is full, and the task was not added. */
  add(listed: ListedTask): boolean;
  /** `lookedUpTo`: the last id that was examined; null: there are no more. */
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
