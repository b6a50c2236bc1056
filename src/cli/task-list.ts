/**
 * `throughline task list`, once or with `--watch`. Watched on a terminal the table is drawn again in its place, about once
 * a second; elsewhere each change is a line, so that a pipe can follow. Ends at Ctrl-C, with the terminal as it was.
 */

import { type Command, Option } from "commander";
import { printList, printResult, resultScreen, type Screen } from "../terminal/screen.ts";
import { fit, styles, toPrintable } from "../terminal/style.ts";
import { plainTime } from "../terminal/times.ts";
import { TaskError } from "../words/errors.ts";
import { writeJson } from "../words/json-text.ts";
import { taskStatuses } from "../words/task.ts";
import type { PageAnswer, TaskAnswer } from "./api-answers.ts";
import { readPages, tasksPath } from "./api-calls.ts";
import { type ApiClient, connectApi } from "./api-client.ts";
import { exitCodes, repeatUntilStopped } from "./exit.ts";
import { type ApiFlags, type End, momentText, toMoment, wholeNumber, withApi, withExamples } from "./flags.ts";
import { failureText, renderTasks } from "./print/task.ts";

export function addTaskList(task: Command, end: End): void {
  const command = task
    .command("list")
    .description("tasks, the newest first")
    .addOption(new Option("--status <status>", "only those in this state").choices(taskStatuses))
    .option("--type <type>", "only those of this type")
    .option("--correlation-id <id>", "only those of this correlation id")
    .option("--since <time>", "only those made since then: a time, or how long ago, such as 1h", momentText)
    .option("--limit <number>", "how many", wholeNumber(1, 10_000), 20)
    .option("--watch", "again and again; elsewhere than on a terminal, a line for each change")
    .option("-q, --quiet", "the ids alone")
    .action(async (flags: ListFlags) => end(await (flags.watch ? watchTasks(flags) : listTasks(flags))));
  withExamples(
    withApi(command),
    ["throughline task list --status dead --since 1h", "what died within the last hour"],
    ["throughline task list --type send-email --watch", "look on"],
    ["throughline task list --status scheduled --quiet | xargs throughline task cancel", "cancel them"],
  );
}

interface ListFlags extends ApiFlags {
  status?: string;
  type?: string;
  correlationId?: string;
  /** A time, or how long ago. */
  since?: string;
  limit: number;
  watch?: boolean;
  quiet?: boolean;
}

async function listTasks(flags: ListFlags): Promise<number> {
  const page = await readTasks(connectApi(flags.url), flags);
  printList(flags, page, {
    nothing: "no task fits",
    idOf: ({ id }) => id,
    forPeople: ({ canvas }) => renderTasks(page.items, canvas, Date.now()),
  });
  return exitCodes.done;
}

function readTasks(api: ApiClient, flags: ListFlags, signal?: AbortSignal): Promise<PageAnswer<TaskAnswer>> {
  const { status, type, correlationId, since, limit } = flags;
  const query = {
    status,
    type,
    correlation_id: correlationId,
    created_after: since === undefined ? undefined : toMoment(since),
  };
  return readPages<TaskAnswer>(api, { path: tasksPath, query, limit, ...(signal && { signal }) });
}

const everyMs = 1000;

async function watchTasks(flags: ListFlags): Promise<number> {
  const api = connectApi(flags.url);
  const screen = resultScreen();
  if (!screen.isTerminal || flags.json || flags.quiet) await printChanges(api, flags);
  else await redraw(api, flags);
  return exitCodes.done;
}

async function redraw(api: ApiClient, flags: ListFlags): Promise<void> {
  const { startLive } = await import("../terminal/progress.ts");
  using live = startLive(process.stdout);
  let isShown = false;
  await repeatUntilStopped(everyMs, async (signal) => {
    const screen = resultScreen();
    // A line for the titles, one for the state, one for the cursor.
    const room = Math.max(1, (process.stdout.rows || 24) - 3);
    const head = `${flags.type ?? "tasks"} at ${api.url}`;
    try {
      const { items } = await readTasks(api, { ...flags, limit: Math.min(flags.limit, room) }, signal);
      const lines = items.length === 0 ? ["no task fits"] : renderTasks(items, screen.canvas, Date.now());
      const state = `${head}, ${new Date().toISOString().slice(11, 19)}Z. Ctrl-C ends it.`;
      live.draw([...lines.slice(0, room + 1), screen.paint(styles.dim, cut(state, screen))]);
      isShown = true;
      return false;
    } catch (error) {
      // The table stays: a gateway that is replaced comes back.
      if (!isShown || !isAway(error)) throw error;
      live.draw([screen.paint(styles.yellow, cut(`${head}: ${error.message.split("\n")[0]}`, screen))]);
      return false;
    }
  });
}

async function printChanges(api: ApiClient, flags: ListFlags): Promise<void> {
  const seen = new Map<string, string>();
  await repeatUntilStopped(everyMs, async (signal) => {
    const { items } = await readTasks(api, flags, signal);
    for (const task of items.toReversed()) {
      const state = `${task.status} ${task.attempt}`;
      if (seen.get(task.id) !== state) printChange(task, flags);
      seen.set(task.id, state);
    }
    // A task that has left the list is forgotten.
    const shown = new Set(items.map(({ id }) => id));
    for (const id of seen.keys()) if (!shown.has(id)) seen.delete(id);
    return false;
  });
}

function printChange(task: TaskAnswer, flags: ListFlags): void {
  printResult(flags, { json: writeJson(task), ids: [task.id], forPeople: () => [toLine(task)] });
}

function toLine(task: TaskAnswer): string {
  const { id, status, type, attempt, max_attempts: most, created_at: createdAt, ended_at: endedAt, error } = task;
  const at = plainTime(endedAt ?? createdAt);
  const failure = error === null ? "" : `  ${toPrintable(failureText(error))}`;
  return `${at}  ${id}  ${status}  ${type}  ${attempt}/${most}${failure}`;
}

/** At most one line. */
function cut(text: string, { canvas: { width } }: Screen): string {
  return width === undefined ? text : fit(text, width).trimEnd();
}

function isAway(error: unknown): error is TaskError {
  return error instanceof TaskError && (error.code === "unavailable" || error.code === "deadline_exceeded");
}
