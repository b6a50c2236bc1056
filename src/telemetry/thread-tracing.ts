/** Tracing inside a handler's thread: what it finishes is handed on, and exported by the worker's thread. */

import { context as contextApi, type Tracer, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { BasicTracerProvider, type ReadableSpan } from "@opentelemetry/sdk-trace-base";
import type { Config } from "../config.ts";
import { productVersion } from "../version.ts";
import { CryptoIds } from "./ids.ts";
import { scopeName } from "./names.ts";
import { type PlainSpan, toPlainSpan } from "./plain-span.ts";
import { registerPropagator } from "./propagator.ts";
import { createSampler, isSampled, keepsFailures } from "./sampling.ts";
import { SpanEnds } from "./span-ends.ts";

export interface ThreadTracing {
  tracer: Tracer;
  /** The next span started in this thread gets this id. */
  reserveSpanId(spanId: string): void;
}

/** Registers the OpenTelemetry API for this whole thread, so that a handler's own spans join the task's trace. */
export function startThreadTracing(config: Config, deliver: (span: PlainSpan) => void): ThreadTracing {
  registerPropagator(config.otel.propagators);
  contextApi.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const ids = new CryptoIds();
  const isWanted = keepsFailures(config) ? () => true : (span: ReadableSpan) => isSampled(span.spanContext());
  const onEnd = (span: ReadableSpan): void => {
    if (isWanted(span)) deliver(toPlainSpan(span));
  };
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    sampler: createSampler(config),
    spanProcessors: [new SpanEnds(() => {}, onEnd)],
  });
  trace.setGlobalTracerProvider(provider);
  return {
    tracer: provider.getTracer(scopeName, productVersion),
    reserveSpanId: (spanId) => ids.reserveSpanId(spanId),
  };
}
