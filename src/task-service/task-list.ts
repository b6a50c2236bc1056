/** Lists of tasks, page by page. What the store cannot look up it looks through, step by step, up to a bound. */

import { createHash } from "node:crypto";
import { z } from "zod";
import { parseMessage, type RpcHandlers } from "../rpc/call.ts";
import { toTaskJson } from "../rpc/task-view.ts";
import { bytesOfTask, fitting } from "../store/ports/pages.ts";
import type { ListedTask, TaskFilter, TaskPage, TaskStore } from "../store/ports/tasks.ts";
import { TaskError } from "../words/errors.ts";
import { taskStatuses, taskTypePattern } from "../words/task.ts";
import { isTaskId } from "../words/task-id.ts";
import { pageLimit, timestamp } from "./requests.ts";

/** Of the store, for one page; what is behind them, the next page begins with. */
const maxSteps = 20;

const listTasksRequest = z.strictObject({
  status: z.union([z.literal(""), z.enum(taskStatuses)]).default(""),
  type: z.string().regex(taskTypePattern).or(z.literal("")).default(""),
  correlationId: z.string().max(255).default(""),
  createdAfter: timestamp.optional(),
  createdBefore: timestamp.optional(),
  limit: pageLimit,
  cursor: z.string().max(255).default(""),
});

export function createListHandler(store: Pick<TaskStore, "listTasks">): RpcHandlers["ListTasks"] {
  return async (message, { context }) => {
    const { filter, limit, before } = parseListTasks(message);
    const tasks: ListedTask[] = [];
    let page: TaskPage = { tasks, next: before, isFull: false };
    for (let step = 0; step < maxSteps && !page.isFull && (step === 0 || page.next !== null); step++) {
      page = await store.listTasks(filter, limit - tasks.length, page.next, context);
      tasks.push(...page.tasks);
    }
    // Each step has its bound; several of them may be more than an answer takes.
    const told = fitting(tasks, ({ task, timeline }) => bytesOfTask(task, timeline));
    const next = told.length < tasks.length ? (told.at(-1)?.task.id ?? null) : page.next;
    return {
      items: told.map(({ task, timeline }) => toTaskJson(task, timeline)),
      ...(next !== null && { nextCursor: toCursor(next, filter) }),
    };
  };
}

function parseListTasks(message: unknown): { filter: TaskFilter; limit: number; before: string | null } {
  const asked = parseMessage("ListTasks", message, (it) => listTasksRequest.safeParse(it));
  const { status, type, correlationId, createdAfter, createdBefore, limit, cursor } = asked;
  const filter: TaskFilter = {
    ...(status && { status }),
    ...(type && { type }),
    ...(correlationId && { correlationId }),
    ...(createdAfter !== undefined && { createdAfterMs: createdAfter }),
    ...(createdBefore !== undefined && { createdBeforeMs: createdBefore }),
  };
  return { filter, limit, before: cursor === "" ? null : fromCursor(cursor, filter) };
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
