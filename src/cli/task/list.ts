/** `throughline task list`: tasks, the newest first. */

import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { printResult, talkScreen } from "../screen.ts";
import { type ListFlags, readTasks } from "./read-tasks.ts";
import { renderTasks } from "./tasks-table.ts";

export async function listTasks(flags: ListFlags): Promise<number> {
  const page = await readTasks(connectApi(flags.url), flags);
  const ids = page.items.map(({ id }) => id);
  const isEmpty = ids.length === 0;
  printResult(flags, {
    json: JSON.stringify(page),
    ids,
    forPeople: ({ canvas }) => (isEmpty ? [] : renderTasks(page.items, canvas, Date.now())),
  });
  if (!flags.json && !flags.quiet) {
    if (isEmpty) talkScreen().print("no task fits");
    if (page.next_cursor !== null) talkScreen().print("there are more: --limit shows them");
  }
  return exitCodes.done;
}
