/** What the task service answers about tasks that are there: reads, waits, watches, and cancels them. */

import type { Context } from "@opentelemetry/api";
import { z } from "zod";
import { msOf } from "../api/fields.ts";
import {
  cancelTask as cancelTaskForm,
  getTask as getTaskForm,
  getTimeline as getTimelineForm,
  type TaskNews,
  toTimelineEntry,
  watchTask as watchTaskForm,
} from "../api/task.ts";
import { toTaskType } from "../api/task-type.ts";
import { createAdmission } from "../limits/concurrency.ts";
import type { RpcHandler, RpcHandlers } from "../rpc/call.ts";
import { newestEntries } from "../store/ports/pages.ts";
import type { Actor, CancelResult, TaskStore } from "../store/ports/tasks.ts";
import type { TypeStore } from "../store/ports/types.ts";
import { TaskError } from "../words/errors.ts";
import { writeJson } from "../words/json-text.ts";
import { isEnded } from "../words/task.ts";
import { isTaskId } from "../words/task-id.ts";
import type { News } from "./news.ts";
import { answerTask, noTask, parseRequest } from "./requests.ts";
import { createListHandler } from "./task-list.ts";

export interface TaskDeps {
  store: TaskStore & Pick<TypeStore, "listTypes">;
  news: News;
  actorIn(context: Context): Actor;
  /** Once it aborts, calls that wait for a task's end are answered. */
  draining: AbortSignal;
}

type Handler = (deps: TaskDeps, hold: HoldCall) => RpcHandler;

/** Runs a wait that ends when `signal` aborts, or when the service drains. */
type HoldCall = <T>(signal: AbortSignal | undefined, wait: (over: AbortSignal) => Promise<T>) => Promise<T>;

/** Calls held until a task has ended; more from one process would leave its other calls no room. */
const maxWaits = 4096;

type TaskMethod = "GetTask" | "GetTimeline" | "WatchTask" | "ListTasks" | "ListTaskTypes" | "CancelTask";

export function createTaskHandlers(deps: TaskDeps): Pick<RpcHandlers, TaskMethod> {
  const admitWait = createAdmission(maxWaits, "calls that wait for a task");
  const hold: HoldCall = (signal, wait) => admitWait(() => untilOver([deps.draining, signal], wait));
  return {
    GetTask: getTask(deps, hold),
    GetTimeline: getTimeline(deps, hold),
    WatchTask: watchTask(deps, hold),
    ListTasks: createListHandler(deps.store),
    ListTaskTypes: listTaskTypes(deps, hold),
    CancelTask: cancelTask(deps, hold),
  };
}

const getTask: Handler =
  ({ store }, hold) =>
  async (message, { context, signal }) => {
    const { id, wait } = parseRequest("GetTask", getTaskForm, message);
    if (!isTaskId(id)) throw noTask(id);
    const waitMs = msOf(wait) ?? 0;
    const task = await (waitMs === 0
      ? store.get(id, context)
      : hold(signal, (over) => store.awaitEnd(id, waitMs, context, over)));
    if (!task) throw noTask(id);
    return answerTask(task, await store.timeline(id, context));
  };

const getTimeline: Handler =
  ({ store }) =>
  async (message, { context }) => {
    const { id } = parseRequest("GetTimeline", getTimelineForm, message);
    const entries = isTaskId(id) ? await store.timeline(id, context) : [];
    if (entries.length === 0) throw noTask(id);
    return { json: writeJson({ items: newestEntries(entries).map(toTimelineEntry) }) };
  };

/** What a caller has not seen of a task yet, as soon as there is anything. The caller asks again with what it has seen. */
const watchTask: Handler =
  ({ store }, hold) =>
  async (message, { context, signal }) => {
    const watched = parseRequest("WatchTask", watchTaskForm, message);
    const { id, seen_entry: entry, seen_progress: progress = null, wait } = watched;
    const seen = { entry, progress };
    const found = isTaskId(id)
      ? await hold(signal, (over) => store.awaitChange(id, seen, msOf(wait) ?? 0, context, over))
      : undefined;
    if (!found) throw noTask(id);
    const { task, timeline, firstNumber } = found;
    const unseen = newestEntries(timeline.slice(Math.max(0, entry + 1 - firstNumber)));
    const news: TaskNews = {
      entries: unseen.map(toTimelineEntry),
      first_number: firstNumber + timeline.length - unseen.length,
      progress: task.progress,
      has_ended: isEnded(task.status),
    };
    return { json: JSON.stringify(news) };
  };

const listTypesForm = z.strictObject({});

const listTaskTypes: Handler =
  ({ store }) =>
  async (message, { context }) => {
    parseRequest("ListTaskTypes", listTypesForm, message);
    const types = await store.listTypes(context);
    const sorted = types.toSorted((a, b) => (a.type < b.type ? -1 : 1));
    return { json: writeJson({ items: sorted.map(toTaskType) }) };
  };

const cancelTask: Handler =
  ({ store, news, actorIn }) =>
  async (message, { context }) => {
    const { id } = parseRequest("CancelTask", cancelTaskForm, message);
    const actor = actorIn(context);
    const canceled: CancelResult = isTaskId(id) ? await store.cancel(id, actor, context) : { kind: "unknown" };
    if (canceled.kind === "unknown") throw noTask(id);
    if (canceled.kind === "moved_on") throw new TaskError("conflict", `the task is ${canceled.status} already`);
    const { task } = canceled;
    if (canceled.kind === "canceled") news.canceled(task, context, actor.atMs);
    else news.logOf(task, context).info("task canceled while it runs", { status: task.status });
    return answerTask(task, await store.timeline(id, context));
  };

/** The signal that `wait` gets aborts when one of these does. */
async function untilOver<T>(
  signals: readonly (AbortSignal | undefined)[],
  wait: (over: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const done = new AbortController();
  for (const each of signals) {
    if (each?.aborted) over.abort();
    each?.addEventListener("abort", () => over.abort(), { once: true, signal: done.signal });
  }
  try {
    return await wait(over.signal);
  } finally {
    done.abort();
  }
}
