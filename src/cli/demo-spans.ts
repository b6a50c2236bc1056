/** The spans of the demo, as they arrive over OTLP; a bounded shelf that tells when a trace is whole. */

import type { ReceivedSpan } from "../otlp/span.ts";

/** A demo makes some two hundred; what its user tries afterwards is not kept. */
const maxSpans = 5000;

export interface DemoSpans {
  add(spans: readonly ReceivedSpan[]): void;
  of(traceId: string): ReceivedSpan[];
}

export function createDemoSpans(): DemoSpans {
  const shelf: ReceivedSpan[] = [];
  return {
    add: (spans) => void shelf.push(...spans.slice(0, maxSpans - shelf.length)),
    of: (traceId) => shelf.filter((span) => span.traceId === traceId),
  };
}

/** Whether the last span of a trace is there, and no parent is missing. */
export function isWhole(spans: readonly ReceivedSpan[], lastName: string, lastCount: number): boolean {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const hasParents = spans.every(({ parentSpanId }) => parentSpanId === undefined || ids.has(parentSpanId));
  return hasParents && spans.filter(({ name }) => name === lastName).length >= lastCount;
}
