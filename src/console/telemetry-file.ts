/**
 * Spans and log records in one SQLite file, the newest of them: export requests as they came, with an index of the
 * traces and tasks that each has something of. The file stays within its limit: requests go in the order they came, and
 * their room is used again.
 */

import { type ReceivedLog, readLog, traceIdOf } from "../otlp/log.ts";
import { itemsOf, type OtlpItem } from "../otlp/request.ts";
import { type ReceivedSpan, readSpan } from "../otlp/span.ts";
import { type Batch, toKey } from "./batch.ts";
import { fits, HeldSpan, type SpanHead, summarize } from "./span-head.ts";
import { type OnReplaced, type Statement, TelemetryDatabase } from "./telemetry-database.ts";
import type { TraceFilter, TraceSearch, TraceStore, TraceSummary } from "./trace-search.ts";

/** The most that is read of one trace: more is of no use, and must not fill the memory. */
export const maxTraceSpans = 20_000;
export const maxTraceLogs = 20_000;

/** Of one trace or task, and bytes of them that one question reads: what is beyond is left out, as above. */
const maxRequests = 20_000;
const maxReadBytes = 256 * 1024 * 1024;

/** Traces of one task: an attempt may have its own, and so has every redrive. */
const maxTaskTraces = 1000;

/** How many of the newest spans a search without an id looks at. */
const maxScannedSpans = 500_000;

/** So many requests, one after the other, have their keys in one bucket. */
const bucketRequests = 256;

export interface FileLimits {
  /** What came earlier goes. */
  retentionMs: number;
  maxBytes: number;
}

/** What is removed at once: little, so that queries do not wait for long; and of a small file, not all of it. */
const pruneRequests = 200;
const pruneBytes = 4 * 1024 * 1024;
const prunePart = 1 / 16;

export class TelemetryFile implements TraceStore {
  readonly #database: TelemetryDatabase;

  /** Without a folder: in memory. Throws `TaskError` `unavailable` when the file cannot be opened. */
  constructor(folder: string | undefined, onReplaced: OnReplaced = () => {}) {
    this.#database = new TelemetryDatabase(folder, onReplaced);
  }

  close(): void {
    this.#database.close();
  }

