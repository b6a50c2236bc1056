/** `throughline task list`: tasks, the newest first. */

import { printList } from "../../terminal/screen.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { type ListFlags, readTasks } from "./read-tasks.ts";
import { renderTasks } from "./tasks-table.ts";

export async function listTasks(flags: ListFlags): Promise<number> {
  const page = await readTasks(connectApi(flags.url), flags);
  printList(flags, page, {
    nothing: "no task fits",
    idOf: ({ id }) => id,
    forPeople: ({ canvas }) => renderTasks(page.items, canvas, Date.now()),
  });
  return exitCodes.done;
}
