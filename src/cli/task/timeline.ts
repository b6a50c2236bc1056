/** `throughline task timeline`: every change of a task's state. */

import { printResult } from "../../terminal/screen.ts";
import { styles } from "../../terminal/style.ts";
import type { Canvas, Column } from "../../terminal/table.ts";
import { renderTable } from "../../terminal/table.ts";
import { formatDuration, plainTime } from "../../terminal/times.ts";
import type { EntryAnswer } from "../api-answers.ts";
import { connectApi } from "../api-client.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ApiFlags } from "../flags.ts";
import { failureText, styleOfStatus } from "../task-style.ts";
import { taskPath } from "./wait.ts";

export type TimelineFlags = ApiFlags;

export async function showTimeline(id: string, flags: TimelineFlags): Promise<number> {
  const { body, text } = await connectApi(flags.url).call<{ items: EntryAnswer[] }>("GET", `${taskPath(id)}/timeline`);
  printResult(flags, {
    json: text,
    ids: [id],
    forPeople: ({ canvas }) => renderTimeline(body.items, canvas),
  });
  return exitCodes.done;
}

export function renderTimeline(entries: readonly EntryAnswer[], canvas: Canvas): string[] {
  return renderTable(columns, entries, canvas);
}

const columns: readonly Column<EntryAnswer>[] = [
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
