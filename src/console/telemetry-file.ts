/**
 * Spans and log records in one SQLite file, the newest of them: as they came, in chunks, with an index of the traces
 * and tasks that a chunk has something of. The file stays within its limit: chunks go in the order they came, and their
 * room is used again.
 */

import type { Batch } from "./batch.ts";
import { HeldSpan } from "./held-span.ts";
import { itemsOf, type OtlpItem } from "./otlp-item.ts";
import { type ReceivedLog, readLog, traceIdOf } from "./received-log.ts";
import { type ReceivedSpan, readSpan } from "./received-span.ts";
import { fits, type SpanHead } from "./span-head.ts";
import { type OnReplaced, TelemetryDatabase } from "./telemetry-database.ts";
import type { TraceFilter } from "./trace-filter.ts";
import { toKey } from "./trace-key.ts";
import type { TraceSearch, TraceStore, TraceSummary } from "./trace-store.ts";
import { summarize } from "./trace-summary.ts";

/** The largest of what is read of one trace: more is no help to anybody, and must not fill the memory. */
export const maxTraceSpans = 20_000;
export const maxTraceLogs = 20_000;

/** Of one trace or task, and bytes of them that one question reads: what is beyond is left out, as above. */
const maxChunks = 10_000;
const maxReadBytes = 256 * 1024 * 1024;

/** Traces of one task: an attempt may have its own, and so has every redrive. */
const maxTaskTraces = 1000;

/** How many of the newest spans a search without an id looks at. */
export const maxScannedSpans = 500_000;

export interface FileLimits {
  /** What came earlier goes. */
  retentionMs: number;
  maxBytes: number;
}

/** What goes at once: little, so that nobody waits for long. */
const pruneChunks = 200;
const pruneBytes = 4 * 1024 * 1024;

export class TelemetryFile implements TraceStore {
  readonly #database: TelemetryDatabase;

  /** Without a folder: in memory. Throws `TaskError` `unavailable` when the file cannot be opened. */
  constructor(folder: string | undefined, onReplaced: OnReplaced = () => {}) {
    this.#database = new TelemetryDatabase(folder, onReplaced);
  }

  close(): void {
    this.#database.close();
  }

