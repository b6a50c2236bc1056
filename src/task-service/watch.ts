/** What a caller has not seen of a task yet: told as soon as there is anything. The caller asks again with what it has. */

import { z } from "zod";
import { parseMessage, type RpcHandlers } from "../rpc/call.ts";
import { toTimelineJson } from "../rpc/task-view.ts";
import { newestEntries } from "../store/ports/pages.ts";
import type { TaskStore } from "../store/ports/tasks.ts";
import { isEnded } from "../words/task.ts";
import { isTaskId } from "../words/task-id.ts";
import { duration, givenId, noTask } from "./requests.ts";

const watchTask = z.strictObject({
  id: givenId,
  seenEntry: z.int().min(0).default(0),
  seenProgress: z.number().optional(),
  wait: duration.optional(),
});

/** Runs a wait that ends when `signal` aborts, or when there is another reason to end it. */
export type HoldCall = <T>(signal: AbortSignal | undefined, wait: (over: AbortSignal) => Promise<T>) => Promise<T>;

export function createWatchHandler(store: Pick<TaskStore, "awaitChange">, hold: HoldCall): RpcHandlers["WatchTask"] {
  return async (message, { context, signal }) => {
    const {
      id,
      seenEntry,
      seenProgress,
      wait = 0,
    } = parseMessage("WatchTask", message, (it) => watchTask.safeParse(it));
    const seen = { entry: seenEntry, progress: seenProgress ?? null };
    const watched = isTaskId(id)
      ? await hold(signal, (over) => store.awaitChange(id, seen, wait, context, over))
      : undefined;
    if (!watched) throw noTask(id);
    const { task, timeline, firstNumber } = watched;
    const unseen = newestEntries(timeline.slice(Math.max(0, seen.entry + 1 - firstNumber)));
    return {
      entries: unseen.map(toTimelineJson),
      firstNumber: firstNumber + timeline.length - unseen.length,
      ...(task.progress !== null && { progress: task.progress }),
      hasEnded: isEnded(task.status),
    };
  };
}
