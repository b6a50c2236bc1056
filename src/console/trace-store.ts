/** Where traces are asked for: the console's own file, or a Jaeger. */

import type { ReceivedSpan } from "../otlp/span.ts";
import type { TraceFilter } from "./trace-filter.ts";

type Answer<T> = T | Promise<T>;

/** Each call throws, or rejects with, `TaskError`. */
export interface TraceStore {
  /** Traces that have a span which fits everything that is asked for. */
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
