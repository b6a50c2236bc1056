/** `throughline dlq groups`: what the dead died of, the largest group first. */

import { printList } from "../../terminal/screen.ts";
import { styles } from "../../terminal/style.ts";
import { type Canvas, type Column, renderTable } from "../../terminal/table.ts";
import { whenText } from "../../terminal/times.ts";
import type { GroupAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { failureText } from "../task-style.ts";
import { deadLettersPath } from "./path.ts";
import { type SelectionFlags, toFilter } from "./selection.ts";

export interface GroupsFlags extends ApiFlags, Pick<SelectionFlags, "type" | "group" | "since"> {
  limit?: number;
  quiet?: boolean;
}

export async function listGroups(flags: GroupsFlags): Promise<number> {
  const query = { ...toFilter(flags), ...(flags.limit !== undefined && { limit: String(flags.limit) }) };
  const api = connectApi(flags.url);
  const { body } = await api.call<{ items: GroupAnswer[] }>("GET", `${deadLettersPath}/groups`, { query });
  printList(flags, body, {
    nothing: "nothing is dead",
    idOf: ({ group }) => group,
    forPeople: ({ canvas }) => renderTable(columnsOf(canvas, Date.now()), body.items, canvas),
  });
  return exitCodes.done;
}

function columnsOf(canvas: Canvas, nowMs: number): Column<GroupAnswer>[] {
  return [
    { title: "GROUP", cell: ({ group }) => group },
    { title: "COUNT", cell: ({ count }) => String(count), isFigure: true },
    { title: "TYPE", cell: ({ type }) => type, least: 6 },
    { title: "ERROR", cell: ({ error }) => failureText(error), style: () => styles.red, least: 12 },
    { title: "LAST", cell: ({ last_seen: at }) => whenText(at, canvas, nowMs), spare: 1 },
    { title: "FIRST", cell: ({ first_seen: at }) => whenText(at, canvas, nowMs), spare: 2 },
    { title: "NEWEST", cell: ({ task_id: id }) => id, style: () => styles.dim, spare: 3 },
  ];
}
