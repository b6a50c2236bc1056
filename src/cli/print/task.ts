/** How a task is printed: as facts, as a row of a table, as a timeline, in the form of the flags. */

import { type FormFlags, printResult, talkScreen } from "../../terminal/screen.ts";
import { styles } from "../../terminal/style.ts";
import { type Canvas, type Column, type Fact, jsonText, renderFacts, renderTable } from "../../terminal/table.ts";
import { formatDuration, fullTime, plainTime, whenText } from "../../terminal/times.ts";
import { isNull } from "../../words/json-text.ts";
import { isEnded, type TaskStatus } from "../../words/task.ts";
import type { AttemptAnswer, EntryAnswer, FailureAnswer, TaskAnswer } from "../api-answers.ts";
import type { ApiAnswer } from "../api-client.ts";
import { exitCodes } from "../exit.ts";

const statusStyles: Record<TaskStatus, string | undefined> = {
  scheduled: styles.dim,
  queued: undefined,
  running: styles.cyan,
  retrying: styles.yellow,
  succeeded: styles.green,
  failed: styles.red,
  dead: styles.red,
  canceled: styles.dim,
  discarded: styles.dim,
};

export function styleOfStatus(status: TaskStatus): string | undefined {
  return statusStyles[status];
}

/** The type and the message; the message alone when it begins with the type. */
export function failureText(failure: FailureAnswer | null): string {
  if (!failure) return "";
  const { type, message } = failure;
  return message === "" || message.startsWith(type) ? message || type : `${type}: ${message}`;
}

/** How long from `from` to `to`; empty while one of them is null. */
export function tookText(from: string | null, to: string | null): string {
  return from === null || to === null ? "" : formatDuration(Math.max(0, Date.parse(to) - Date.parse(from)));
}

/** A line for each. */
export function metadataText(metadata: Readonly<Record<string, string>>): string {
  return Object.entries(metadata)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

export function showTask({ body, text }: ApiAnswer<TaskAnswer>, flags: FormFlags): void {
  printResult(flags, {
    json: text,
    ids: [body.id],
    forPeople: ({ canvas }) => renderTask(body, canvas, Date.now()),
  });
}

/** The exit code after a wait; tells when the wait ended before the task. */
export function endOf({ id, status }: TaskAnswer): number {
  if (!isEnded(status)) talkScreen().print(`throughline: the task ${id} is still ${status}: the time to wait is over`);
  return status === "succeeded" ? exitCodes.done : exitCodes.failed;
}

/** One task with all that is known of it. `more` stands below the status. */
export function renderTask(task: TaskAnswer, canvas: Canvas, nowMs: number, more: readonly Fact[] = []): string[] {
  const when = (time: string | null): string | null => time && fullTime(time, canvas, nowMs);
  const facts: Fact[] = [
    ["task", task.id, styles.bold],
    ["type", task.type],
    ["status", task.status, styleOfStatus(task.status)],
    ...more,
    ["error", failureText(task.error), styles.red],
    ["attempts", `${task.attempt} of ${task.max_attempts}`],
    ["created", when(task.created_at)],
    ["due", task.ended_at === null && task.run_at > task.created_at ? when(task.run_at) : null],
    ["started", when(task.started_at)],
    ["ended", when(task.ended_at)],
    ["took", tookText(task.started_at, task.ended_at)],
    ["trace", task.trace_id],
    ["correlation", task.correlation_id],
    ["metadata", metadataText(task.metadata)],
    ["payload", jsonText(task.payload, canvas)],
    ["result", isNull(task.result) ? null : jsonText(task.result, canvas)],
  ];
  const lines = renderFacts(facts, canvas);
  // One attempt that went well adds nothing to the facts above.
  const isPlain = task.attempts.length <= 1 && task.attempts.every(({ error }) => error === null);
  return isPlain ? lines : [...lines, "", ...renderTable(attemptColumns(task), task.attempts, canvas)];
}

function attemptColumns(task: TaskAnswer): Column<AttemptAnswer>[] {
  const hasOwnTraces = task.attempts.some(({ trace_id: traceId }) => traceId !== task.trace_id);
  return [
    { title: "ATTEMPT", cell: ({ number }) => String(number), isFigure: true },
    {
      title: "OUTCOME",
      cell: ({ outcome }) => outcome ?? "running",
      style: ({ outcome }) => (outcome === "succeeded" ? styles.green : outcome === null ? styles.cyan : styles.red),
    },
    { title: "TOOK", cell: (attempt) => tookText(attempt.started_at, attempt.ended_at), isFigure: true },
    { title: "ERROR", cell: ({ error }) => failureText(error), least: 16 },
    ...(hasOwnTraces ? [{ title: "TRACE", cell: (attempt: AttemptAnswer) => attempt.trace_id, spare: 2 }] : []),
    { title: "WORKER", cell: ({ worker }) => worker ?? "", style: () => styles.dim, least: 10, spare: 3 },
  ];
}

export function renderTasks(tasks: readonly TaskAnswer[], canvas: Canvas, nowMs: number): string[] {
  return renderTable(taskColumns(canvas, nowMs), tasks, canvas);
}

function taskColumns(canvas: Canvas, nowMs: number): Column<TaskAnswer>[] {
  return [
    { title: "ID", cell: ({ id }) => id },
    { title: "STATUS", cell: ({ status }) => status, style: ({ status }) => styleOfStatus(status) },
    { title: "TYPE", cell: ({ type }) => type, least: 8 },
    { title: "TRIES", cell: ({ attempt, max_attempts: most }) => `${attempt}/${most}`, isFigure: true, spare: 2 },
    { title: "CREATED", cell: ({ created_at: at }) => whenText(at, canvas, nowMs), spare: 1 },
    { title: "TOOK", cell: (task) => tookText(task.started_at, task.ended_at), isFigure: true, spare: 3 },
    { title: "ERROR", cell: ({ error }) => failureText(error), style: () => styles.dim, least: 12, spare: 4 },
  ];
}

export function renderTimeline(entries: readonly EntryAnswer[], canvas: Canvas): string[] {
  return renderTable(entryColumns, entries, canvas);
}

const entryColumns: readonly Column<EntryAnswer>[] = [
  { title: "AT", cell: ({ at }) => plainTime(at) },
  { title: "STATUS", cell: ({ to }) => to, style: ({ to }) => styleOfStatus(to) },
  {
    title: "AFTER",
    cell: ({ from, duration_ms: ms }) => (from === null ? "" : `${formatDuration(ms)} ${from}`),
    spare: 1,
  },
  { title: "ATTEMPT", cell: ({ attempt }) => (attempt === 0 ? "" : String(attempt)), isFigure: true, spare: 2 },
  { title: "BY", cell: ({ service }) => service, spare: 3 },
  { title: "ERROR", cell: ({ error }) => failureText(error), style: () => styles.dim, least: 12, spare: 4 },
  { title: "TRACE", cell: ({ trace_id: traceId }) => traceId, style: () => styles.dim, spare: 5 },
];
