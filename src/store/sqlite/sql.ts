/** The statements of the SQLite store; also what spans show as `db.query.text`. */

export type TaskSql = ReturnType<typeof sqlFor>;

export function sqlFor(table: string) {
  return {
    ...lifeSql(table),
    ...sendSql(table),
    ...deadLetterSql(table),
    ...redriveSql(table),
    ...scheduleSql(table),
    ...clockSql(table),
    ...keptSql(table),
    ...listSql(table),
  };
}

function lifeSql(table: string) {
  return {
    insert: `INSERT INTO ${table} VALUES (${placeholders(34)})`,
    note: `INSERT INTO ${table}_timeline VALUES (${placeholders(13)})`,
    key: `SELECT digest, task_id FROM ${table}_keys WHERE key = ?`,
    insertKey: `INSERT INTO ${table}_keys VALUES (?, ?, ?, ?)`,
    select: `SELECT * FROM ${table} WHERE id = ?`,
    timeline: `SELECT * FROM ${table}_timeline WHERE task_id = ? ORDER BY version`,
    claim: `UPDATE ${table} SET status = 'running', status_at = ?, version = version + 1, attempt = ?, claim = ?, lease_until = ?, worker = ?, started_at = ?, send_at = ?, runs_alone = ?, progress = NULL WHERE id = ?`,
    putOff: `UPDATE ${table} SET send_at = ?, error = iif(status = 'running', error, ?), claim = claim + iif(status = 'running', 0, 1) WHERE id = ?`,
    extend: `UPDATE ${table} SET lease_until = ?, send_at = ? WHERE id = ? AND claim = ? AND status = 'running' RETURNING cancel_requested`,
    finish: `UPDATE ${table} SET status = ?, status_at = ?, version = version + 1, attempt = ?, result = ?, error = ?, reason = ?, run_at = ?, ended_at = ?, send_at = ?, runs_alone = ?, progress = coalesce(?, progress), lease_until = NULL WHERE id = ?`,
    noteProgress: `UPDATE ${table} SET progress = ? WHERE id = ? AND claim = ? AND status = 'running'`,
    fail: `UPDATE ${table} SET status = 'failed', status_at = ?, version = version + 1, error = ?, reason = ?, ended_at = ?, lease_until = NULL WHERE id = ?`,
    requestCancel: `UPDATE ${table} SET cancel_requested = 1 WHERE id = ?`,
    cancel: `UPDATE ${table} SET status = 'canceled', status_at = ?, version = version + 1, ended_at = ?, lease_until = NULL, send_at = NULL WHERE id = ?`,
    prunable: `SELECT id, status, status_at FROM ${table} WHERE id > ? ORDER BY id LIMIT ?`,
    removeTask: `DELETE FROM ${table} WHERE id = ?`,
    removeTimeline: `DELETE FROM ${table}_timeline WHERE task_id = ?`,
    removeKeys: `DELETE FROM ${table}_keys WHERE task_id = ?`,
  };
}

function listSql(table: string) {
  // The conditions, the order and the limit follow. What is not in an index is left to the caller to look at.
  const looked = `SELECT id, type, status FROM ${table}`;
  return {
    list: `${looked} WHERE true`,
    listByCorrelation: `${looked} INDEXED BY ${table}_correlation WHERE correlation_id = ?`,
    listByStatus: `${looked} INDEXED BY ${table}_status WHERE status = ?`,
    listByType: `${looked} INDEXED BY ${table}_type WHERE type = ?`,
  };
}

