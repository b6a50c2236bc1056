/** No list and no count of groups goes through tasks that it does not show: each statement has an index of its own. */

import { expect, test } from "bun:test";
import { DatabaseSync } from "node:sqlite";
import { deadLetterSql } from "../../src/store/sqlite/dead-letters.ts";
import { migrate } from "../../src/store/sqlite/schema.ts";
import { sendSql } from "../../src/store/sqlite/sends.ts";
import { lookText, taskSql } from "../../src/store/sqlite/tasks.ts";

const sql = { ...taskSql("tasks"), ...sendSql("tasks"), ...deadLetterSql("tasks") };

/** How SQLite does it, in its own words. */
function planOf(text: string, count: number): string[] {
  using db = new DatabaseSync(":memory:");
  migrate(db, "tasks");
  const rows = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...Array<string>(count).fill("0"));
  return rows.map(({ detail }) => String(detail));
}

test.each([
  [{}, "SEARCH tasks USING INDEX sqlite_autoindex_tasks_1 (id>? AND id<?)"],
  [{ type: "mail" }, "SEARCH tasks USING INDEX tasks_type (type=? AND id>? AND id<?)"],
  [{ status: "dead" as const }, "SEARCH tasks USING INDEX tasks_status (status=? AND id>? AND id<?)"],
  [{ status: "dead" as const, type: "mail" }, "SEARCH tasks USING INDEX tasks_status (status=? AND id>? AND id<?)"],
  [{ correlationId: "c" }, "SEARCH tasks USING INDEX tasks_correlation (correlation_id=? AND id>? AND id<?)"],
  [
    { correlationId: "c", status: "dead" as const, type: "mail" },
    "SEARCH tasks USING INDEX tasks_correlation (correlation_id=? AND id>? AND id<?)",
  ],
])("a list of %j is in the order of its index", (filter, plan) => {
  const { text, values } = lookText(sql, filter);
  expect(planOf(text, values.length + 3)).toEqual([plan]);
});

test("groups are counted in the order of their index, which has all that is counted", () => {
  const plan = planOf(`${sql.deadGroups} GROUP BY dead_group, type`, 0);
  expect(plan).toEqual(["SCAN tasks USING COVERING INDEX tasks_groups"]);
});

test("what else is looked for has the index that was made for it", () => {
  expect(planOf(sql.newestOfGroup, 3)[0]).toStartWith("SEARCH tasks USING INDEX tasks_groups (dead_group=? AND type=?");
  expect(planOf(sql.ungrouped, 0)).toEqual(["SEARCH tasks USING INDEX tasks_groups (dead_group=?)"]);
  expect(planOf(sql.live, 0)).toEqual(["SEARCH tasks USING COVERING INDEX tasks_status (status=?)"]);
  expect(planOf(sql.due, 2)).toEqual(["SEARCH tasks USING INDEX tasks_send_at (send_at<?)"]);
  expect(planOf(sql.countWaiting, 1)).toEqual(["SEARCH tasks USING INDEX tasks_waiting (sent_at<?)"]);
  expect(planOf(sql.resendWaiting, 3).join()).toContain("tasks_waiting (sent_at<?)");
  expect(planOf(sql.oldestDead, 0)).toEqual(["SEARCH tasks USING COVERING INDEX tasks_dead"]);
  const page = " AND type = ? AND dead_group = ? AND (status_at, id) < (?, ?) ORDER BY status_at DESC, id DESC LIMIT ?";
  expect(planOf(sql.dead + page, 5)).toEqual(["SEARCH tasks USING INDEX tasks_dead ((status_at,id)<(?,?))"]);
  const named = " AND id IN (?, ?) ORDER BY status_at DESC, id DESC LIMIT ?";
  expect(planOf(sql.deadOfIds + named, 3)[0]).toBe("SEARCH tasks USING INDEX tasks_status (status=? AND id=?)");
});
