/** A span's start and end: when it started, to the microsecond, and who is told of both. */

import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { flagRandom } from "../context/trace-flags.ts";
import { preciseNowMs, toHrTime } from "./precise-time.ts";

/**
 * The two ends of a span. The SDK starts spans on whole milliseconds, too coarse for a task of two: this sets the start
 * to the microsecond.
 */
export class SpanEnds implements SpanProcessor {
  readonly #onStart: (span: ReadableSpan) => void;
  readonly #onEnd: (span: ReadableSpan) => void;
  constructor(onStart: (span: ReadableSpan) => void, onEnd: (span: ReadableSpan) => void) {
    this.#onStart = onStart;
    this.#onEnd = onEnd;
  }
  onStart(span: ReadableSpan): void {
    // Plain fields of the SDK's span; only its types hide them.
    const own = span as { startTime: ReadableSpan["startTime"]; _startTimeProvided?: boolean };
    // A start that the caller gave stays.
    if (!own._startTimeProvided) own.startTime = toHrTime(preciseNowMs());
    flagRandom(span);
    this.#onStart(span);
  }
  onEnd(span: ReadableSpan): void {
    this.#onEnd(span);
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