function sendSql(table: string) {
  // Of several indexes that fit, the one that has no other tasks is named wherever SQLite might take another.
  const waiting = "status IN ('queued', 'retrying') AND send_at IS NULL AND sent_at <= ?";
  return {
    markSent: `UPDATE ${table} SET send_at = NULL, sent_at = ? WHERE id = ? AND claim = ? AND status IN ('queued', 'retrying')`,
    due: `SELECT * FROM ${table} WHERE send_at <= ? ORDER BY send_at LIMIT ?`,
    hold: `UPDATE ${table} SET send_at = ? WHERE id = ?`,
    queue: `UPDATE ${table} SET status = 'queued', status_at = ?, version = version + 1 WHERE id = ?`,
    resendAll: `UPDATE ${table} SET send_at = coalesce(lease_until, run_at) WHERE status IN ('scheduled', 'queued', 'running', 'retrying', 'failed')`,
    countWaiting: `SELECT count(*) AS count FROM ${table} INDEXED BY ${table}_waiting WHERE ${waiting}`,
    resendWaiting: `UPDATE ${table} SET send_at = ? WHERE id IN (SELECT id FROM ${table} INDEXED BY ${table}_waiting WHERE ${waiting} ORDER BY sent_at LIMIT ?)`,
  };
}

function deadLetterSql(table: string) {
  return {
    die: `UPDATE ${table} SET status = 'dead', status_at = ?, version = version + 1, reason = ?, ended_at = ?, dead_group = ?, lease_until = NULL, send_at = NULL WHERE id = ?`,
    discard: `UPDATE ${table} SET status = 'discarded', status_at = ?, version = version + 1, ended_at = ? WHERE id = ?`,
    lastNote: `SELECT * FROM ${table}_timeline WHERE task_id = ? ORDER BY version DESC LIMIT 1`,
    keepUnreadable: `INSERT INTO ${table}_unreadable VALUES (?, ?, ?, ?, ?) ON CONFLICT (message_id) DO NOTHING`,
    unreadable: `SELECT * FROM ${table}_unreadable ORDER BY received_at DESC, message_id LIMIT ?`,
    removeUnreadable: `DELETE FROM ${table}_unreadable WHERE received_at < ?`,
    /** The conditions and the order follow. */
    dead: `SELECT * FROM ${table} INDEXED BY ${table}_dead WHERE status = 'dead'`,
    deadOfIds: `SELECT * FROM ${table} WHERE status = 'dead'`,
    countDead: `SELECT count(*) AS matched, coalesce(sum(redrives >= ?), 0) AS refused FROM ${table} INDEXED BY ${table}_dead WHERE status = 'dead'`,
    deadGroups: `SELECT type, dead_group, count(*) AS count, min(status_at) AS first_seen, max(status_at) AS last_seen FROM ${table} INDEXED BY ${table}_groups WHERE status = 'dead'`,
    newestOfGroup: `SELECT * FROM ${table} INDEXED BY ${table}_groups WHERE status = 'dead' AND dead_group = ? AND type = ? AND status_at = ? ORDER BY id DESC LIMIT 1`,
    ungrouped: `SELECT * FROM ${table} INDEXED BY ${table}_groups WHERE status = 'dead' AND dead_group IS NULL`,
    setGroup: `UPDATE ${table} SET dead_group = ? WHERE id = ?`,
    revive: `UPDATE ${table} SET status = 'queued', status_at = ?, version = version + 1, attempt = 0, error = NULL, reason = NULL, run_at = ?, ended_at = NULL, send_at = ?, sent_at = NULL, runs_alone = 0, cancel_requested = 0, redrives = redrives + 1, redriven_at = ?, redrive_origin = ?, redriven_from = ?, payload = coalesce(?, payload) WHERE id = ?`,
  };
}

