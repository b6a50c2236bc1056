/** Answers with what a caller has not seen of a task yet, as soon as there is anything. The caller asks again with what it has seen. */

import { msOf } from "../api/fields.ts";
import { type TaskNews, toTimelineEntry, watchTask } from "../api/task.ts";
import type { RpcHandler } from "../rpc/call.ts";
import { newestEntries } from "../store/ports/pages.ts";
import type { TaskStore } from "../store/ports/tasks.ts";
import { isEnded } from "../words/task.ts";
import { isTaskId } from "../words/task-id.ts";
import { noTask, parseRequest } from "./requests.ts";

/** Runs a wait that ends when `signal` aborts, or when there is another reason to end it. */
export type HoldCall = <T>(signal: AbortSignal | undefined, wait: (over: AbortSignal) => Promise<T>) => Promise<T>;

export function createWatchHandler(store: Pick<TaskStore, "awaitChange">, hold: HoldCall): RpcHandler {
  return async (message, { context, signal }) => {
    const {
      id,
      seen_entry: entry,
      seen_progress: progress = null,
      wait,
    } = parseRequest("WatchTask", watchTask, message);
    const seen = { entry, progress };
    const watched = isTaskId(id)
      ? await hold(signal, (over) => store.awaitChange(id, seen, msOf(wait) ?? 0, context, over))
      : undefined;
    if (!watched) throw noTask(id);
    const { task, timeline, firstNumber } = watched;
    const unseen = newestEntries(timeline.slice(Math.max(0, seen.entry + 1 - firstNumber)));
    const news: TaskNews = {
      entries: unseen.map(toTimelineEntry),
      first_number: firstNumber + timeline.length - unseen.length,
      progress: task.progress,
      has_ended: isEnded(task.status),
    };
    return { json: JSON.stringify(news) };
  };
}
