/**
 * Calls of the HTTP API that several commands share: lists read page by page, the same call for several ids, and the wait
 * for a task's end; and the paths of each noun.
 */

import { systemClock } from "../limits/clock.ts";
import { printResult } from "../terminal/screen.ts";
import { TaskError } from "../words/errors.ts";
import { isEnded } from "../words/task.ts";
import type { PageAnswer, TaskAnswer } from "./api-answers.ts";
import type { ApiAnswer, ApiClient } from "./api-client.ts";
import { exitCodes, explain } from "./exit.ts";
import type { ApiFlags } from "./flags.ts";

export const tasksPath = "/tasks";
export const deadLettersPath = "/dead-letters";
export const schedulesPath = "/schedules";

export function taskPath(id: string): string {
  return `${tasksPath}/${encodeURIComponent(id)}`;
}

export function deadLetterPath(id: string): string {
  return `${deadLettersPath}/${encodeURIComponent(id)}`;
}

export function redrivePath(id: string): string {
  return `${deadLettersPath}/redrives/${encodeURIComponent(id)}`;
}

export function schedulePath(id: string): string {
  return `${schedulesPath}/${encodeURIComponent(id)}`;
}

/** The largest page that the API gives. */
const largestPage = 100;

interface ListQuery {
  path: string;
  /** Filters. */
  query: Record<string, string | undefined>;
  /** Most items. */
  limit: number;
  signal?: AbortSignal;
}

/** Up to `limit` items, and where more begin. */
export async function readPages<Item>(
  api: ApiClient,
  { path, query, limit, signal }: ListQuery,
): Promise<PageAnswer<Item>> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const size = Math.min(largestPage, limit - items.length);
    const page: { body: PageAnswer<Item> } = await api.call<PageAnswer<Item>>("GET", path, {
      query: { ...query, limit: String(size), ...(cursor !== null && { cursor }) },
      ...(signal && { signal }),
    });
    items.push(...page.body.items);
    cursor = page.body.next_cursor;
  } while (cursor !== null && items.length < limit);
  return { items, next_cursor: cursor };
}

export interface EachFlags extends ApiFlags {
  quiet?: boolean;
}

/**
 * Calls for each id, prints a line for each, and goes on when one fails. Gives the exit code, that of the first failure.
 */
export async function callEach<T>(
  ids: readonly string[],
  flags: EachFlags,
  call: (id: string) => Promise<ApiAnswer<T>>,
  toLine: (body: T) => string,
): Promise<number> {
  let exitCode: number = exitCodes.done;
  for (const id of ids) {
    try {
      const { body, text } = await call(id);
      printResult(flags, { json: text, ids: [id], forPeople: () => [toLine(body)] });
    } catch (error) {
      const failed = explain(namedAs(id, error));
      exitCode ||= failed;
    }
  }
  return exitCode;
}

/** The error, with the id that it is about. */
function namedAs(id: string, error: unknown): unknown {
  if (!(error instanceof TaskError) || error.message.includes(id)) return error;
  const { code, message, isRemote } = error;
  return new TaskError(code, `${id}: ${message}`, { isRemote, cause: error });
}

/** The longest that the API holds an answer. */
const longestHoldMs = 60_000;

/** A gateway that is replaced is away for a moment; one that stays away ends the wait. */
const maxFailures = 5;
const pauseMs = 1000;

/** The task as it ends; as it is, when `limitMs` has passed before. */
export async function waitForEnd(
  api: ApiClient,
  id: string,
  limitMs = Number.POSITIVE_INFINITY,
): Promise<ApiAnswer<TaskAnswer>> {
  const deadline = performance.now() + limitMs;
  for (let failures = 0; ; ) {
    const holdMs = Math.round(Math.max(0, Math.min(longestHoldMs, deadline - performance.now())));
    try {
      const answer = await api.call<TaskAnswer>("GET", taskPath(id), {
        query: { wait: `${holdMs}ms` },
        heldMs: holdMs,
      });
      if (isEnded(answer.body.status) || performance.now() >= deadline) return answer;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!isPassing(error) || failures > maxFailures || performance.now() >= deadline) throw error;
      await systemClock.sleep(pauseMs, new AbortController().signal);
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof TaskError && (error.code === "unavailable" || error.code === "resource_exhausted");
}
