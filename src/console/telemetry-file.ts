/**
 * Spans and log records in one SQLite file, the newest of them. Telemetry may be lost with the machine's power, so
 * commits do not wait for the disk; a file that cannot be read is made anew. The file stays within its limit: rows go
 * in the order they came, and their room is used again.
 */

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { TaskError } from "../errors.ts";
import { type Document, toDocument } from "./document.ts";
import type { ReceivedLog } from "./received-log.ts";
import type { ReceivedSpan } from "./received-span.ts";
import { taskIdOf } from "./task-trace.ts";
import { type TraceFilter, toFilterSql } from "./trace-filter.ts";
import type { TraceSearch, TraceStore, TraceSummary } from "./trace-store.ts";

export const telemetryFileName = "telemetry.db";

/** Raised when the tables change; a file of another version is made anew. */
const schemaVersion = 1;

const busyTimeoutMs = 2000;

const schema = `
  CREATE TABLE spans (
    seq INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, trace_id TEXT NOT NULL, task_id TEXT,
    service TEXT NOT NULL, name TEXT NOT NULL, start_ms REAL NOT NULL, duration_ms REAL NOT NULL,
    is_error INTEGER NOT NULL, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX spans_by_trace ON spans (trace_id);
  CREATE INDEX spans_by_task ON spans (task_id, trace_id) WHERE task_id IS NOT NULL;
  CREATE TABLE logs (
    seq INTEGER PRIMARY KEY, received_ms INTEGER NOT NULL, trace_id TEXT, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX logs_by_trace ON logs (trace_id) WHERE trace_id IS NOT NULL;
  PRAGMA user_version = ${schemaVersion};
`;

/** The largest of what is read of one trace: more is no help to anybody, and must not fill the memory. */
export const maxTraceSpans = 20_000;
export const maxTraceLogs = 20_000;

/** Of one question: what is beyond is left out, as above. */
const maxReadChars = 64 * 1024 * 1024;

/** Traces of one task: an attempt may have its own, and so has every redrive. */
const maxTaskTraces = 1000;

/** How many of the newest spans a search without an id looks at. */
export const maxScannedSpans = 500_000;

export interface FileLimits {
  /** Rows that came earlier go. */
  retentionMs: number;
  maxBytes: number;
}

/** A batch of rows to go: small, so that nobody waits for long. */
const pruneRows = 500;

/** Told why a file that could not be read has given way to a new one. */
export type OnReplaced = (reason: string) => void;

export class TelemetryFile implements TraceStore {
  #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #folder: string | undefined;
  readonly #onReplaced: OnReplaced;

  /** Without a folder: in memory. Throws `TaskError` `unavailable` when the file cannot be opened. */
  constructor(folder: string | undefined, onReplaced: OnReplaced = () => {}) {
    this.#folder = folder;
    this.#onReplaced = onReplaced;
    this.#db = folder === undefined ? openDatabase(":memory:") : openFile(folder, onReplaced);
  }

  close(): void {
    this.#db.close();
  }

