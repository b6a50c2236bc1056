/**
 * Trace context on its way across borders: W3C trace context and baggage, written to and read from plain carriers, which
 * are HTTP headers, RPC metadata, message attributes, thread messages or a column of the store.
 */

import { type Context, propagation, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";

/** Header name, in lower case, to value. */
export type Carrier = Record<string, string>;

/** For the whole thread: what is read from carriers and written to them. */
export function registerPropagator(): void {
  // A second one is refused, and there are two where a role runs in the supervisor's own thread.
  propagation.disable();
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
}

const asRecord = {
  set: (carrier: Carrier, key: string, value: string): void => {
    carrier[key] = value;
  },
  get: (carrier: Carrier, key: string): string | undefined => carrier[key],
  keys: (carrier: Carrier): string[] => Object.keys(carrier),
};

const asHeaders = {
  get: (headers: Headers, key: string): string | undefined => headers.get(key) ?? undefined,
  keys: (headers: Headers): string[] => [...headers.keys()],
};

/** `context` as `traceparent`, and `tracestate` and `baggage` when there are any. */
export function toCarrier(context: Context): Carrier {
  const carrier: Carrier = {};
  propagation.inject(context, carrier, asRecord);
  return carrier;
}

/** The context that a carrier tells; an empty one when it tells none or cannot be read. */
export function fromCarrier(carrier: Carrier): Context {
  return propagation.extract(ROOT_CONTEXT, carrier, asRecord);
}

export function fromHeaders(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers, asHeaders);
}

/** The span that a context carries, if it is a valid one. */
export function spanContextOf(context: Context): SpanContext | undefined {
  const spanContext = trace.getSpanContext(context);
  return spanContext && trace.isSpanContextValid(spanContext) ? spanContext : undefined;
}

/** The same context without its span: what a new trace inherits (baggage). */
export function withoutSpan(context: Context): Context {
  return trace.deleteSpan(context);
}
