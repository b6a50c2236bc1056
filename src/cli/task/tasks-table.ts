/** Tasks as a table. Pure. */

import { styles } from "../../terminal/style.ts";
import { type Canvas, type Column, renderTable } from "../../terminal/table.ts";
import { whenText } from "../../terminal/times.ts";
import type { TaskAnswer } from "../api-answers.ts";
import { failureText, styleOfStatus, tookText } from "../task-style.ts";

export function renderTasks(tasks: readonly TaskAnswer[], canvas: Canvas, nowMs: number): string[] {
  return renderTable(columnsOf(canvas, nowMs), tasks, canvas);
}

function columnsOf(canvas: Canvas, nowMs: number): Column<TaskAnswer>[] {
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
