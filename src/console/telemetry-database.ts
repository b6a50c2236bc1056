/**
 * The SQLite file of the console: opened, and made anew when it cannot be read. Telemetry may be lost with the machine's
 * power, so commits do not wait for the disk.
 */

import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { PreparedStatements } from "../host/prepared-statements.ts";
import { TaskError } from "../words/errors.ts";

export const telemetryFileName = "telemetry.db";

/** Raised when the tables change; a file of another version is made anew. */
const schemaVersion = 2;

// Keys are random: those of one bucket stand together, so that a step of writing meets a few pages and not all of them.
// No seq comes again (AUTOINCREMENT): keys of a request may outlive it by a bucket.
const schema = `
  CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, received_ms INTEGER NOT NULL, signal TEXT NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE keys (
    bucket INTEGER NOT NULL, key INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (bucket, key, seq)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${schemaVersion};
`;

const busyTimeoutMs = 2000;

/** A log of that size is moved into the file, and its room given back. */
export const maxLogBytes = 1024 * 1024;

export type Statement = readonly [sql: string, ...values: SQLInputValue[]];

/** Called with the reason when a new file replaces one that could not be read. */
export type OnReplaced = (reason: string) => void;

export class TelemetryDatabase {
  #db: DatabaseSync;
  #statements: PreparedStatements;
  readonly #folder: string | undefined;
  readonly #onReplaced: OnReplaced;

  /** Without a folder: in memory. Throws `TaskError` `unavailable` when the file cannot be opened. */
  constructor(folder: string | undefined, onReplaced: OnReplaced) {
    this.#folder = folder;
    this.#onReplaced = onReplaced;
    this.#db = folder === undefined ? openDatabase(":memory:") : openFile(folder, onReplaced);
    this.#statements = new PreparedStatements(this.#db);
  }

  close(): void {
    this.#db.close();
  }

  /** The columns are those of the STRICT tables above. */
  first<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#unlessDamaged(() => this.#statements.get<Row>(sql, values));
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#unlessDamaged(() => this.#statements.all<Row>(sql, values));
  }

  /** One statement after the other, all or none. */
  transact(statements: readonly Statement[]): void {
    this.#unlessDamaged(() => {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        for (const [sql, ...values] of statements) this.#statements.run(sql, values);
        this.#db.exec("COMMIT");
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
      if (this.#logBytes() > maxLogBytes) this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    });
  }

  /** What rows and indexes take, with what is still in the log. */
  usedBytes(): number {
    const pages = this.first<{ page_count: number }>("PRAGMA page_count")?.page_count ?? 0;
    const free = this.first<{ freelist_count: number }>("PRAGMA freelist_count")?.freelist_count ?? 0;
    const size = this.first<{ page_size: number }>("PRAGMA page_size")?.page_size ?? 0;
    return (pages - free) * size + this.#logBytes();
  }

  #logBytes(): number {
    if (this.#folder === undefined) return 0;
    return statSync(join(this.#folder, `${telemetryFileName}-wal`), { throwIfNoEntry: false })?.size ?? 0;
  }

  #unlessDamaged<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw this.#replaceIfDamaged(error);
    }
  }

  /** A damaged file stays damaged: its contents are given up for a new file. Returns the error for the caller. */
  #replaceIfDamaged(error: unknown): unknown {
    if (!isDamage(error) || this.#folder === undefined) return error;
    this.#db.close();
    removeFile(this.#folder);
    this.#db = openFile(this.#folder, this.#onReplaced);
    this.#statements = new PreparedStatements(this.#db);
    this.#onReplaced(error.message);
    const message = "the console's file was damaged: a new one takes its place, without what the old one held";
    return new TaskError("unavailable", message, { cause: error });
  }
}

function openFile(folder: string, onReplaced: OnReplaced): DatabaseSync {
  const path = join(folder, telemetryFileName);
  try {
    mkdirSync(folder, { recursive: true });
    try {
      return openDatabase(path);
    } catch (error) {
      if (!isDamage(error) && !(error instanceof OtherVersion)) throw error;
      // Old telemetry is not worth a start that fails.
      removeFile(folder);
      const fresh = openDatabase(path);
      onReplaced(error.message);
      return fresh;
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TaskError("unavailable", `the console's file "${path}" cannot be opened: ${reason}`, { cause });
  }
}

function removeFile(folder: string): void {
  for (const ending of ["", "-wal", "-shm"]) rmSync(join(folder, `${telemetryFileName}${ending}`), { force: true });
}

class OtherVersion extends Error {}

/** SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org, "Result codes"; the lower byte of an extended one). */
const damageCodes: ReadonlySet<number> = new Set([11, 26]);

function isDamage(error: unknown): error is Error {
  return (
    error instanceof Error &&
    "errcode" in error &&
    typeof error.errcode === "number" &&
    damageCodes.has(error.errcode & 0xff)
  );
}

function openDatabase(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: busyTimeoutMs });
  try {
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
    if (version === 0) db.exec(`BEGIN; ${schema} COMMIT`);
    else if (version !== schemaVersion) throw new OtherVersion(`it is of version ${version}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
