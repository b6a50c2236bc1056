/** Lists of tasks, page by page. What the store cannot look up it looks through, step by step, up to a bound. */

import { createHash } from "node:crypto";
import { listTasks, toTask } from "../api/task.ts";
import type { RpcHandler } from "../rpc/call.ts";
import { bytesOfTask, fitting, newestEntries } from "../store/ports/pages.ts";
import type { ListedTask, TaskFilter, TaskPage, TaskStore } from "../store/ports/tasks.ts";
import { TaskError } from "../words/errors.ts";
import { writeJson } from "../words/json-text.ts";
import { isTaskId } from "../words/task-id.ts";
import { parseTime } from "../words/time-text.ts";
import { parseRequest } from "./requests.ts";

/** Of the store, for one page; what is behind them, the next page begins with. */
const maxSteps = 20;

export function createListHandler(store: Pick<TaskStore, "listTasks">): RpcHandler {
  return async (message, { context }) => {
    const { filter, limit, before } = parseListTasks(message);
    const tasks: ListedTask[] = [];
    let page: TaskPage = { tasks, next: before, isFull: false };
    for (let step = 0; step < maxSteps && !page.isFull && (step === 0 || page.next !== null); step++) {
      page = await store.listTasks(filter, limit - tasks.length, page.next, context);
      tasks.push(...page.tasks);
    }
    // Each step has its bound; several of them may be more than an answer takes.
    const shown = fitting(tasks, ({ task, timeline }) => bytesOfTask(task, timeline));
    const next = shown.length < tasks.length ? (shown.at(-1)?.task.id ?? null) : page.next;
    return {
      json: writeJson({
        items: shown.map(({ task, timeline }) => toTask(task, newestEntries(timeline))),
        next_cursor: next === null ? null : toCursor(next, filter),
      }),
    };
  };
}

function parseListTasks(message: unknown): { filter: TaskFilter; limit: number; before: string | null } {
  const asked = parseRequest("ListTasks", listTasks, message);
  const { status, type, correlation_id: correlationId, created_after: after, created_before: before, limit } = asked;
  const filter: TaskFilter = {
    ...(status && { status }),
    ...(type && { type }),
    ...(correlationId && { correlationId }),
    ...(after !== undefined && { createdAfterMs: parseTime(after) }),
    ...(before !== undefined && { createdBeforeMs: parseTime(before) }),
  };
  return { filter, limit, before: asked.cursor === "" ? null : fromCursor(asked.cursor, filter) };
}

/** Where a list goes on, as a word that callers give back as it is, with the same filter. */
function toCursor(id: string, filter: TaskFilter): string {
  return Buffer.from(`${id} ${digestOf(filter)}`).toString("base64url");
}

function fromCursor(text: string, filter: TaskFilter): string {
  const [id = "", digest] = Buffer.from(text, "base64url").toString().split(" ");
  if (!isTaskId(id) || toCursor(id, filter) !== text) {
    const isOfOther = isTaskId(id) && /^[\w-]{8}$/.test(digest ?? "");
    const detail = isOfOther ? "belongs to a list with other filters" : "is not one that an earlier answer gave";
    throw new TaskError("invalid_argument", `the cursor "${text}" ${detail}: begin again without it`);
  }
  return id;
}

function digestOf(filter: TaskFilter): string {
  return createHash("sha256").update(JSON.stringify(filter)).digest("base64url").slice(0, 8);
}
