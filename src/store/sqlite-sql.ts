/** The statements of the SQLite store; also what spans show as `db.query.text`. */

/** The database file of a data folder; what spans show as `db.namespace`. */
export const databaseFile = "throughline.db";

export interface TaskSql {
  insert: string;
  note: string;
  key: string;
  insertKey: string;
  select: string;
  timeline: string;
  claim: string;
  extend: string;
  finish: string;
  fail: string;
  die: string;
  markSent: string;
  due: string;
  hold: string;
  queue: string;
  resendAll: string;
  keepUnreadable: string;
  registerType: string;
  types: string;
}

export function sqlFor(table: string): TaskSql {
  return {
    insert: `INSERT INTO ${table} VALUES (${placeholders(25)})`,
    note: `INSERT INTO ${table}_timeline VALUES (${placeholders(13)})`,
    key: `SELECT digest, task_id FROM ${table}_keys WHERE key = ?`,
    insertKey: `INSERT INTO ${table}_keys VALUES (?, ?, ?, ?)`,
    select: `SELECT * FROM ${table} WHERE id = ?`,
    timeline: `SELECT * FROM ${table}_timeline WHERE task_id = ? ORDER BY version`,
    claim: `UPDATE ${table} SET status = 'running', status_at = ?, version = version + 1, attempt = ?, claim = ?, lease_until = ?, worker = ?, started_at = ?, send_at = ? WHERE id = ?`,
    extend: `UPDATE ${table} SET lease_until = ?, send_at = ? WHERE id = ? AND claim = ? AND status = 'running'`,
    finish: `UPDATE ${table} SET status = ?, status_at = ?, version = version + 1, attempt = ?, result = ?, error = ?, reason = ?, run_at = ?, ended_at = ?, send_at = ?, runs_alone = ?, lease_until = NULL WHERE id = ?`,
    fail: `UPDATE ${table} SET status = 'failed', status_at = ?, version = version + 1, error = ?, reason = ?, ended_at = ?, lease_until = NULL WHERE id = ?`,
    die: `UPDATE ${table} SET status = 'dead', status_at = ?, version = version + 1, reason = ?, ended_at = ?, lease_until = NULL, send_at = NULL WHERE id = ?`,
    markSent: `UPDATE ${table} SET send_at = NULL WHERE id = ? AND claim = 0 AND status = 'queued'`,
    due: `SELECT * FROM ${table} WHERE send_at <= ? ORDER BY send_at LIMIT ?`,
    hold: `UPDATE ${table} SET send_at = ? WHERE id = ?`,
    queue: `UPDATE ${table} SET status = 'queued', status_at = ?, version = version + 1 WHERE id = ?`,
    resendAll: `UPDATE ${table} SET send_at = coalesce(lease_until, run_at) WHERE status IN ('scheduled', 'queued', 'running', 'retrying', 'failed')`,
    keepUnreadable: `INSERT INTO ${table}_unreadable VALUES (?, ?, ?, ?, ?) ON CONFLICT (message_id) DO NOTHING`,
    registerType: `INSERT INTO ${table}_types VALUES (?, ?, ?, ?) ON CONFLICT (type) DO UPDATE SET max_attempts = excluded.max_attempts, timeout_ms = excluded.timeout_ms, isolation = excluded.isolation`,
    types: `SELECT * FROM ${table}_types ORDER BY type`,
  };
}

function placeholders(count: number): string {
  return Array(count).fill("?").join(", ");
}
