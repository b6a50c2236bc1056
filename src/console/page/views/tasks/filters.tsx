/**
 * Which tasks a list shows: read from the address, asked of the API. What the API has no index for, text in a task, is
 * looked for in the newest ones, so many at most.
 */

import { readable, writeJson } from "../../../../words/json-text.ts";
import { type TaskStatus, taskStatuses } from "../../../../words/task.ts";
import { canonicalId } from "../../../../words/task-id.ts";
import { parseQueryTime } from "../../../../words/time-text.ts";
import { ask } from "../../api.ts";
import { addressOf, changedQuery, go, here } from "../../location.ts";
import { TypedField } from "../../parts/controls.tsx";
import { toClock } from "../../parts/time.tsx";
import type { Task, TaskPage } from "../../task.tsx";

export interface TaskQuestion {
  status: TaskStatus | undefined;
  type: string;
  correlationId: string;
  /** Milliseconds back from now; 0: any time. */
  sinceMs: number;
  /** A stretch of time instead, RFC 3339. */
  after: string | undefined;
  before: string | undefined;
  text: string;
  cursor: string;
}

export interface TaskAnswer {
  items: Task[];
  next: string | undefined;
  /** How many tasks were looked at. */
  looked: number;
}

const spans = [
  { text: "Any time", name: "" },
  { text: "Last 15 minutes", name: "15m", ms: 900_000 },
  { text: "Last hour", name: "1h", ms: 3_600_000 },
  { text: "Last 24 hours", name: "24h", ms: 86_400_000 },
  { text: "Last 7 days", name: "7d", ms: 604_800_000 },
] as const;

const pageSize = 50;
const searchedPageSize = 100;
const maxSearchedPages = 10;
/** Shown as `50+`. */
const maxCounted = 50;

/** The name of the span of time in the address; any time when no span has that name. */
function sinceOf(query: URLSearchParams): string {
  return spans.find(({ name }) => name === query.get("since"))?.name ?? "";
}

export function readQuestion(query: URLSearchParams): TaskQuestion {
  const since = spans.find(({ name }) => name === sinceOf(query));
  return {
    status: taskStatuses.find((status) => status === query.get("status")),
    type: query.get("type") ?? "",
    correlationId: query.get("correlation_id") ?? "",
    sinceMs: since && "ms" in since ? since.ms : 0,
    after: timeOf(query.get("since")),
    before: timeOf(query.get("until")),
    text: query.get("q") ?? "",
    cursor: query.get("cursor") ?? "",
  };
}

function timeOf(text: string | null): string | undefined {
  try {
    return text === null ? undefined : new Date(parseQueryTime(text)).toISOString();
  } catch {
    return undefined;
  }
}

export async function loadTasks(question: TaskQuestion, nowMs: number, signal: AbortSignal): Promise<TaskAnswer> {
  if (question.text === "") {
    const page = await askPage(question, { limit: pageSize, cursor: question.cursor, nowMs }, signal);
    return { items: page.items, next: page.next_cursor ?? undefined, looked: page.items.length };
  }
  const items: Task[] = [];
  let cursor: string | null = question.cursor;
  let looked = 0;
  for (let pages = 0; pages < maxSearchedPages && cursor !== null && items.length < pageSize; pages++) {
    const page: TaskPage = await askPage(question, { limit: searchedPageSize, cursor, nowMs }, signal);
    items.push(...page.items.filter((task) => hasText(task, question.text)));
    looked += page.items.length;
    cursor = page.next_cursor;
  }
  return { items, next: cursor ?? undefined, looked };
}

/** How many tasks of each status fit, counted up to `maxCounted` and one. */
export async function countTasks(
  question: TaskQuestion,
  nowMs: number,
  signal: AbortSignal,
): Promise<Map<TaskStatus, number>> {
  const limit = maxCounted + 1;
  const count = async (status: TaskStatus): Promise<[TaskStatus, number]> => {
    const page = await askPage({ ...question, status }, { limit, cursor: "", nowMs }, signal);
    return [status, page.items.length];
  };
  return new Map(await Promise.all(taskStatuses.map(count)));
}

function askPage(
  { status, type, correlationId, sinceMs, after, before }: TaskQuestion,
  { limit, cursor, nowMs }: { limit: number; cursor: string; nowMs: number },
  signal: AbortSignal,
): Promise<TaskPage> {
  const query = {
    status,
    type,
    correlation_id: correlationId,
    created_after: sinceMs > 0 ? new Date(nowMs - sinceMs).toISOString() : after,
    created_before: before,
    limit: String(limit),
    cursor,
  };
  return ask<TaskPage>(addressOf("/tasks", query), signal);
}

/** In its id, its payload, its result, its error or its metadata. Every word has to be there. */
function hasText(task: Task, text: string): boolean {
  const { id, type, payload, result, error, metadata, correlation_id } = task;
  const all = readable(writeJson([id, type, payload, result, error, metadata, correlation_id])).toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

const taskIdText = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The filters of a list of tasks; all of them are in the address. */
export function StatusTabs({
  chosen,
  counts,
}: {
  chosen: TaskStatus | undefined;
  counts: Map<TaskStatus, number> | undefined;
}) {
  return (
    <nav class="tabs" aria-label="Status">
      <Tab label="all" status={undefined} isChosen={chosen === undefined} count={undefined} />
      {taskStatuses.map((status) => (
        <Tab key={status} label={status} status={status} isChosen={chosen === status} count={counts?.get(status)} />
      ))}
    </nav>
  );
}

interface TabProps {
  label: string;
  status: TaskStatus | undefined;
  isChosen: boolean;
  count: number | undefined;
}

function Tab({ label, status, isChosen, count }: TabProps) {
  const shown = count === undefined ? "" : count > maxCounted ? `${maxCounted}+` : String(count);
  return (
    <a
      class={isChosen ? "tab here" : "tab"}
      href={changedQuery({ status, cursor: undefined })}
      aria-current={isChosen ? "page" : undefined}
    >
      {label}
      {status && <span class={count ? "count" : "count none"}>{shown}</span>}
    </a>
  );
}

export function Filters({ question, types }: { question: TaskQuestion; types: readonly string[] }) {
  const search = (text: string): void => {
    const id = canonicalId(text.trim());
    if (taskIdText.test(id)) go(`/tasks/${id}`);
    else narrow({ q: text });
  };
  return (
    <search class="filters">
      <TypedField
        label="Search tasks"
        icon
        placeholder="Task id, or text in it"
        value={question.text}
        onTyped={search}
      />
      <TypedField
        label="Type"
        placeholder="Any type"
        value={question.type}
        list={types}
        onTyped={(type) => narrow({ type })}
      />
      <TypedField
        label="Correlation id"
        placeholder="Any correlation id"
        value={question.correlationId}
        onTyped={(text) => narrow({ correlation_id: text })}
      />
      <label>
        <span class="unseen">Made</span>
        <select
          value={question.after ?? sinceOf(here.value.query)}
          onChange={(event) => narrow({ since: event.currentTarget.value, until: "" })}
        >
          {spans.map(({ name, text }) => (
            <option key={name} value={name}>
              {text}
            </option>
          ))}
          {question.after && <option value={question.after}>{windowText(question)}</option>}
        </select>
      </label>
    </search>
  );
}

function narrow(changes: Record<string, string>): void {
  go(changedQuery({ ...changes, cursor: undefined }), { isSame: true });
}

/** A stretch of time that a point of a chart leads to. */
function windowText({ after = "", before }: TaskQuestion): string {
  const from = toClock(after, Date.now());
  return before ? `${from} – ${toClock(before, Date.now())}` : `Since ${from}`;
}
