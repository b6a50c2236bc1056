/**
 * The store on SQLite, as it runs inside its own thread: the one writer connection of the process. Every operation is a
 * method that takes plain values and gives plain values; none of them commits. `runBatch` does: everything that waits
 * becomes one transaction, committed with `synchronous=FULL`, before any caller is answered.
 */

import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { TaskError } from "../errors.ts";
import { isEnded, type TaskRecord, type TaskStatus, type TaskType, type TimelineEntry } from "../task.ts";
import { migrate } from "./schema.ts";
import { fromRow, fromTimelineRow, type TaskRow, type TimelineRow } from "./sqlite-rows.ts";
import { databaseFile, sqlFor } from "./sqlite-sql.ts";
import type {
  Actor,
  ClaimRequest,
  ClaimResult,
  CreateResult,
  DeathReport,
  DeathResult,
  DueTask,
  Ending,
  FinishRequest,
  Lease,
  NewTask,
  UnreadableMessage,
} from "./store.ts";

/** Below this, two connections could lose pages of the write-ahead log. */
const oldestSqlite = "3.51.3";

/** A lease that ran out this long ago, with no message left, belongs to the sweeper. */
const abandonedAfterMs = 15_000;

/** How long another process may hold the write lock before a call fails. */
const busyTimeoutMs = 10_000;

export interface SqliteLocation {
  folder: string;
  table: string;
}

export function openSqlite({ folder, table }: SqliteLocation): SqliteTasks {
  mkdirSync(folder, { recursive: true });
  const db = new DatabaseSync(join(folder, databaseFile), { timeout: busyTimeoutMs });
  const found = String(db.prepare("SELECT sqlite_version() AS version").get()?.version);
  if (isOlder(found, oldestSqlite)) {
    db.close();
    throw new TaskError("internal", `SQLite ${found} is too old: ${oldestSqlite} or newer is needed`);
  }
  useWriteAheadLog(db);
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA cache_size = -32768");
  migrate(db, table);
  return new SqliteTasks(db, table);
}

/** Here SQLite waits for no lock: of two connections that open a fresh file at once, it refuses one. */
function useWriteAheadLog(db: DatabaseSync): void {
  const endMs = performance.now() + busyTimeoutMs;
  const isRefused = (): boolean => {
    try {
      db.exec("PRAGMA journal_mode = WAL");
      return false;
    } catch (error) {
      if (!String(error).includes("locked") || performance.now() > endMs) throw error;
      return true;
    }
  };
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (isRefused()) Atomics.wait(pause, 0, 0, 5);
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, undefined, { numeric: true }) < 0;
}