  /** As one chunk. */
  add(batches: readonly Batch[], nowMs: number): void {
    const keys = JSON.stringify([...new Set(batches.flatMap((batch) => [...batch.keys]))].sort((a, b) => a - b));
    const joined = (signal: Batch["signal"]): Buffer =>
      Buffer.concat(batches.filter((batch) => batch.signal === signal).map(({ request }) => request));
    this.#database.transact([
      [
        "INSERT INTO chunks (received_ms, spans, logs, keys) VALUES (?, ?, ?, ?)",
        Math.floor(nowMs),
        joined("spans"),
        joined("logs"),
        keys,
      ],
      ["INSERT INTO keys SELECT value, (SELECT max(seq) FROM chunks) FROM json_each(?)", keys],
    ]);
  }

  /** Removes some of what is too old, or came first when there is too much; true when there is more to remove. */
  prune({ retentionMs, maxBytes }: FileLimits, nowMs: number): boolean {
    const oldest = Math.floor(nowMs - retentionMs);
    const isOver = this.usedBytes() > maxBytes;
    const heads = this.#database.all<{ seq: number; received_ms: number; bytes: number }>(
      "SELECT seq, received_ms, length(spans) + length(logs) AS bytes FROM chunks ORDER BY seq LIMIT ?",
      pruneChunks,
    );
    let bytes = 0;
    const going = heads.filter((head, at) => {
      const goes = (isOver || head.received_ms < oldest) && (at === 0 || bytes < pruneBytes);
      if (goes) bytes += head.bytes;
      return goes;
    });
    const last = going.at(-1);
    if (!last) return false;
    this.#database.transact([
      [
        "DELETE FROM keys WHERE (key, chunk) IN (SELECT value, seq FROM chunks, json_each(chunks.keys) WHERE seq <= ?)",
        last.seq,
      ],
      ["DELETE FROM chunks WHERE seq <= ?", last.seq],
    ]);
    return true;
  }

  isEmpty(): boolean {
    return this.#database.first("SELECT 1 FROM chunks") === undefined;
  }

  usedBytes(): number {
    return this.#database.usedBytes();
  }

  /** In the order they came. */
  spansOf(traceId: string): ReceivedSpan[] {
    const isOfTrace = (item: OtlpItem): boolean => new HeldSpan(item).traceId === traceId;
    return take(this.#under(keyOfTrace(traceId), "spans"), isOfTrace, maxTraceSpans).map(readSpan);
  }

  logsOf(traceId: string): ReceivedLog[] {
    const isOfTrace = (item: OtlpItem): boolean => traceIdOf(item) === traceId;
    return take(this.#under(keyOfTrace(traceId), "logs"), isOfTrace, maxTraceLogs).map(readLog);
  }

  /** Traces that have a span of this task: a look into an index, however much there is. */
  traceIdsOf(taskId: string): string[] {
    const ids = new Set<string>();
    for (const item of this.#under(keyOfTask(taskId), "spans")) {
      const span = new HeldSpan(item);
      if (span.taskId === taskId) ids.add(span.traceId);
      if (ids.size === maxTaskTraces) break;
    }
    return [...ids];
  }

  /** Traces that have a span which fits everything that is asked for. */
  search(filter: TraceFilter): TraceSearch {
    const ids = new Set<string>();
    let scanned = 0;
    const isEnough = (): boolean => ids.size >= filter.limit || scanned >= maxScannedSpans;
    for (const spans of filter.taskId === undefined ? this.#newest() : this.#newestOf(filter.taskId)) {
      for (const item of itemsOf(spans).reverse()) {
        if (isEnough()) break;
        scanned += 1;
        const span = new HeldSpan(item);
        if (fits(span, filter)) ids.add(span.traceId);
      }
      if (isEnough()) return { traces: this.#summaries(ids), isComplete: ids.size >= filter.limit };
    }
    return { traces: this.#summaries(ids), isComplete: true };
  }

  /** In the order of the ids. */
  #summaries(traceIds: ReadonlySet<string>): TraceSummary[] {
    const heads = new Map<string, SpanHead[]>([...traceIds].map((id) => [id, []]));
    const seqs = new Set([...traceIds].flatMap((id) => this.#seqsUnder(keyOfTrace(id))));
    for (const item of this.#itemsIn(
      [...seqs].sort((a, b) => a - b),
      "spans",
    )) {
      const span = new HeldSpan(item);
      const own = heads.get(span.traceId);
      if (own && own.length < maxTraceSpans) own.push(span);
    }
    return [...heads.values()].flatMap((own) => summarize(own) ?? []);
  }

  /** Of all chunks, the newest first. */
  *#newest(): Generator<Uint8Array> {
    let seq = Number.MAX_SAFE_INTEGER;
    for (;;) {
      const sql = "SELECT seq, spans AS bytes FROM chunks WHERE seq < ? ORDER BY seq DESC LIMIT 1";
      const chunk = this.#database.first<{ seq: number; bytes: Uint8Array }>(sql, seq);
      if (!chunk) return;
      seq = chunk.seq;
      yield chunk.bytes;
    }
  }

  *#newestOf(taskId: string): Generator<Uint8Array> {
    for (const seq of this.#seqsUnder(keyOfTask(taskId)).reverse()) yield this.#bytes(seq, "spans");
  }

  #under(key: number, signal: Batch["signal"]): Generator<OtlpItem> {
    return this.#itemsIn(this.#seqsUnder(key), signal);
  }

  *#itemsIn(seqs: readonly number[], signal: Batch["signal"]): Generator<OtlpItem> {
    let read = 0;
    for (const seq of seqs) {
      const bytes = this.#bytes(seq, signal);
      read += bytes.length;
      if (read > maxReadBytes) return;
      yield* itemsOf(bytes);
    }
  }

  /** Of the chunks that have something under this key, the oldest first. */
  #seqsUnder(key: number): number[] {
    const sql = "SELECT chunk FROM keys WHERE key = ? ORDER BY chunk LIMIT ?";
    return this.#database.all<{ chunk: number }>(sql, key, maxChunks).map(({ chunk }) => chunk);
  }

  #bytes(seq: number, signal: Batch["signal"]): Uint8Array {
    const sql = `SELECT ${signal} AS bytes FROM chunks WHERE seq = ?`;
    return this.#database.first<{ bytes: Uint8Array }>(sql, seq)?.bytes ?? new Uint8Array();
  }
}

function take<Item>(items: Iterable<Item>, isWanted: (item: Item) => boolean, most: number): Item[] {
  const taken: Item[] = [];
  for (const item of items) {
    if (isWanted(item)) taken.push(item);
    if (taken.length === most) break;
  }
  return taken;
}

/** A Jaeger's ids may be shorter, and have nothing here. */
function keyOfTrace(traceId: string): number {
  return toKey(/^(?:[0-9a-f]{2})*$/.test(traceId) ? Uint8Array.fromHex(traceId) : new Uint8Array());
}

function keyOfTask(taskId: string): number {
  return toKey(new TextEncoder().encode(taskId));
}
