/**
 * Lists of tasks on SQLite. An index has each list that is asked for by one thing alone; what is asked for besides is
 * looked at, at most so many tasks in one step, so that no list holds up the store's thread.
 */

import type { TaskStatus } from "../../words/task.ts";
import { idRangeOf, startPage } from "../ports/pages.ts";
import type { TaskFilter, TaskPage } from "../ports/tasks.ts";
import { fromRow, fromTimelineRow, type TimelineRow } from "./rows.ts";
import type { TaskSql } from "./sql.ts";
import type { SqliteTable } from "./table.ts";

/** Some milliseconds of the thread. */
const maxLooked = 1000;

interface LookedRow {
  id: string;
  type: string;
  status: TaskStatus;
}

export function createListOperations({ db, sql, row: rowOf }: SqliteTable) {
  const listTasks = (filter: TaskFilter, limit: number, before: string | null): TaskPage => {
    const { text, values } = lookText(sql, filter);
    const { from, to } = idRangeOf(filter, before);
    const count = values.length < askedOf(filter) ? maxLooked : limit + 1;
    const looked = db.all<LookedRow>(text, ...values, from, to, count);
    const page = startPage(filter, limit);
    for (const { id, type, status } of looked) {
      const fits = type === (filter.type ?? type) && status === (filter.status ?? status);
      const row = fits ? rowOf(id) : undefined;
      if (!row) continue;
      const timeline = db.all<TimelineRow>(sql.timeline, id).map(fromTimelineRow);
      if (!page.add({ task: fromRow(row), timeline })) break;
    }
    return page.end(looked.length < count ? null : (looked.at(-1)?.id ?? null));
  };

  return { listTasks };
}

/** How many things are asked for beside the time. */
function askedOf({ correlationId, status, type }: TaskFilter): number {
  return [correlationId, status, type].filter((value) => value !== undefined).length;
}

/** The statement that looks at what the index has; its other values are the range of ids and the limit. */
export function lookText(sql: TaskSql, { correlationId, status, type }: TaskFilter) {
  const range = " AND id >= ? AND id < ? ORDER BY id DESC LIMIT ?";
  if (correlationId !== undefined) return { text: sql.listByCorrelation + range, values: [correlationId] };
  if (status !== undefined) return { text: sql.listByStatus + range, values: [status] };
  if (type !== undefined) return { text: sql.listByType + range, values: [type] };
  return { text: sql.list + range, values: [] };
}
