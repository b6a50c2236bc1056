/**
 * What one export request brought, as it is kept: its own bytes, and the keys under which they are found; and the queue
 * in which such batches wait to be written. Only a request with something in it that is not kept, or not whole, is
 * written anew.
 */

import type { DescMessage } from "@bufbuild/protobuf";
import { ExportLogsServiceRequestSchema } from "../gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { ExportTraceServiceRequestSchema } from "../gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { type OtlpJson, toOtlpJson } from "../otlp/json.ts";
import { readLog, traceIdAtOf } from "../otlp/log.ts";
import type { Range } from "../otlp/protobuf.ts";
import { itemsOf, type OtlpItem, toProtobuf } from "../otlp/request.ts";
import { readSpan } from "../otlp/span.ts";
import { cutTexts, roomySize } from "../otlp/values.ts";
import { HeldSpan } from "./span-head.ts";

export interface Batch {
  signal: "spans" | "logs";
  /** In protobuf, well formed. */
  request: Uint8Array;
  /** Spans or log records in it. */
  items: number;
  /** Of the traces and the tasks that they belong to. */
  keys: ReadonlySet<number>;
}

/** How many of a request are not kept, by the reason. */
interface Refused {
  no_ids: number;
  too_large: number;
}

export interface Taken {
  batch: Batch;
  refused: Refused;
}

const nothing: Refused = { no_ids: 0, too_large: 0 };

/** `request`: an `ExportTraceServiceRequest`, well formed. */
export function takeSpans(request: Uint8Array): Taken {
  const spans = spansOf(request);
  // Without ids it belongs to no trace and cannot be found.
  const whole = spans.filter(
    ({ traceIdAt, spanIdAt }) => isId(request, traceIdAt, traceIdBytes) && isId(request, spanIdAt, spanIdBytes),
  );
  if (whole.length === spans.length && spans.every(({ item }) => isUsual(item))) {
    return { batch: spanBatch(request, spans), refused: nothing };
  }
  const kept = whole.flatMap(({ item }) => cutTexts(readSpan(item)) ?? []);
  const anew = encode(ExportTraceServiceRequestSchema, toOtlpJson(kept, []));
  const refused = { no_ids: spans.length - whole.length, too_large: whole.length - kept.length };
  return { batch: spanBatch(anew, spansOf(anew)), refused };
}

function spansOf(request: Uint8Array): HeldSpan[] {
  return itemsOf(request).map((item) => new HeldSpan(item));
}

function spanBatch(request: Uint8Array, spans: readonly HeldSpan[]): Batch {
  const keys = spans.flatMap(({ traceIdAt, taskIdAt }) => [keyAt(request, traceIdAt), keyAt(request, taskIdAt)]);
  return { signal: "spans", request, items: spans.length, keys: present(keys) };
}

/** `request`: an `ExportLogsServiceRequest`, well formed. A record that is of no trace is kept too. */
export function takeLogs(request: Uint8Array): Taken {
  const records = itemsOf(request);
  if (records.every(isUsual)) return { batch: logBatch(request, records), refused: nothing };
  const kept = records.flatMap((item) => cutTexts(readLog(item)) ?? []);
  const anew = encode(ExportLogsServiceRequestSchema, toOtlpJson([], kept));
  return { batch: logBatch(anew, itemsOf(anew)), refused: { no_ids: 0, too_large: records.length - kept.length } };
}

function logBatch(request: Uint8Array, records: readonly OtlpItem[]): Batch {
  const keys = records.map((record) => keyAt(request, traceIdAtOf(record)));
  return { signal: "logs", request, items: records.length, keys: present(keys) };
}

/** trace.proto: what has another length, or is all zero, is no id. */
const traceIdBytes = 16;
const spanIdBytes = 8;

function isId(request: Uint8Array, at: Range | undefined, length: number): boolean {
  if (at === undefined || at.end - at.start !== length) return false;
  for (let position = at.start; position < at.end; position++) if (request[position] !== 0) return true;
  return false;
}

/** Not so large that it has to be looked at. */
function isUsual({ start, end }: Range): boolean {
  return end - start <= roomySize;
}

function keyAt(bytes: Uint8Array, at: Range | undefined): number | undefined {
  return at && toKey(bytes, at.start, at.end);
}

function present(keys: readonly (number | undefined)[]): ReadonlySet<number> {
  return new Set(keys.filter((key) => key !== undefined));
}

function encode(schema: DescMessage, items: OtlpJson): Uint8Array {
  return toProtobuf(schema, { encoding: "json", bytes: new TextEncoder().encode(JSON.stringify(items)) });
}

/**
 * The key under which the file finds a trace or a task: a number of 53 bits, so that an index of many millions stays
 * small. Two ids may have the same one: what is found is compared. Two mixes of 32 bits (MurmurHash3's finalizer, Austin Appleby).
 */
export function toKey(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let low = 0x9e3779b9;
  let high = 0x85ebca6b;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    low = Math.imul(low ^ byte, 0x85ebca6b);
    high = Math.imul(high ^ byte, 0xc2b2ae35);
  }
  return (mix(high) & 0x1fffff) * 2 ** 32 + (mix(low ^ high) >>> 0);
}

function mix(value: number): number {
  const first = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return second ^ (second >>> 16);
}

export interface QueueLimits {
  /** Spans and log records. */
  items: number;
  bytes: number;
}

/** Batches that wait to be written: bounded by number and by size, so that neither many nor large requests fill the memory. */
interface IntakeQueue {
  /** False: there is no room, and it was not added. The last one may go beyond the limits. */
  push(batch: Batch): boolean;
  /** The oldest, as many as both limits allow, but one at least if there is any. */
  next(limits: QueueLimits): Batch[];
  /** So many of the oldest. */
  remove(count: number): void;
  /** Spans and log records. */
  items(): number;
  isFull(): boolean;
}

export function createIntakeQueue(limits: QueueLimits): IntakeQueue {
  const waiting: Batch[] = [];
  let items = 0;
  let bytes = 0;
  const isFull = (): boolean => items >= limits.items || bytes >= limits.bytes;

  return {
    push: (batch) => {
      if (isFull()) return false;
      waiting.push(batch);
      items += batch.items;
      bytes += batch.request.length;
      return true;
    },
    next: (most) => {
      const chosen: Batch[] = [];
      const sum: QueueLimits = { items: 0, bytes: 0 };
      for (const batch of waiting) {
        sum.items += batch.items;
        sum.bytes += batch.request.length;
        if (chosen.length > 0 && (sum.items > most.items || sum.bytes > most.bytes)) break;
        chosen.push(batch);
      }
      return chosen;
    },
    remove: (count) => {
      for (const batch of waiting.splice(0, count)) {
        items -= batch.items;
        bytes -= batch.request.length;
      }
    },
    items: () => items,
    isFull,
  };
}
