/**
 * The flag "random" of W3C Trace Context Level 2. The SDK's spans know only "sampled", and would tell the next hop that
 * the trace id is not random when the caller had said that it is.
 */

import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { randomFlag } from "./traceparent.ts";

/** To be called as a span starts, with our random ids: a root's trace is random, all others' as their parent said. */
export function flagRandom(span: ReadableSpan): void {
  const { parentSpanContext: parent } = span;
  span.spanContext().traceFlags |= parent === undefined ? randomFlag : parent.traceFlags & randomFlag;
}
