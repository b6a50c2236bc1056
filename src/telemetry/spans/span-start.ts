/**
 * What every span starts with: ids from the system's cryptographic generator, a time finer than the SDK's milliseconds,
 * and the flag "random" of its trace.
 */

import type { HrTime, SpanContext } from "@opentelemetry/api";
import type { IdGenerator, ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { randomFlag } from "../context/trace-context.ts";

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
    span.spanContext().traceFlags |= randomFlagOf(span.parentSpanContext);
    this.#onStart(span);
  }
  onEnd(span: ReadableSpan): void {
    this.#onEnd(span);
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

/**
 * `Date.now()` is cut to whole milliseconds and the monotonic clock has no epoch; the difference of the two, at its
 * largest, is the monotonic clock's epoch, which `timeOrigin` gives to begin with. When the system's clock is stepped the
 * difference leaves that epoch by more than a millisecond, and counting starts anew.
 */
let epochMs = performance.timeOrigin;

/** Milliseconds since the epoch, with a fraction. */
export function preciseNowMs(): number {
  // The wall clock is read first, so that the difference never runs ahead.
  const wall = Date.now();
  const monotonic = performance.now();
  const difference = wall - monotonic;
  if (difference > epochMs) epochMs = difference;
  else if (difference < epochMs - 2) stepBack();
  return epochMs + monotonic;
}

/** Unless the system took the processor away between two readings. */
function stepBack(): void {
  const before = performance.now();
  const wall = Date.now();
  const monotonic = performance.now();
  if (monotonic - before < 1 && wall - monotonic < epochMs - 2) epochMs = wall - monotonic;
}

/** What `preciseNowMs` adds to `performance.now()`. */
export function preciseEpochMs(): number {
  return epochMs;
}

/** Milliseconds with a fraction to seconds and nanoseconds. */
export function toHrTime(ms: number): HrTime {
  const wholeSeconds = Math.floor(ms / 1000);
  return [wholeSeconds, Math.round((ms - wholeSeconds * 1000) * 1e6)];
}

/**
 * The flag "random" of W3C Trace Context Level 2, which the SDK's spans do not know: without it the next hop would take a
 * random trace id for another. A root's trace is random, and so is any other's when its parent's is.
 */
export function randomFlagOf(parent: SpanContext | undefined): number {
  return parent === undefined ? randomFlag : parent.traceFlags & randomFlag;
}

const blockBytes = 4096;
const digitsOfByte = 2;

/** Random ids, made in blocks, because one call of the generator for each id is slow. */
export class CryptoIds implements IdGenerator {
  /** Random digits. */
  #block = "";
  #at = 0;
  #reserved: string | undefined;

  generateTraceId = (): string => this.#take(16);

  generateSpanId = (): string => {
    const reserved = this.#reserved;
    this.#reserved = undefined;
    return reserved ?? this.#take(8);
  };

  /**
   * The next span gets this id. So the worker can choose the id of a span that a handler thread makes, and close that
   * span itself when the thread had to be ended.
   */
  reserveSpanId(spanId: string): void {
    this.#reserved = spanId;
  }

  #take(bytes: number): string {
    const digits = bytes * digitsOfByte;
    for (;;) {
      if (this.#at + digits > this.#block.length) {
        this.#block = crypto.getRandomValues(new Uint8Array(blockBytes)).toHex();
        this.#at = 0;
      }
      const id = this.#block.slice(this.#at, this.#at + digits);
      this.#at += digits;
      // All zero means "no id" (W3C Trace Context 3.2.2.3).
      if (id[0] !== "0" || /[^0]/.test(id)) return id;
    }
  }
}
