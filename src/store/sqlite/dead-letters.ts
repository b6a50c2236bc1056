/** Dead letters on SQLite: recorded, kept, listed, grouped, discarded. */

import { deadGroupOf, errorOfDeath } from "../../words/dead-group.ts";
import { type AttemptOutcome, type DeadReason, isEnded } from "../../words/task.ts";
import type {
  DeadCursor,
  DeadFilter,
  DeadGroup,
  DeadLetter,
  DeadSelection,
  DeathReport,
  DeathResult,
  DiscardResult,
  UnreadableMessage,
} from "../ports/dead-letters.ts";
import { bytesOfTask, maxAnswerBytes } from "../ports/pages.ts";
import type { Actor } from "../ports/tasks.ts";
import { fromRow, type SqliteTable, type TaskRow } from "./tasks.ts";

export function deadLetterSql(table: string) {
  return {
    die: `UPDATE ${table} SET status = 'dead', status_at = ?, version = version + 1, reason = ?, ended_at = ?, dead_group = ?, lease_until = NULL, send_at = NULL WHERE id = ?`,
    discard: `UPDATE ${table} SET status = 'discarded', status_at = ?, version = version + 1, ended_at = ? WHERE id = ?`,
    keepUnreadable: `INSERT INTO ${table}_unreadable (message_id, body, attributes, reason, received_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (message_id) DO NOTHING`,
    unreadable: `SELECT * FROM ${table}_unreadable ORDER BY received_at DESC, message_id DESC LIMIT ?`,
    /** The conditions and the order follow. */
    dead: `SELECT * FROM ${table} INDEXED BY ${table}_dead WHERE status = 'dead'`,
    deadOfIds: `SELECT * FROM ${table} WHERE status = 'dead'`,
    deadGroups: `SELECT type, dead_group, count(*) AS count, min(status_at) AS first_seen, max(status_at) AS last_seen FROM ${table} INDEXED BY ${table}_groups WHERE status = 'dead'`,
    newestOfGroup: `SELECT * FROM ${table} INDEXED BY ${table}_groups WHERE status = 'dead' AND dead_group = ? AND type = ? AND status_at = ? ORDER BY id DESC LIMIT 1`,
    ungrouped: `SELECT * FROM ${table} INDEXED BY ${table}_groups WHERE status = 'dead' AND dead_group IS NULL`,
    setGroup: `UPDATE ${table} SET dead_group = ? WHERE id = ?`,
  };
}

/** A row may have a megabyte. */
const rowsAtOnce = 20;

export function createDeadLetterOperations(table: SqliteTable) {
  const { db, row: rowOf, note } = table;
  const sql = deadLetterSql(table.name);

  const recordDead = ({ id, reason, actor }: DeathReport): DeathResult => {
    const row = rowOf(id);
    if (!row) return { kind: "unknown" };
    // A worker's letter follows the failure that it wrote here: one about a live task is a copy from an earlier life.
    const isOld = row.status !== "failed" && reason !== "receive_limit";
    // A second copy of a long task's message is put back again and again, until the broker gives the copy up.
    const isHeld = row.status === "running" && (row.lease_until ?? 0) > actor.atMs;
    if (isOld || isHeld || isEnded(row.status)) return { kind: "known", status: row.status };
    // The worker's reason, written when the task failed, is more precise than the message's.
    const known = row.reason ?? reason;
    const endedAt = row.ended_at ?? actor.atMs;
    db.run(sql.die, actor.atMs, known, endedAt, groupOf(row, known), id);
    // The broker gave up a task whose attempt has not reported an outcome, which is refused from now on.
    const lost = row.status === "running" ? { outcome: "lease_lost" as AttemptOutcome } : {};
    note(row, actor, { to: "dead", attempt: row.attempt, ...lost });
    return { kind: "recorded", task: fromRow({ ...row, status: "dead", ended_at: endedAt }), reason: known };
  };

  const keepUnreadable = ({ messageId, body, attributes, reason, atMs }: UnreadableMessage): void => {
    db.run(sql.keepUnreadable, messageId, body, JSON.stringify(attributes), reason, atMs);
  };

  const listUnreadable = (limit: number): UnreadableMessage[] =>
    db.all<UnreadableRow>(sql.unreadable, limit).map((row) => ({
      messageId: row.message_id,
      body: row.body,
      attributes: JSON.parse(row.attributes),
      reason: row.reason,
      atMs: row.received_at,
    }));

  const discard = (id: string, reason: string, actor: Actor): DiscardResult => {
    const row = rowOf(id);
    if (!row) return { kind: "unknown" };
    if (row.status !== "dead") return { kind: "moved_on", status: row.status };
    db.run(sql.discard, actor.atMs, row.ended_at ?? actor.atMs, id);
    note(row, actor, {
      to: "discarded",
      attempt: row.attempt,
      error: { type: "discarded", message: reason },
    });
    return { kind: "discarded", task: fromRow({ ...row, status: "discarded" }) };
  };

  return { recordDead, keepUnreadable, listUnreadable, discard, ...createDeadLists(table) };
}