  /** One transaction. Gives how many were too large to be kept. */
  add(spans: readonly ReceivedSpan[], logs: readonly ReceivedLog[], nowMs: number): { spans: number; logs: number } {
    const tooLarge = { spans: 0, logs: 0 };
    this.#unlessDamaged(() => this.#db.exec("BEGIN IMMEDIATE"));
    try {
      for (const span of spans) {
        const document = toDocument(span);
        if (document) this.#addSpan(document, nowMs);
        else tooLarge.spans += 1;
      }
      for (const log of logs) {
        const document = toDocument(log);
        if (document) this.#addLog(document, nowMs);
        else tooLarge.logs += 1;
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw this.#replaceIfDamaged(error);
    }
    return tooLarge;
  }

  #addSpan({ json, item: span }: Document<ReceivedSpan>, nowMs: number): void {
    this.#prepared(
      "INSERT INTO spans (received_ms, trace_id, task_id, service, name, start_ms, duration_ms, is_error, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ).run(
      Math.floor(nowMs),
      span.traceId,
      taskIdOf(span.attributes) ?? null,
      span.service,
      span.name,
      span.startMs,
      Math.max(0, span.endMs - span.startMs),
      span.status.code === "ERROR" ? 1 : 0,
      json,
    );
  }

  #addLog({ json, item: log }: Document<ReceivedLog>, nowMs: number): void {
    this.#prepared("INSERT INTO logs (received_ms, trace_id, document) VALUES (?, ?, ?)").run(
      Math.floor(nowMs),
      log.traceId ?? null,
      json,
    );
  }

  /** Removes some of what is too old or too much; true when there is more to remove. */
  prune({ retentionMs, maxBytes }: FileLimits, nowMs: number): boolean {
    const oldest = Math.floor(nowMs - retentionMs);
    // What came first goes first, span or log.
    const heads = { spans: this.#oldestMs("spans"), logs: this.#oldestMs("logs") };
    const table = heads.spans <= heads.logs ? "spans" : "logs";
    if (heads[table] === Number.POSITIVE_INFINITY) return false;
    if (heads[table] >= oldest && this.usedBytes() <= maxBytes) return false;
    const before = heads[table] < oldest ? oldest : Number.MAX_SAFE_INTEGER;
    const rows = `SELECT seq, received_ms FROM ${table} ORDER BY seq LIMIT ${pruneRows}`;
    const remove = `DELETE FROM ${table} WHERE seq IN (SELECT seq FROM (${rows}) WHERE received_ms < ?)`;
    this.#unlessDamaged(() => this.#prepared(remove).run(before));
    return true;
  }

  /** Infinity of an empty table. */
  #oldestMs(table: "spans" | "logs"): number {
    const sql = `SELECT received_ms FROM ${table} ORDER BY seq LIMIT 1`;
    return this.#first<{ received_ms: number }>(sql)?.received_ms ?? Number.POSITIVE_INFINITY;
  }

  /** Bytes that rows and indexes take; the file itself may be larger by what was removed and is not used again yet. */
  usedBytes(): number {
    const pages = this.#first<{ page_count: number }>("PRAGMA page_count")?.page_count ?? 0;
    const free = this.#first<{ freelist_count: number }>("PRAGMA freelist_count")?.freelist_count ?? 0;
    const size = this.#first<{ page_size: number }>("PRAGMA page_size")?.page_size ?? 0;
    return (pages - free) * size;
  }

  /** In the order they came. */
  spansOf(traceId: string): ReceivedSpan[] {
    return this.#documents(
      "SELECT document FROM spans WHERE trace_id = ? ORDER BY seq LIMIT ?",
      traceId,
      maxTraceSpans,
    );
  }

  logsOf(traceId: string): ReceivedLog[] {
    return this.#documents("SELECT document FROM logs WHERE trace_id = ? ORDER BY seq LIMIT ?", traceId, maxTraceLogs);
  }

  /** Traces that have a span of this task: a look into an index, however much there is. */
  traceIdsOf(taskId: string): string[] {
    const sql = "SELECT DISTINCT trace_id FROM spans WHERE task_id = ? LIMIT ?";
    return this.#all<{ trace_id: string }>(sql, taskId, maxTaskTraces).map((row) => row.trace_id);
  }

  /** Traces that have a span which fits everything that is asked for. */
  search(filter: TraceFilter): TraceSearch {
    const { where, values } = toFilterSql(filter);
    const newest = this.#first<{ seq: number | null }>("SELECT max(seq) AS seq FROM spans")?.seq ?? 0;
    const first = this.#first<{ seq: number | null }>("SELECT min(seq) AS seq FROM spans")?.seq ?? 0;
    // A task's spans are found by their index, so they need no limit.
    const from = filter.taskId === undefined ? newest - maxScannedSpans : 0;
    const ids = new Set<string>();
    const sql = `SELECT trace_id FROM spans WHERE ${["seq > ?", ...where].join(" AND ")} ORDER BY seq DESC`;
    this.#unlessDamaged(() => {
      for (const row of this.#prepared(sql).iterate(from, ...values)) {
        ids.add(String(row.trace_id));
        if (ids.size >= filter.limit) break;
      }
    });
    const traces = [...ids].flatMap((id) => this.#summary(id) ?? []);
    return { traces, isComplete: first > from || ids.size >= filter.limit };
  }

  #summary(traceId: string): TraceSummary | undefined {
    const row = this.#first<{ start_ms: number | null; end_ms: number; spans: number; errors: number }>(
      "SELECT min(start_ms) AS start_ms, max(start_ms + duration_ms) AS end_ms, count(*) AS spans, sum(is_error) AS errors FROM (SELECT start_ms, duration_ms, is_error FROM spans WHERE trace_id = ? LIMIT ?)",
      traceId,
      maxTraceSpans,
    );
    const root = this.#first<{ service: string; name: string }>(
      "SELECT service, name FROM spans WHERE trace_id = ? ORDER BY start_ms, seq LIMIT 1",
      traceId,
    );
    if (!row || row.start_ms === null || !root) return undefined;
    const services = this.#all<{ service: string }>(
      "SELECT DISTINCT service FROM spans WHERE trace_id = ? ORDER BY service LIMIT 100",
      traceId,
    );
    const tasks = this.#all<{ task_id: string }>(
      "SELECT DISTINCT task_id FROM spans WHERE trace_id = ? AND task_id IS NOT NULL LIMIT 100",
      traceId,
    );
    return {
      traceId,
      startMs: row.start_ms,
      endMs: row.end_ms,
      spans: row.spans,
      errors: row.errors,
      ...root,
      services: services.map(({ service }) => service),
      taskIds: tasks.map((task) => task.task_id),
    };
  }

  /** Written by `JSON.stringify` of the same type; a field that was undefined is not there. */
  #documents<Kept>(sql: string, ...values: SQLInputValue[]): Kept[] {
    const kept: Kept[] = [];
    let chars = 0;
    this.#unlessDamaged(() => {
      for (const row of this.#prepared(sql).iterate(...values)) {
        const document = String(row.document);
        chars += document.length;
        if (chars > maxReadChars) break;
        kept.push(JSON.parse(document));
      }
    });
    return kept;
  }

  /** The columns are those of the STRICT tables above. */
  #first<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#unlessDamaged(() => this.#prepared(sql).get(...values)) as unknown as Row | undefined;
  }

  #all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#unlessDamaged(() => this.#prepared(sql).all(...values)) as unknown as Row[];
  }

  #unlessDamaged<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw this.#replaceIfDamaged(error);
    }
  }

  /** A damaged file is no better the next time: what it held is given up, and what to tell the asker is given. */
  #replaceIfDamaged(error: unknown): unknown {
    if (!isDamage(error) || this.#folder === undefined) return error;
    this.#statements.clear();
    this.#db.close();
    removeFile(this.#folder);
    this.#db = openFile(this.#folder, this.#onReplaced);
    this.#onReplaced(error.message);
    const message = "the console's file was damaged: a new one takes its place, without what the old one held";
    return new TaskError("unavailable", message, { cause: error });
  }

  /** The texts are those of this file and of the filter: a few dozen. */
  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
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
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA journal_size_limit = 4194304");
    const version = Number(db.prepare("PRAGMA user_version").get()?.user_version);
    if (version === 0) db.exec(`BEGIN; ${schema} COMMIT`);
    else if (version !== schemaVersion) throw new OtherVersion(`it is of version ${version}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
