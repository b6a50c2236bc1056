/** How spans leave: sampled or held for a failure to come, and exported in batches. */

import { diag, type MeterProvider, type Tracer } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";
import { type EncodedSpan, encodeSpan } from "../../otlp/span.ts";
import type { OtelSettings } from "../../settings/otel-settings.ts";
import { productVersion } from "../../version.ts";
import type { ExportWatch } from "../diagnostics.ts";
import { withReasons } from "../export/export-result.ts";
import { createItemExporter, withCopy } from "../export/otlp-exporter.ts";
import { createRedaction } from "../logs/redact.ts";
import type { SpanMetrics } from "../metrics/span-metrics.ts";
import { scopeName } from "../names.ts";
import { oldAttributes } from "./attributes.ts";
import { createFailureBuffer } from "./failure-buffer.ts";
import { registerSource } from "./prepared-span.ts";
import { RoleSpan } from "./role-span.ts";
import { createSampler, isSampled, keepsFailures, type SamplingSettings } from "./sampling.ts";
import { CryptoIds, SpanEnds } from "./span-start.ts";

/** Spans of a few thousand tasks: enough for the time between two exports at full speed. */
const maxQueuedSpans = 65_536;

const exportEveryMs = 1000;

/** Unsampled spans that are held for a failure to come: those of about a thousand tasks. */
const maxHeldSpans = 8192;

/** One signal on its way out. */
export interface Pipeline {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

interface TracePipeline extends Pipeline {
  tracer: Tracer;
  /** Takes a span that was made in a handler's thread, as if it had ended here. */
  take(span: ReadableSpan): void;
  /** Exports what this role has of an unsampled trace, and samples what follows; false when it did so before. */
  keep(traceId: string): boolean;
}

/** What of a span leaves, and where to. */
export interface TraceSettings extends SamplingSettings {
  otel: OtelSettings;
  redactKeys: readonly string[];
  semconvCompat: boolean;
}

interface TraceMeasures {
  /** Looks at every span as it starts and ends. */
  spanMetrics: SpanMetrics;
  /** Knows how the exports go. */
  exports: ExportWatch;
  /** Count what becomes of each span. */
  sdkMeters: MeterProvider;
  /** A failure had this trace kept. */
  onKept(traceId: string): void;
}

export function createTracePipeline(
  settings: TraceSettings,
  resource: Resource,
  measures: TraceMeasures,
): TracePipeline {
  const { onKept } = measures;
  const redaction = createRedaction(settings.redactKeys);
  const encode = (span: ReadableSpan): EncodedSpan => {
    if (span instanceof RoleSpan && !settings.semconvCompat) return span.encode();
    // The span has ended: its attributes belong to the exporter alone.
    const masked = redaction.redactAttributes(span.attributes);
    if (masked !== span.attributes) Object.assign(span.attributes, masked);
    for (const event of span.events) event.attributes &&= redaction.redactAttributes(event.attributes);
    if (settings.semconvCompat) Object.assign(span.attributes, oldAttributes(span.kind, span.attributes));
    return encodeSpan(span);
  };
  const exporting = createExporting(settings.otel, measures, encode);
  const exportSpan = (span: ReadableSpan): void => exporting?.take(span);
  const buffer = keepsFailures(settings)
    ? createFailureBuffer({ maxSpans: exporting ? maxHeldSpans : 0, export: exportSpan, onKept })
    : undefined;
  const take = (span: ReadableSpan): void => {
    if (isSampled(span.spanContext())) exportSpan(span);
    else buffer?.ended(span);
  };
  const ids = new CryptoIds();
  const sampler = createSampler(settings);
  const { spanMetrics } = measures;
  const provider = new BasicTracerProvider({
    resource,
    idGenerator: ids,
    sampler,
    spanProcessors: [spanMetrics, new SpanEnds((span) => buffer?.started(span), take)],
  });
  const tracer = provider.getTracer(scopeName, productVersion);
  if (!settings.otel.hasSpanLimits) {
    const source = { resource, scope: { name: scopeName, version: productVersion }, ids, sampler, redaction };
    const onStart = (span: RoleSpan): void => buffer?.started(span);
    registerSource(tracer, { ...source, measureOf: spanMetrics.measureOf, onStart, onEnd: take });
  }
  return {
    tracer,
    take,
    keep: (traceId) => buffer?.keep(traceId) ?? false,
    forceFlush: async () => exporting?.forceFlush(),
    shutdown: async () => exporting?.shutdown(),
  };
}

interface Exporting extends Pipeline {
  take(span: ReadableSpan): void;
}

/** The SDK reads `OTEL_BSP_*` itself for every option that is not given here. */
function createExporting(
  otel: OtelSettings,
  { exports, sdkMeters }: TraceMeasures,
  encode: (span: ReadableSpan) => EncodedSpan,
): Exporting | undefined {
  if (otel.disabled || !otel.tracesUrl) return undefined;
  const { hasOwnQueueSize, hasOwnDelay } = otel.spanBatches;
  // A flush sends the whole queue at once, in batches: the SDK's own limit of 30 would drop what is above it.
  const exporter = createItemExporter("traces", {
    url: otel.tracesUrl,
    selfObsMeterProvider: sdkMeters,
    concurrencyLimit: maxQueuedSpans,
  });
  const batching = {
    selfObsMeterProvider: exporter.meters,
    ...(!hasOwnQueueSize && { maxQueueSize: maxQueuedSpans }),
    ...(!hasOwnDelay && { scheduledDelayMillis: exportEveryMs }),
  };
  const copy =
    otel.copyUrls.traces === undefined ? undefined : createItemExporter("traces", { url: otel.copyUrls.traces });
  const watched = withCopy(exports.watch(withReasons(exporter), "traces"), copy);
  // Typed for the SDK's spans, of which it looks at the context and the resource alone.
  const processor = new BatchSpanProcessor(watched as unknown as SpanExporter, batching);
  return {
    take: (span) => {
      try {
        processor.onEnd(encode(span) as unknown as ReadableSpan);
      } catch (error) {
        // Never the trouble of what the span is about.
        diag.error("a span cannot be written", error);
      }
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  };
}
