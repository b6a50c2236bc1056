/**
 * How large tasks are in an answer, counted with everything in them, and how much fits into one. Of a list the rest is on
 * the next page; of a history that is longer, the oldest entries are left out.
 */

import type { TaskRecord, TimelineEntry } from "../words/task.ts";

/** Of a list: a client of gRPC takes 4 MiB by default, and a task's payload may grow in protobuf's form. */
export const maxAnswerBytes = 2 * 1024 * 1024;
/** Of one task's history. */
const maxHistoryBytes = 512 * 1024;

/** Names, ids and times, which all are bounded. */
const bytesOfTaskItself = 1000;
const bytesOfEntryItself = 250;

export function bytesOfTask(task: TaskRecord, timeline: readonly TimelineEntry[]): number {
  const history = newestEntries(timeline).reduce((sum, entry) => sum + bytesOfEntry(entry), 0);
  return bytesOfTaskItself + bytesIn(task.payload, task.result) + bytesInJson(task.metadata, task.error) + history;
}

function bytesOfEntry({ error }: TimelineEntry): number {
  return bytesOfEntryItself + (error ? bytesInJson(error) : 0);
}

/** Those at the end of the history that an answer has room for. */
export function newestEntries(timeline: readonly TimelineEntry[]): readonly TimelineEntry[] {
  let bytes = 0;
  const last = timeline.findLastIndex((entry) => {
    bytes += bytesOfEntry(entry);
    return bytes > maxHistoryBytes;
  });
  return timeline.slice(last + 1);
}

/** UTF-8 bytes of texts. */
export function bytesIn(...texts: (string | null)[]): number {
  return texts.reduce((sum, text) => sum + (text === null ? 0 : Buffer.byteLength(text)), 0);
}

export function bytesInJson(...values: unknown[]): number {
  return bytesIn(...values.map((value) => JSON.stringify(value)));
}

/** Items of a list, the first ones that fit: one at least, for a list has to go on. */
export function fitting<Item>(items: readonly Item[], bytesOf: (item: Item, index: number) => number): Item[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += bytesOf(item, index);
    return index > 0 && bytes > maxAnswerBytes;
  });
  return items.slice(0, end < 0 ? items.length : end);
}
