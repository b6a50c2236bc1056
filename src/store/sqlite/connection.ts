/**
 * The one connection of a process to its SQLite file: opened with what makes a commit durable, and used in whole
 * transactions only.
 */

import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { PreparedStatements } from "../../host/prepared-statements.ts";
import type { EntryResult } from "../../words/entry-result.ts";
import { TaskError } from "../../words/errors.ts";
import { databaseFile, logBytes, migrate, usualLogBytes } from "./schema.ts";

/** Below this, two connections could lose pages of the write-ahead log. */
const oldestSqlite = "3.51.3";

/** How long another process may hold the write lock before a call fails. */
const busyTimeoutMs = 10_000;

export interface SqliteLocation {
  folder: string;
  table: string;
}

/** `PRAGMA synchronous`: every commit waits until the disk has it. */
const syncFull = 2;

export interface Durability {
  journalMode: string | undefined;
  synchronous: number | undefined;
}

export class SqliteConnection {
  readonly #db: DatabaseSync;
  readonly #folder: string;
  readonly #statements: PreparedStatements;

  /**
   * Opens the file, makes it when there is none, and brings it to the newest schema. Throws `TaskError` `unavailable`
   * when the disk does not let it.
   */
  constructor({ folder, table }: SqliteLocation) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#db = openFile(join(folder, databaseFile));
    this.#statements = new PreparedStatements(this.#db);
    try {
      refuseOld(this.#db);
      useWriteAheadLog(this.#db);
      this.#db.exec("PRAGMA synchronous = FULL");
      this.#db.exec("PRAGMA cache_size = -32768");
      this.#db.exec(`PRAGMA journal_size_limit = ${usualLogBytes}`);
      migrate(this.#db, table);
      refuseUnsafe(this.durability());
    } catch (error) {
      this.#db.close();
      throw toStoreError(error);
    }
  }

  /** How this connection commits, as SQLite tells it. */
  durability(): Durability {
    const { journal_mode: journalMode } = this.get<{ journal_mode: string }>("PRAGMA journal_mode") ?? {};
    const { synchronous } = this.get<{ synchronous: number }>("PRAGMA synchronous") ?? {};
    return { journalMode, synchronous };
  }

  close(): void {
    this.#db.close();
  }

  /** The first row. */
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statements.get<Row>(sql, values);
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statements.all<Row>(sql, values);
  }

  /** Gives the number of rows that were changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#statements.run(sql, values);
  }

  /**
   * Does the work of all units in one transaction. When one of them throws, all are rolled back and each half runs again in
   * a transaction of its own, so that a bad unit spoils no other, and costs few commits. Gives the results, in order, only
   * after the commit. When another process does not give the lock back, all fail: to wait again for each would block the
   * thread so many times as long.
   */
  runBatch<Unit, Value>(units: readonly Unit[], work: (unit: Unit) => Value): EntryResult<Value>[] {
    const results: EntryResult<Value>[] = [];
    this.#runInto(results, units, work);
    return results;
  }

  #runInto<Unit, Value>(results: EntryResult<Value>[], units: readonly Unit[], work: (unit: Unit) => Value): void {
    const before = results.length;
    try {
      this.#transaction(() => {
        for (const unit of units) results.push({ kind: "done", value: work(unit) });
      });
    } catch (thrown) {
      results.length = before;
      if (units.length === 1 || isLocked(thrown)) {
        const error = toStoreError(thrown);
        for (const _ of units) results.push({ kind: "failed", error });
        return;
      }
      const half = Math.ceil(units.length / 2);
      this.#runInto(results, units.slice(0, half), work);
      this.#runInto(results, units.slice(half), work);
    }
  }

  /**
   * Empties the write-ahead log when it is larger than usual, as after a long reader. Never waits: while a reader
   * still needs it, the next call tries again.
   */
  shrinkLog(): void {
    if (logBytes(this.#folder) <= usualLogBytes) return;
    try {
      this.#db.exec("PRAGMA busy_timeout = 0");
      this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Another process checkpoints, or the disk refuses, which the next commit reports.
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    }
  }

  /** A number that changes when another connection, of any process, commits. */
  dataVersion(): number {
    return Number(this.get<{ data_version: number }>("PRAGMA data_version")?.data_version);
  }

  #transaction(work: () => void): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#db.exec("COMMIT");
    } catch (error) {
      // SQLite has rolled back by itself after a full disk or an I/O error.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }
}

/**
 * Writes one state of the database at `source`, that of now, to the new file `target`. Blocks until it is done: for
 * `throughline backup`, in a thread of its own.
 */
export function copyDatabase({ source, target }: { source: string; target: string }): void {
  const db = new DatabaseSync(source, { timeout: busyTimeoutMs });
  try {
    db.prepare("VACUUM INTO ?").run(target);
  } catch (error) {
    throw toStoreError(error);
  } finally {
    db.close();
  }
}

/**
 * Without a write-ahead log no process has the file open, and SQLite would make a log only to read
 * (sqlite.org/wal.html, "Read-Only Databases"): `immutable` prevents that.
 */
export function openReadOnly(path: string): DatabaseSync {
  const url = pathToFileURL(path);
  if (!existsSync(`${path}-wal`)) url.searchParams.set("immutable", "1");
  return new DatabaseSync(url, { readOnly: true });
}

function openFile(path: string): DatabaseSync {
  refuseFolder(path);
  try {
    return new DatabaseSync(path, { timeout: busyTimeoutMs });
  } catch (error) {
    throw toStoreError(error);
  }
}

/** SQLite's own error says only that the path cannot be opened. */
export function refuseFolder(path: string): void {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new TaskError("unavailable", `"${path}" is a folder, not the database file: move it away, or set --data-dir`);
}

function refuseOld(db: DatabaseSync): void {
  const found = String(db.prepare("SELECT sqlite_version() AS version").get()?.version);
  if (found.localeCompare(oldestSqlite, undefined, { numeric: true }) < 0) {
    throw new TaskError("internal", `SQLite ${found} is too old: ${oldestSqlite} or newer is needed`);
  }
}

/** A file system may not have what the log needs; SQLite then leaves the journal mode as it was. */
function refuseUnsafe({ journalMode, synchronous }: Durability): void {
  if (journalMode === "wal" && synchronous === syncFull) return;
  throw new TaskError("internal", `SQLite runs with journal_mode ${journalMode} and synchronous ${synchronous}`);
}

/** Here SQLite waits for no lock: of two connections that open a fresh file at once, it refuses one. */
function useWriteAheadLog(db: DatabaseSync): void {
  const endMs = performance.now() + busyTimeoutMs;
  const isRefused = (): boolean => {
    try {
      db.exec("PRAGMA journal_mode = WAL");
      return false;
    } catch (error) {
      if (!isLocked(error) || performance.now() > endMs) throw error;
      return true;
    }
  };
  const pause = new Int32Array(new SharedArrayBuffer(4));
  while (isRefused()) Atomics.wait(pause, 0, 0, 5);
}

/** Another process holds the lock, and has not given it back in time. */
export class StoreLockedError extends TaskError {}

/** SQLite's result code without its extension (sqlite.org/rescode.html); Deno 2.9 does not tell it of every error. */
function resultCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

const sqliteBusy = 5;

function isLocked(error: unknown): boolean {
  const code = resultCodeOf(error);
  if (code !== undefined) return code === sqliteBusy;
  return error instanceof Error && error.message.includes("database is locked");
}

/** SQLITE_TOOBIG, SQLITE_CONSTRAINT and SQLITE_MISMATCH: values that do not fit the tables. */
const misfitCodes = new Set([18, 19, 20]);
const misfitWords = /constraint failed|cannot store|datatype mismatch|too big/;

function isMisfit(error: Error): boolean {
  const code = resultCodeOf(error);
  return code === undefined ? misfitWords.test(error.message) : misfitCodes.has(code);
}

/** A full disk, a lock, a broken file: `unavailable`, because the call may succeed later. Any other error is `internal`. */
export function toStoreError(error: unknown): TaskError {
  if (error instanceof TaskError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const text = `the store (${databaseFile}) refused: ${message}`;
  if (isLocked(error)) return new StoreLockedError("unavailable", text, { cause: error });
  const isSqlite = error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR";
  return new TaskError(isSqlite && !isMisfit(error) ? "unavailable" : "internal", text, { cause: error });
}
