/** `throughline dlq list`: dead tasks, the newest death first. */

import { printList } from "../../terminal/screen.ts";
import { styles } from "../../terminal/style.ts";
import { type Canvas, type Column, renderTable } from "../../terminal/table.ts";
import { whenText } from "../../terminal/times.ts";
import type { DeadLetterAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { readPages } from "../pages.ts";
import { failureText } from "../task-style.ts";
import { deadLettersPath } from "./path.ts";
import { type SelectionFlags, toFilter } from "./selection.ts";

export interface ListFlags extends ApiFlags, SelectionFlags {
  limit: number;
  quiet?: boolean;
}

export async function listDeadLetters(flags: ListFlags): Promise<number> {
  const query = { path: deadLettersPath, query: toFilter(flags), limit: flags.limit };
  const page = await readPages<DeadLetterAnswer>(connectApi(flags.url), query);
  printList(flags, page, {
    nothing: "no dead letter fits",
    idOf: ({ task }) => task.id,
    forPeople: ({ canvas }) => renderTable(columnsOf(canvas, Date.now()), page.items, canvas),
  });
  return exitCodes.done;
}

function columnsOf(canvas: Canvas, nowMs: number): Column<DeadLetterAnswer>[] {
  return [
    { title: "ID", cell: ({ task }) => task.id },
    { title: "TYPE", cell: ({ task }) => task.type, least: 6 },
    { title: "DIED", cell: ({ died_at: at }) => whenText(at, canvas, nowMs), spare: 1 },
    { title: "ERROR", cell: ({ task }) => failureText(task.error), style: () => styles.red, least: 12, spare: 2 },
    { title: "TRIES", cell: ({ task }) => String(task.attempt), isFigure: true, spare: 3 },
    { title: "CAUSE", cell: ({ reason }) => reason, spare: 5 },
    { title: "REDRIVES", cell: ({ redrives }) => String(redrives || ""), isFigure: true, spare: 4 },
  ];
}
