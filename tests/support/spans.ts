/** Spans as they would have been received, for tests of what draws them. */

import type { ReceivedSpan } from "../../src/otlp/span.ts";

export const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

const startedMs = 1_700_000_000_000;

export interface Placed extends Partial<ReceivedSpan> {
  /** Milliseconds after the trace began. */
  at: number;
  ms: number;
}

/** A root of the trace `traceId`, unless `placed` says otherwise. */
export function span(spanId: string, service: string, name: string, placed: Placed): ReceivedSpan {
  const { at, ms, ...more } = placed;
  return {
    traceId,
    spanId,
    parentSpanId: undefined,
    traceState: "",
    flags: 1,
    name,
    kind: "INTERNAL",
    service,
    resource: {},
    startMs: startedMs + at,
    endMs: startedMs + at + ms,
    status: { code: "UNSET", message: "" },
    attributes: {},
    links: [],
    events: [],
    ...more,
  };
}