function redriveSql(table: string) {
  return {
    insertRedrive: `INSERT INTO ${table}_redrives VALUES (${placeholders(15)})`,
    redrive: `SELECT * FROM ${table}_redrives WHERE id = ?`,
    nextRedrive: `SELECT * FROM ${table}_redrives WHERE status = 'running' ORDER BY next_at LIMIT 1`,
    controlRedrive: `UPDATE ${table}_redrives SET status = ?, next_at = ?, ended_at = ? WHERE id = ?`,
    stepRedrive: `UPDATE ${table}_redrives SET status = ?, matched = ?, moved = ?, failed = ?, step = step + 1, cursor = ?, next_at = ?, ended_at = ? WHERE id = ?`,
    follow: `INSERT INTO ${table}_redriven VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
    followed: `SELECT moved_at, status, redriven_at FROM ${table}_redriven JOIN ${table} ON id = task_id WHERE redrive_id = ?`,
    removeFollowed: `DELETE FROM ${table}_redriven WHERE redrive_id IN (SELECT id FROM ${table}_redrives WHERE ended_at < ?)`,
    removeRedrives: `DELETE FROM ${table}_redrives WHERE ended_at < ?`,
  };
}

function scheduleSql(table: string) {
  return {
    insertSchedule: `INSERT INTO ${table}_schedules VALUES (?, ?, ?, ?)`,
    schedule: `SELECT version, body FROM ${table}_schedules WHERE id = ?`,
    schedules: `SELECT body FROM ${table}_schedules WHERE id > ? ORDER BY id LIMIT ?`,
    countSchedules: `SELECT count(*) AS count FROM ${table}_schedules`,
    dueSchedules: `SELECT body FROM ${table}_schedules WHERE look_at <= ? ORDER BY look_at LIMIT ?`,
    nextSchedule: `SELECT min(look_at) AS next FROM ${table}_schedules WHERE look_at > ?`,
    changeSchedule: `UPDATE ${table}_schedules SET version = ?, look_at = ?, body = ? WHERE id = ?`,
    deleteSchedule: `DELETE FROM ${table}_schedules WHERE id = ?`,
  };
}

function clockSql(table: string) {
  // A time that the task's user named stays where it is, until an attempt has failed and the retry waits.
  return {
    newestStep: `SELECT max(id) AS id FROM ${table}_clock_steps`,
    stepsAfter: `SELECT coalesce(sum(by_ms), 0) AS total FROM ${table}_clock_steps WHERE id > ?`,
    noteStep: `INSERT INTO ${table}_clock_steps (by_ms, at) VALUES (?, ?)`,
    forgetSteps: `DELETE FROM ${table}_clock_steps WHERE id <= (SELECT max(id) FROM ${table}_clock_steps) - 1000`,
    moveTasks: `UPDATE ${table} SET run_at = run_at + iif(is_timed = 1 AND status <> 'retrying', 0, ?1), send_at = send_at + iif(is_timed = 1 AND status = 'scheduled', 0, ?1), lease_until = lease_until + ?1, sent_at = sent_at + ?1 WHERE status IN ('scheduled', 'queued', 'running', 'retrying', 'failed')`,
    // A redrive brings back what died before it was ordered.
    moveDeaths: `UPDATE ${table} SET status_at = ?1 WHERE status = 'dead' AND status_at > ?1`,
    moveRedrives: `UPDATE ${table}_redrives SET next_at = next_at + ? WHERE ended_at IS NULL`,
    allSchedules: `SELECT body FROM ${table}_schedules`,
  };
}

function keptSql(table: string) {
  return {
    registerType: `INSERT INTO ${table}_types (type, max_attempts, timeout_ms, isolation, payload_schema) VALUES (?, ?, ?, ?, ?) ON CONFLICT (type) DO UPDATE SET max_attempts = excluded.max_attempts, timeout_ms = excluded.timeout_ms, isolation = excluded.isolation, payload_schema = excluded.payload_schema`,
    types: `SELECT * FROM ${table}_types ORDER BY type`,
    live: `SELECT status, count(*) AS count, min(run_at) AS oldest FROM ${table} WHERE status IN ('scheduled', 'queued', 'running', 'retrying', 'failed') GROUP BY status`,
    oldestDead: `SELECT min(status_at) AS oldest FROM ${table} INDEXED BY ${table}_dead WHERE status = 'dead'`,
  };
}

function placeholders(count: number): string {
  return Array(count).fill("?").join(", ");
}
