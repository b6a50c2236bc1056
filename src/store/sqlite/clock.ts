/**
 * The wall clock of the SQLite store. Leases, retries, delays and sends stand in the file as wall-clock times, but are
 * durations: when the clock is set, all of them are moved by as much, before anything else is done under the new time.
 * What its user or its rule names as a wall-clock time stays: `run_at`, and the ticks of schedules, as `timingAfterStep`
 * says. Several processes share one file and its machine's clock: the one that sees a step first moves the times and
 * notes the step, and the others find the note.
 */

import { type Clock, createStepDetector, noticedStepMs } from "../../limits/clock.ts";
import { onlyValue } from "../../words/entry-result.ts";
import { timingAfterStep } from "../../words/ticks.ts";
import type { Schedule } from "../ports/schedules.ts";
import { scheduleSql } from "./schedules.ts";
import type { SqliteTable } from "./tasks.ts";

export function clockSql(table: string) {
  // A time that the caller named stays as it is, until an attempt has failed and the retry waits.
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

export interface StoreClock {
  /** To be called before the operations of each turn; throws when the times could not be moved, and is then called again. */
  follow(): void;
  /** To be called now and then, whether or not there are operations. */
  look(): void;
}

export function createStoreClock({ db, name }: SqliteTable, clock: Clock): StoreClock {
  const sql = clockSql(name);
  const { changeSchedule } = scheduleSql(name);
  const takeStep = createStepDetector(clock);
  const newestStep = (): number => db.get<{ id: number | null }>(sql.newestStep)?.id ?? 0;
  /** The newest step that this process has taken part in, or that came before its start. */
  let seenId = newestStep();
  /** The clock was set by this much, and the file does not know it yet as far as this process can tell. */
  let owedMs = 0;

  const moveTimes = (stepMs: number): number => {
    const noted = db.get<{ total: number }>(sql.stepsAfter, seenId)?.total ?? 0;
    const leftMs = stepMs - noted;
    if (Math.abs(leftMs) < noticedStepMs) return newestStep();
    db.run(sql.moveTasks, leftMs);
    db.run(sql.moveDeaths, clock.nowMs());
    db.run(sql.moveRedrives, leftMs);
    for (const { body } of db.all<{ body: string }>(sql.allSchedules)) moveSchedule(JSON.parse(body), leftMs);
    db.run(sql.noteStep, leftMs, clock.nowMs());
    db.run(sql.forgetSteps);
    return newestStep();
  };

  const moveSchedule = (schedule: Schedule, stepMs: number): void => {
    const nowMs = clock.nowMs();
    const { timing, nextTickMs } = timingAfterStep(schedule, stepMs, nowMs);
    // A tick that is held is looked at again, and finds its own next look.
    const lookAtMs = schedule.heldTickMs === null ? nextTickMs : nowMs;
    const after = { ...schedule, timing, nextTickMs, lookAtMs, version: schedule.version + 1 };
    db.run(changeSchedule, after.version, lookAtMs, JSON.stringify(after), after.id);
  };

  const follow = (): void => {
    owedMs += takeStep();
    if (owedMs === 0) return;
    seenId = onlyValue(db.runBatch([owedMs], moveTimes));
    owedMs = 0;
  };

  return {
    follow,
    look: () => {
      // Read before the clock: steps noted by now that this process does not see were over before its start.
      const newestId = newestStep();
      follow();
      seenId = Math.max(seenId, newestId);
    },
  };
}
