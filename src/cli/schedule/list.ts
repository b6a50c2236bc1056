/** `throughline schedule list`: schedules in the order of their ids. */

import { printList } from "../../terminal/screen.ts";
import { styles } from "../../terminal/style.ts";
import { type Canvas, type Column, renderTable } from "../../terminal/table.ts";
import { whenText } from "../../terminal/times.ts";
import type { ScheduleAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { readPages } from "../pages.ts";
import { styleOfStatus } from "../task-style.ts";
import { schedulesPath } from "./path.ts";
import { ruleOf, stateOf } from "./schedule-facts.ts";

export interface ListFlags extends ApiFlags {
  limit: number;
  quiet?: boolean;
}

export async function listSchedules(flags: ListFlags): Promise<number> {
  const query = { path: schedulesPath, query: {}, limit: flags.limit };
  const page = await readPages<ScheduleAnswer>(connectApi(flags.url), query);
  printList(flags, page, {
    nothing: "there is no schedule",
    idOf: ({ id }) => id,
    forPeople: ({ canvas }) => renderTable(columnsOf(canvas, Date.now()), page.items, canvas),
  });
  return exitCodes.done;
}

function columnsOf(canvas: Canvas, nowMs: number): Column<ScheduleAnswer>[] {
  return [
    { title: "ID", cell: ({ id }) => id, least: 8 },
    { title: "STATE", cell: stateOf, style: ({ paused }) => (paused ? styles.yellow : undefined) },
    { title: "DUE", cell: ruleOf, least: 10, spare: 1 },
    { title: "NEXT", cell: ({ next_runs: [next] }) => (next ? whenText(next, canvas, nowMs) : ""), spare: 2 },
    {
      title: "LAST",
      cell: ({ last_run: lastRun }) => lastRun?.status ?? "",
      style: ({ last_run: lastRun }) => (lastRun?.status ? styleOfStatus(lastRun.status) : undefined),
      spare: 3,
    },
    { title: "TYPE", cell: ({ task }) => task.type, least: 6, spare: 4 },
    { title: "FIRED", cell: ({ fired }) => String(fired), isFigure: true, spare: 5 },
    { title: "SKIPPED", cell: ({ skipped }) => String(skipped || ""), isFigure: true, spare: 6 },
    { title: "MISSED", cell: ({ missed }) => String(missed || ""), isFigure: true, spare: 6 },
  ];
}
