/** How spans leave: made with ids of our own, started to the microsecond, sampled, and exported in batches. */

import type { Tracer } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { Resource } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import type { Config } from "../config.ts";
import { productVersion } from "../version.ts";
import type { ExportWatch } from "./diagnostics.ts";
import { CryptoIds } from "./ids.ts";
import { scopeName } from "./names.ts";
import { preciseNowMs, toHrTime } from "./precise-time.ts";

/** Spans of a few thousand tasks: enough for the time between two exports at full speed. */
const maxQueuedSpans = 65_536;

const samplingRatios = { development: 1, staging: 0.5, production: 0.1 } as const;

/** One signal on its way out. */
export interface Pipeline {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

export interface TracePipeline extends Pipeline {
  tracer: Tracer;
  /** Exports spans that were made elsewhere. */
  export(span: ReadableSpan): void;
}

export function createTracePipeline(config: Config, resource: Resource, exports: ExportWatch): TracePipeline {
  const url = config.otel.disabled ? undefined : config.otel.tracesUrl;
  const exporting = url
    ? new BatchSpanProcessor(exports.watch(new OTLPTraceExporter({ url }), "traces"), {
        maxQueueSize: maxQueuedSpans,
        scheduledDelayMillis: 1000,
      })
    : undefined;
  const provider = new BasicTracerProvider({
    resource,
    idGenerator: new CryptoIds(),
    ...samplerOf(config),
    spanProcessors: [new PreciseStart((span) => exporting?.onEnd(span))],
  });
  return {
    tracer: provider.getTracer(scopeName, productVersion),
    export: (span) => exporting?.onEnd(span),
    forceFlush: async () => exporting?.forceFlush(),
    shutdown: async () => exporting?.shutdown(),
  };
}

/** By environment, unless `OTEL_TRACES_SAMPLER` chooses: then the SDK reads it. */
export function samplerOf(config: Config): { sampler: Sampler } | Record<string, never> {
  if (config.otel.ownSampler) return {};
  const ratio = samplingRatios[config.environment];
  const root = ratio === 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(ratio);
  return { sampler: new ParentBasedSampler({ root }) };
}

/** The SDK starts spans on whole milliseconds, too coarse for a task of two: this sets the start to the microsecond. */
export class PreciseStart implements SpanProcessor {
  readonly #onEnd: (span: ReadableSpan) => void;
  constructor(onEnd: (span: ReadableSpan) => void) {
    this.#onEnd = onEnd;
  }
  onStart(span: ReadableSpan): void {
    // Plain fields of the SDK's span; only its types hide them.
    const own = span as { startTime: ReadableSpan["startTime"]; _startTimeProvided?: boolean };
    // A start that the caller gave stays.
    if (!own._startTimeProvided) own.startTime = toHrTime(preciseNowMs());
  }
  onEnd(span: ReadableSpan): void {
    this.#onEnd(span);
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