export class SqliteTasks {
  readonly #db: DatabaseSync;
  readonly #sql: ReturnType<typeof sqlFor>;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, table: string) {
    this.#db = db;
    this.#sql = sqlFor(table);
  }

  close(): void {
    this.#db.close();
  }

  /**
   * Runs calls as one transaction. When one of them throws, all are rolled back and each runs again in a transaction of
   * its own, so that a bad call spoils no other. Answers only after the commit.
   */
  runBatch<T>(calls: readonly (() => T)[]): (() => T)[] {
    try {
      return this.#transaction(() => calls.map((call) => call())).map((value) => () => value);
    } catch (error) {
      if (calls.length === 1) {
        return [
          () => {
            throw toStoreError(error);
          },
        ];
      }
      return calls.flatMap((call) => this.runBatch([call]));
    }
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after a full disk or an I/O error.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  create(task: NewTask, actor: Actor): CreateResult {
    if (task.idempotency) {
      const known = this.#prepared(this.#sql.key).get(task.idempotency.key);
      if (known) {
        const earlier = this.#row(String(known.task_id));
        if (known.digest !== task.idempotency.digest || !earlier) return { kind: "mismatch" };
        return { kind: "replayed", task: fromRow(earlier) };
      }
      this.#prepared(this.#sql.insertKey).run(task.idempotency.key, task.idempotency.digest, task.id, actor.atMs);
    }
    const row: TaskRow = {
      id: task.id,
      type: task.type,
      status: task.status,
      status_at: actor.atMs,
      version: 1,
      payload: task.payload,
      metadata: JSON.stringify(task.metadata),
      result: null,
      error: null,
      reason: null,
      attempt: 0,
      max_attempts: task.maxAttempts,
      timeout_ms: task.timeoutMs,
      claim: 0,
      lease_until: null,
      worker: null,
      correlation_id: task.correlationId,
      trace_id: actor.traceId,
      origin: JSON.stringify(task.origin),
      created_at: actor.atMs,
      run_at: task.runAtMs,
      started_at: null,
      ended_at: null,
      runs_alone: 0,
      send_at: task.sendAtMs,
    };
    this.#prepared(this.#sql.insert).run(...Object.values(row));
    this.#note(row, null, actor, { to: task.status, attempt: 0 });
    return { kind: "created", task: fromRow(row) };
  }

  get(id: string): TaskRecord | undefined {
    const row = this.#row(id);
    return row && fromRow(row);
  }

  timeline(id: string): TimelineEntry[] {
    const rows = this.#prepared(this.#sql.timeline).all(id);
    // The columns are those of the STRICT table that the schema makes.
    return (rows as unknown as TimelineRow[]).map(fromTimelineRow);
  }

  claim({ id, worker, leaseMs, actor }: ClaimRequest): ClaimResult {
    let row = this.#row(id);
    if (!row) return { kind: "unknown" };
    const { status } = row;
    if (isEnded(status)) return { kind: "ended", status };
    if (status === "failed") return { kind: "failed", reason: row.reason ?? "attempts_exhausted", task: fromRow(row) };
    if (status === "running" && (row.lease_until ?? 0) > actor.atMs) {
      return { kind: "leased", untilMs: row.lease_until ?? actor.atMs };
    }
    if (row.run_at > actor.atMs) return { kind: "early", untilMs: row.run_at };
    if (row.attempt >= row.max_attempts) return this.#exhaust(row, actor);
    // Due, and claimed before a sweeper came by.
    if (status === "scheduled") row = this.#enqueue(row, actor);
    const attempt = row.attempt + 1;
    const claim = row.claim + 1;
    const leaseUntil = actor.atMs + leaseMs;
    this.#prepared(this.#sql.claim).run(
      actor.atMs,
      attempt,
      claim,
      leaseUntil,
      worker,
      row.started_at ?? actor.atMs,
      leaseUntil + abandonedAfterMs,
      id,
    );
    // A lease that ran out: the attempt before this one never told how it ended.
    const crashed = status === "running" ? ({ outcome: "crashed" } as const) : {};
    this.#note(row, row.status, actor, { to: "running", attempt, worker, ...crashed });
    const task = fromRow({ ...row, status: "running", attempt, claim, started_at: row.started_at ?? actor.atMs });
    return { kind: "won", claim, task };
  }

  /** A task whose last attempt was begun and never told how it ended. */
  #exhaust(row: TaskRow, actor: Actor): ClaimResult {
    const error = { type: "never_finished", message: `attempt ${row.attempt} never finished` };
    const failed = { status: "failed", error: JSON.stringify(error), ended_at: actor.atMs } as const;
    this.#prepared(this.#sql.fail).run(actor.atMs, failed.error, "never_finished", actor.atMs, row.id);
    this.#note(row, row.status, actor, { to: "failed", attempt: row.attempt, outcome: "crashed", error });
    return { kind: "failed", reason: "never_finished", task: fromRow({ ...row, ...failed }) };
  }

  #enqueue(row: TaskRow, actor: Actor): TaskRow {
    this.#prepared(this.#sql.queue).run(actor.atMs, row.id);
    this.#note(row, row.status, actor, { to: "queued", attempt: row.attempt });
    return { ...row, status: "queued", status_at: actor.atMs, version: row.version + 1 };
  }

  extend(leases: readonly Lease[], leaseMs: number, nowMs: number): string[] {
    const until = nowMs + leaseMs;
    const statement = this.#prepared(this.#sql.extend);
    return leases
      .filter(({ id, claim }) => statement.run(until, until + abandonedAfterMs, id, claim).changes === 0)
      .map(({ id }) => id);
  }

  finish({ id, claim, ending, actor }: FinishRequest): boolean {
    const row = this.#row(id);
    if (!row || row.claim !== claim || row.status !== "running") return false;
    const attempt = ending.to === "queued" ? row.attempt - 1 : row.attempt;
    const ended = ending.to === "succeeded" || ending.to === "failed" ? actor.atMs : null;
    const error = "error" in ending ? JSON.stringify(ending.error) : null;
    const result = ending.to === "succeeded" ? ending.result : null;
    const reason = ending.to === "failed" ? ending.reason : null;
    const runAt = ending.to === "retrying" ? ending.runAtMs : row.run_at;
    this.#prepared(this.#sql.finish).run(
      ending.to,
      actor.atMs,
      attempt,
      result,
      error,
      reason,
      runAt,
      ended,
      sendAtAfter(ending, actor.atMs),
      ending.to === "queued" && ending.runsAlone ? 1 : 0,
      id,
    );
    this.#note(row, "running", actor, {
      to: ending.to,
      attempt: row.attempt,
      outcome: ending.to === "succeeded" ? "succeeded" : ending.to === "queued" ? "interrupted" : ending.outcome,
      error: "error" in ending ? ending.error : null,
      worker: row.worker,
    });
    return true;
  }

  recordDead({ id, reason, actor }: DeathReport): DeathResult {
    const row = this.#row(id);
    if (!row) return { kind: "unknown" };
    if (isEnded(row.status)) return { kind: "known", status: row.status };
    // The worker's reason, written when the task failed, knows more than the message's.
    const known = row.reason ?? reason;
    const endedAt = row.ended_at ?? actor.atMs;
    this.#prepared(this.#sql.die).run(actor.atMs, known, endedAt, id);
    // The broker gave up a task whose attempt has not told how it ended, and whose outcome is refused from now on.
    const lost = row.status === "running" ? ({ outcome: "lease_lost" } as const) : {};
    this.#note(row, row.status, actor, { to: "dead", attempt: row.attempt, ...lost });
    return { kind: "recorded", task: fromRow({ ...row, status: "dead", ended_at: endedAt }), reason: known };
  }

  markSent(ids: readonly string[]): void {
    const statement = this.#prepared(this.#sql.markSent);
    for (const id of ids) statement.run(id);
  }

  takeDue(limit: number, holdMs: number, actor: Actor): DueTask[] {
    const rows = this.#prepared(this.#sql.due).all(actor.atMs, limit) as unknown as TaskRow[];
    for (const row of rows) {
      this.#prepared(this.#sql.hold).run(actor.atMs + holdMs, row.id);
      if (row.status === "scheduled") this.#enqueue(row, actor);
    }
    return rows.map((row) => ({
      id: row.id,
      type: row.type,
      correlationId: row.correlation_id,
      origin: JSON.parse(row.origin),
    }));
  }

  resendAll(): void {
    this.#prepared(this.#sql.resendAll).run();
  }

  keepUnreadable({ messageId, body, attributes, reason, atMs }: UnreadableMessage): void {
    this.#prepared(this.#sql.keepUnreadable).run(messageId, body, JSON.stringify(attributes), reason, atMs);
  }

  registerTypes(types: readonly TaskType[]): void {
    const statement = this.#prepared(this.#sql.registerType);
    for (const { type, maxAttempts, timeoutMs, isolation } of types) {
      statement.run(type, maxAttempts, timeoutMs, isolation);
    }
  }

  listTypes(): TaskType[] {
    return this.#prepared(this.#sql.types)
      .all()
      .map((row) => ({
        type: String(row.type),
        maxAttempts: row.max_attempts === null ? null : Number(row.max_attempts),
        timeoutMs: row.timeout_ms === null ? null : Number(row.timeout_ms),
        isolation: row.isolation === "exclusive" ? "exclusive" : "shared",
      }));
  }

  /** A number that changes when another connection, of any process, commits. */
  dataVersion(): number {
    return Number(this.#prepared("PRAGMA data_version").get()?.data_version);
  }

  #row(id: string): TaskRow | undefined {
    // The columns are those of the STRICT table that the schema makes.
    return this.#prepared(this.#sql.select).get(id) as unknown as TaskRow | undefined;
  }

  #note(row: TaskRow, from: TaskStatus | null, actor: Actor, entry: NotedEntry): void {
    this.#prepared(this.#sql.note).run(
      row.id,
      from === null ? row.version : row.version + 1,
      actor.atMs,
      from,
      entry.to,
      entry.attempt,
      Math.max(0, actor.atMs - row.status_at),
      entry.outcome ?? null,
      entry.error ? JSON.stringify(entry.error) : null,
      actor.traceId,
      actor.spanId,
      actor.service,
      entry.worker ?? null,
    );
  }
}

type NotedEntry = Pick<TimelineEntry, "to" | "attempt"> & Partial<Pick<TimelineEntry, "outcome" | "error" | "worker">>;

/** When the sweeper looks at the task again if no message of it turns up. */
function sendAtAfter(ending: Ending, nowMs: number): number | null {
  switch (ending.to) {
    case "succeeded":
      return null;
    case "retrying":
      return ending.sendAtMs;
    case "failed":
    case "queued":
      return nowMs + abandonedAfterMs;
  }
}

function toStoreError(error: unknown): TaskError {
  if (error instanceof TaskError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TaskError("unavailable", `the store (${basename(databaseFile)}) refused: ${message}`, { cause: error });
}
