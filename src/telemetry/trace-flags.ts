/**
 * The flag "random" of W3C Trace Context Level 2 on every span, recorded or not. The SDK's spans know only "sampled",
 * and would tell the next hop that the trace id is not random when the caller had said that it is.
 */

import { type Context, context as contextApi, type SpanContext, type Tracer, trace } from "@opentelemetry/api";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { randomFlag } from "./traceparent.ts";

/** The SDK's provider, whose ids must be random: its roots say so, all others say what their parent said. */
export class FlaggingTracerProvider extends BasicTracerProvider {
  override getTracer(...scope: Parameters<BasicTracerProvider["getTracer"]>): Tracer {
    const tracer: Tracer = super.getTracer(...scope);
    // The SDK gives the same tracer again for the same scope.
    if (!Object.hasOwn(tracer, "startSpan")) flagSpansOf(tracer);
    return tracer;
  }
}

/** `startActiveSpan` starts its span through `startSpan` too. */
function flagSpansOf(tracer: Tracer): void {
  const startSpan = tracer.startSpan.bind(tracer);
  tracer.startSpan = (name, options, context = contextApi.active()) => {
    const span = startSpan(name, options, context);
    flagRandom(span.spanContext(), options?.root ? undefined : parentOf(context));
    return span;
  };
}

function parentOf(context: Context): SpanContext | undefined {
  const parent = trace.getSpanContext(context);
  return parent && trace.isSpanContextValid(parent) ? parent : undefined;
}

function flagRandom(span: SpanContext, parent: SpanContext | undefined): void {
  // The invalid one, of a span that was suppressed, is shared by all.
  if (!trace.isSpanContextValid(span)) return;
  span.traceFlags |= parent === undefined ? randomFlag : parent.traceFlags & randomFlag;
}
