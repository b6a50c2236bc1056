/**
 * `throughline task list --watch`. On a terminal the table is drawn again in its place, about once a second; elsewhere
 * each change is a line, so that a pipe can follow. Ends at Ctrl-C, with the terminal as it was.
 */

import { startLive } from "../../terminal/progress.ts";
import { printResult, resultScreen, type Screen } from "../../terminal/screen.ts";
import { fit, styles, toPrintable } from "../../terminal/style.ts";
import { plainTime } from "../../terminal/times.ts";
import { TaskError } from "../../words/errors.ts";
import type { TaskAnswer } from "../api-answers.ts";
import { type ApiClient, connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { repeatUntilStopped } from "../repeat.ts";
import { failureText } from "../task-style.ts";
import { type ListFlags, readTasks } from "./read-tasks.ts";
import { renderTasks } from "./tasks-table.ts";

const everyMs = 1000;

export async function watchTasks(flags: ListFlags): Promise<number> {
  const api = connectApi(flags.url);
  const screen = resultScreen();
  if (!screen.isTerminal || flags.json || flags.quiet) await tellChanges(api, flags);
  else await redraw(api, flags);
  return exitCodes.done;
}

async function redraw(api: ApiClient, flags: ListFlags): Promise<void> {
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
      // What was shown stays: a gateway that is replaced comes back.
      if (!isShown || !isAway(error)) throw error;
      live.draw([screen.paint(styles.yellow, cut(`${head}: ${error.message.split("\n")[0]}`, screen))]);
      return false;
    }
  });
}

async function tellChanges(api: ApiClient, flags: ListFlags): Promise<void> {
  const seen = new Map<string, string>();
  await repeatUntilStopped(everyMs, async (signal) => {
    const { items } = await readTasks(api, flags, signal);
    for (const task of items.toReversed()) {
      const state = `${task.status} ${task.attempt}`;
      if (seen.get(task.id) !== state) tellChange(task, flags);
      seen.set(task.id, state);
    }
    // Those that are out of sight are not looked at again.
    const shown = new Set(items.map(({ id }) => id));
    for (const id of seen.keys()) if (!shown.has(id)) seen.delete(id);
    return false;
  });
}

function tellChange(task: TaskAnswer, flags: ListFlags): void {
  printResult(flags, { json: JSON.stringify(task), ids: [task.id], forPeople: () => [toLine(task)] });
}

function toLine(task: TaskAnswer): string {
  const { id, status, type, attempt, max_attempts: most, created_at: createdAt, ended_at: endedAt, error } = task;
  const at = plainTime(endedAt ?? createdAt);
  const said = error === null ? "" : `  ${toPrintable(failureText(error))}`;
  return `${at}  ${id}  ${status}  ${type}  ${attempt}/${most}${said}`;
}

/** A line of its own, not more. */
function cut(text: string, { canvas: { width } }: Screen): string {
  return width === undefined ? text : fit(text, width).trimEnd();
}

function isAway(error: unknown): error is TaskError {
  return error instanceof TaskError && (error.code === "unavailable" || error.code === "deadline_exceeded");
}