function createDeadLists({ db, name, lastTraceparent }: SqliteTable) {
  const sql = deadLetterSql(name);

  const listDead = (selection: DeadSelection, limit: number, after: DeadCursor | null): DeadLetter[] => {
    const letters: DeadLetter[] = [];
    for (let cursor = after, bytes = 0; letters.length < limit && bytes <= maxAnswerBytes; ) {
      const count = Math.min(rowsAtOnce, limit - letters.length);
      const read = readDead(selection, count, cursor);
      letters.push(...read);
      bytes += read.reduce((sum, { task }) => sum + bytesOfTask(task, []), 0);
      const last = read.at(-1);
      if (read.length < count || !last) break;
      cursor = { diedAtMs: last.diedAtMs, id: last.task.id };
    }
    return letters;
  };

  const readDead = (selection: DeadSelection, limit: number, after: DeadCursor | null): DeadLetter[] => {
    const fits = conditionsOf(selection);
    if (after) fits.and("(status_at, id) < (?, ?)", after.diedAtMs, after.id);
    const rows = db.all<TaskRow>(
      `${selection.kind === "ids" ? sql.deadOfIds : sql.dead}${fits.text} ORDER BY status_at DESC, id DESC LIMIT ?`,
      ...fits.values,
      limit,
    );
    return rows.map(toLetter);
  };

  const toLetter = (row: TaskRow): DeadLetter => ({
    task: fromRow(row),
    reason: reasonOf(row),
    diedAtMs: row.status_at,
    deathTraceparent: lastTraceparent(row.id),
    group: row.dead_group ?? groupOf(row, reasonOf(row)),
  });

  const deadGroups = ({ type, group, sinceMs, untilMs }: DeadFilter, limit: number): DeadGroup[] => {
    const fits = conditionsOf({
      kind: "filter",
      ...(type !== undefined && { type }),
      ...(group !== undefined && { group }),
      ...(sinceMs !== undefined && { sinceMs }),
      ...(untilMs !== undefined && { untilMs }),
    });
    const rows = db.all<GroupRow>(
      `${sql.deadGroups}${fits.text} GROUP BY dead_group, type ORDER BY count DESC, last_seen DESC, dead_group, type LIMIT ?`,
      ...fits.values,
      limit,
    );
    return rows.flatMap((row) => {
      const newest = db.get<TaskRow>(sql.newestOfGroup, row.dead_group, row.type, row.last_seen);
      if (!newest) return [];
      return [
        {
          type: row.type,
          group: row.dead_group,
          count: row.count,
          firstSeenMs: row.first_seen,
          lastSeenMs: row.last_seen,
          sample: toLetter(newest),
        },
      ];
    });
  };

  /** What died before there were groups: a file of an older version. */
  const groupUngrouped = (): void => {
    for (const row of db.all<TaskRow>(sql.ungrouped)) db.run(sql.setGroup, groupOf(row, reasonOf(row)), row.id);
  };

  return { listDead, deadGroups, groupUngrouped };
}

function groupOf(row: TaskRow, reason: DeadReason): string {
  return deadGroupOf(errorOfDeath(fromRow(row).error, reason));
}

interface GroupRow {
  type: string;
  dead_group: string;
  count: number;
  first_seen: number;
  last_seen: number;
}

interface UnreadableRow {
  message_id: string;
  body: string;
  attributes: string;
  reason: string;
  received_at: number;
}

function reasonOf(row: TaskRow): DeadReason {
  return row.reason ?? "receive_limit";
}

interface Conditions {
  text: string;
  values: (string | number)[];
  and(condition: string, ...values: (string | number)[]): void;
}

/** What follows `WHERE status = 'dead'`. */
export function conditionsOf(selection: DeadSelection): Conditions {
  const conditions: Conditions = {
    text: "",
    values: [],
    and: (condition, ...values) => {
      conditions.text += ` AND ${condition}`;
      conditions.values.push(...values);
    },
  };
  if (selection.kind === "ids") {
    conditions.and(`id IN (${selection.ids.map(() => "?").join(", ")})`, ...selection.ids);
    return conditions;
  }
  const { type, errorType, reason, group, sinceMs, untilMs } = selection;
  if (type !== undefined) conditions.and("type = ?", type);
  if (errorType !== undefined) conditions.and("json_extract(error, '$.type') = ?", errorType);
  if (reason !== undefined) conditions.and("reason = ?", reason);
  if (group !== undefined) conditions.and("dead_group = ?", group);
  if (sinceMs !== undefined) conditions.and("status_at >= ?", sinceMs);
  if (untilMs !== undefined) conditions.and("status_at <= ?", untilMs);
  return conditions;
}
