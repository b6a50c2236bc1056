/** A search for traces: where they are looked for, the console's own file or a Jaeger, and the filter in the query. */

import type { ReceivedSpan } from "../otlp/span.ts";
import { flag, integer, type Parse, parseDuration } from "../settings/parsers.ts";
import { cutText } from "../telemetry/spans/attributes.ts";
import { TaskError } from "../words/errors.ts";
import { canonicalId } from "../words/task-id.ts";
import { parseQueryTime } from "../words/time-text.ts";

type Answer<T> = T | Promise<T>;

/** Each call throws, or rejects with, `TaskError`. */
export interface TraceStore {
  /** Traces that have a span which fits the filter. */
  search(filter: TraceFilter): Answer<TraceSearch>;
  /** None when the trace is not known. */
  spansOf(traceId: string): Answer<ReceivedSpan[]>;
  /** Traces that have a span of this task. */
  traceIdsOf(taskId: string): Answer<string[]>;
}

/** What is known of a trace without reading it. Times are milliseconds since the epoch, with a fraction. */
export interface TraceSummary {
  traceId: string;
  startMs: number;
  endMs: number;
  spans: number;
  errors: number;
  /** Of its earliest span. */
  service: string;
  name: string;
  services: string[];
  taskIds: string[];
}

export interface TraceSearch {
  /** The newest first. */
  traces: TraceSummary[];
  /** False when older spans are there that were not looked at. */
  isComplete: boolean;
}

/** One span of the trace has to fit all that is given. */
export interface TraceFilter {
  service?: string;
  /** The span's name. */
  operation?: string;
  taskId?: string;
  isError?: boolean;
  minDurationMs?: number;
  attribute?: { key: string; value: string };
  /** False: not those of Throughline itself that are of no task, as idle calls to the broker. */
  housekeeping?: boolean;
  /** Milliseconds since the epoch. */
  sinceMs?: number;
  untilMs?: number;
  /** Traces at most. */
  limit: number;
}

const usualLimit = 20;
const maxLimit = 200;

/** `since` and `until` are times, or how long ago; `nowMs` is what it counts from. Throws `invalid_argument`. */
export function parseTraceFilter(query: URLSearchParams, nowMs: number): TraceFilter {
  const read: Record<string, (text: string) => Partial<TraceFilter>> = {
    service: (text) => ({ service: filled(text) }),
    operation: (text) => ({ operation: filled(text) }),
    task_id: (text) => ({ taskId: canonicalId(filled(text)) }),
    error: (text) => ({ isError: flag(text) }),
    min_duration: (text) => ({ minDurationMs: parseDuration(text) }),
    attribute: (text) => ({ attribute: parseAttribute(text) }),
    housekeeping: (text) => ({ housekeeping: flag(text) }),
    since: (text) => ({ sinceMs: parseMoment(text, nowMs) }),
    until: (text) => ({ untilMs: parseMoment(text, nowMs) }),
    limit: (text) => ({ limit: integer(1, maxLimit)(text) }),
  };
  const filter: TraceFilter = { limit: usualLimit };
  const seen = new Set<string>();
  for (const [name, text] of query) {
    const reader = Object.hasOwn(read, name) ? read[name] : undefined;
    if (!reader) throw new TaskError("invalid_argument", `unknown query parameter "${cutText(name)}"`);
    if (seen.has(name)) {
      throw new TaskError("invalid_argument", `the query parameter "${cutText(name)}" is there more than once`);
    }
    seen.add(name);
    try {
      Object.assign(filter, reader(text));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TaskError("invalid_argument", `${name}: "${cutText(text)}": ${reason}`, { cause });
    }
  }
  return filter;
}

const filled: Parse<string> = (text) => {
  if (text === "") throw new Error("expected a text");
  return text;
};

function parseAttribute(text: string): { key: string; value: string } {
  const match = /^([^=]{1,200})=(.*)$/s.exec(text);
  if (!match) throw new Error("expected key=value");
  const [, key = "", value = ""] = match;
  return { key, value };
}

function parseMoment(text: string, nowMs: number): number {
  if (/^\d{4}-/.test(text)) return parseQueryTime(text);
  try {
    return nowMs - parseDuration(text);
  } catch {
    throw new Error("expected a time such as 2026-01-31T08:00:00Z, or how long ago, such as 15m");
  }
}
