/**
 * A context that carries a span. The API's own context copies all its values for each one that is set, and binds three
 * functions; nearly every context here differs from another in its span alone.
 */

import { type Context, createContextKey, type Span, type SpanContext, type TraceState } from "@opentelemetry/api";

/** Of the API, which finds its keys by their descriptions. */
const spanKey = createContextKey("OpenTelemetry Context Key SPAN");

/** The context below, which is none of this class, with a span. */
class ContextWithSpan implements Context {
  readonly #below: Context;
  readonly #span: Span;

  constructor(context: Context, span: Span) {
    this.#below = context instanceof ContextWithSpan ? context.#below : context;
    this.#span = span;
  }
  getValue(key: symbol): unknown {
    return key === spanKey ? this.#span : this.#below.getValue(key);
  }
  setValue(key: symbol, value: unknown): Context {
    const below = this.#below.setValue(key, value);
    return key === spanKey ? below : new ContextWithSpan(below, this.#span);
  }
  deleteValue(key: symbol): Context {
    const below = this.#below.deleteValue(key);
    return key === spanKey ? below : new ContextWithSpan(below, this.#span);
  }
}

/** As `trace.setSpan`. */
export function withSpan(context: Context, span: Span): Context {
  return new ContextWithSpan(context, span);
}

/** The ids of a span, known to be valid: made here, or checked when they were read. */
export class ValidSpanContext implements SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  traceFlags: number;
  declare isRemote?: boolean;
  declare traceState?: TraceState;

  constructor(traceId: string, spanId: string, traceFlags: number) {
    this.traceId = traceId;
    this.spanId = spanId;
    this.traceFlags = traceFlags;
  }
}