  /** All or none. */
  add(batches: readonly Batch[], nowMs: number): void {
    this.#database.transact(
      batches.flatMap(({ signal, request, keys }): Statement[] => [
        ["INSERT INTO requests (received_ms, signal, body) VALUES (?, ?, ?)", Math.floor(nowMs), signal, request],
        [
          `INSERT INTO keys SELECT seq / ${bucketRequests}, value, seq FROM json_each(?), (SELECT max(seq) AS seq FROM requests)`,
          JSON.stringify([...keys]),
        ],
      ]),
    );
  }

  /** Removes some of what is too old, or came first when there is too much; true when there is more to remove. */
  prune({ retentionMs, maxBytes }: FileLimits, nowMs: number): boolean {
    const oldest = Math.floor(nowMs - retentionMs);
    const isOver = this.usedBytes() > maxBytes;
    const most = Math.min(pruneBytes, maxBytes * prunePart);
    const heads = this.#database.all<{ seq: number; received_ms: number; bytes: number }>(
      "SELECT seq, received_ms, length(body) AS bytes FROM requests ORDER BY seq LIMIT ?",
      pruneRequests,
    );
    let bytes = 0;
    let last: number | undefined;
    for (const head of heads) {
      if (!(isOver || head.received_ms < oldest) || bytes > most) break;
      bytes += head.bytes;
      last = head.seq;
    }
    if (last === undefined) return false;
    this.#database.transact([
      ["DELETE FROM requests WHERE seq <= ?", last],
      // Those of a bucket that is not over yet lead nowhere meanwhile.
      ["DELETE FROM keys WHERE bucket < ?", Math.floor(last / bucketRequests)],
    ]);
    return true;
  }

  isEmpty(): boolean {
    return this.#database.first("SELECT 1 FROM requests") === undefined;
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

  /** Traces that have a span which fits the filter. */
  async search(filter: TraceFilter): Promise<TraceSearch> {
    const turns = new Turns();
    const ids = new Set<string>();
    let scanned = 0;
    const isEnough = (): boolean => ids.size >= filter.limit || scanned >= maxScannedSpans;
    for (const spans of filter.taskId === undefined ? this.#newest() : this.#newestOf(filter.taskId)) {
      for (const item of itemsOf(spans).reverse()) {
        if (isEnough()) break;
        if (turns.isOver()) await turns.next();
        scanned += 1;
        const span = new HeldSpan(item);
        if (fits(span, filter)) ids.add(span.traceId);
      }
      if (isEnough()) break;
    }
    const traces = await this.#summaries(ids, turns);
    // What is too much to be read is missing, too.
    const isWhole = scanned < maxScannedSpans && traces.length === ids.size;
    return { traces, isComplete: isWhole || traces.length >= filter.limit };
  }

  /** In the order of the ids. */
  async #summaries(traceIds: ReadonlySet<string>, turns: Turns): Promise<TraceSummary[]> {
    const heads = new Map<string, SpanHead[]>([...traceIds].map((id) => [id, []]));
    const seqs = new Set([...traceIds].flatMap((id) => this.#seqsUnder(keyOfTrace(id), "spans")));
    for (const item of this.#itemsIn([...seqs].sort((a, b) => a - b))) {
      if (turns.isOver()) await turns.next();
      const span = new HeldSpan(item);
      const own = heads.get(span.traceId);
      if (own && own.length < maxTraceSpans) own.push(span);
    }
    return [...heads.values()].flatMap((own) => summarize(own) ?? []);
  }

  /** Of all requests, the newest first. */
  *#newest(): Generator<Uint8Array> {
    let seq = Number.MAX_SAFE_INTEGER;
    for (;;) {
      const sql = "SELECT seq, body FROM requests WHERE seq < ? AND signal = 'spans' ORDER BY seq DESC LIMIT 1";
      const request = this.#database.first<{ seq: number; body: Uint8Array }>(sql, seq);
      if (!request) return;
      seq = request.seq;
      yield request.body;
    }
  }

  *#newestOf(taskId: string): Generator<Uint8Array> {
    for (const seq of this.#seqsUnder(keyOfTask(taskId), "spans").reverse()) yield this.#request(seq);
  }

  #under(key: number, signal: Batch["signal"]): Generator<OtlpItem> {
    return this.#itemsIn(this.#seqsUnder(key, signal));
  }

  *#itemsIn(seqs: readonly number[]): Generator<OtlpItem> {
    let read = 0;
    for (const seq of seqs) {
      const request = this.#request(seq);
      read += request.length;
      if (read > maxReadBytes) return;
      yield* itemsOf(request);
    }
  }

  /** Of the requests that have something under this key, in the order they came. */
  #seqsUnder(key: number, signal: Batch["signal"]): number[] {
    const sql = `
      WITH RECURSIVE buckets (bucket) AS (
        SELECT min(bucket) FROM keys
        UNION ALL SELECT bucket + 1 FROM buckets WHERE bucket < (SELECT max(bucket) FROM keys)
      )
      SELECT requests.seq FROM buckets CROSS JOIN keys USING (bucket) CROSS JOIN requests USING (seq)
      WHERE key = ? AND signal = ? ORDER BY requests.seq LIMIT ?`;
    return this.#database.all<{ seq: number }>(sql, key, signal, maxRequests).map(({ seq }) => seq);
  }

  #request(seq: number): Uint8Array {
    const sql = "SELECT body FROM requests WHERE seq = ?";
    return this.#database.first<{ body: Uint8Array }>(sql, seq)?.body ?? new Uint8Array();
  }
}

/** A search may look at half a million spans: what else the thread does has its turn meanwhile. */
const turnMs = 10;

class Turns {
  #startMs = performance.now();

  isOver(): boolean {
    return performance.now() - this.#startMs > turnMs;
  }

  async next(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#startMs = performance.now();
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
