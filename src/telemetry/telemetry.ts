/**
 * The OpenTelemetry SDK, set up here and nowhere else: everybody else sees only its API. One `Telemetry` for each role,
 * also when several run in one process, so that each keeps its own `service.name`.
 *
 * Promises: nothing waits for an exporter but `flush` and `stop`, which have their own short limit; queues are bounded;
 * without an endpoint nothing is exported and nothing fails.
 */

import { hostname } from "node:os";
import {
  type Context,
  context as contextApi,
  type Meter,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, MetricReader, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
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
import { runtime } from "../runtime.ts";
import { productVersion } from "../version.ts";
import { CryptoIds } from "./ids.ts";
import { createLogger, type Logger, type WriteLine } from "./log.ts";
import { key, scopeName } from "./names.ts";
import { fromPlainSpan, type PlainSpan, toPlainSpan } from "./plain-span.ts";
import { preciseNowMs, toHrTime } from "./precise-time.ts";
import { toPrometheusText } from "./prometheus.ts";

export interface Telemetry {
  service: string;
  tracer: Tracer;
  meter: Meter;
  log: Logger;
  /** The trace "start …" that this role's lines without a task carry. */
  startContext: Context;
  /** Everything measured so far, as Prometheus text. */
  scrape(): Promise<string>;
  /** Exports spans that were finished in a handler's thread. */
  adopt(spans: readonly PlainSpan[]): void;
  /** Sends what is finished now. Never rejects. */
  flush(): Promise<void>;
  /** Sends what is left and ends. Never rejects. */
  stop(): Promise<void>;
}

/** How long one signal may take to leave at the end. */
const flushLimitMs = 3000;

/** Spans of a few thousand tasks: enough for the time between two exports at full speed. */
const maxQueuedSpans = 65_536;
const maxQueuedLogs = 32_768;

const samplingRatios = { development: 1, staging: 0.5, production: 0.1 } as const;

export function startTelemetry(service: string, config: Config, writeLine: WriteLine): Telemetry {
  registerPropagator();
  const resource = createResource(service, config);
  const { otel } = config;
  const tracesUrl = otel.disabled ? undefined : otel.tracesUrl;
  const exporting = tracesUrl
    ? new BatchSpanProcessor(new OTLPTraceExporter({ url: tracesUrl }), {
        maxQueueSize: maxQueuedSpans,
        scheduledDelayMillis: 1000,
      })
    : undefined;
  const tracerProvider = new BasicTracerProvider({
    resource,
    idGenerator: new CryptoIds(),
    ...samplerOf(config),
    spanProcessors: [new PreciseStart((span) => exporting?.onEnd(span))],
  });
  const tracer = tracerProvider.getTracer(scopeName, productVersion);
  const startContext = markStart(tracer, service);

  const scraper = new ScrapeReader();
  const metricsUrl = otel.disabled ? undefined : otel.metricsUrl;
  const readers: MetricReader[] = [scraper];
  if (metricsUrl) {
    readers.push(
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url: metricsUrl }),
        exportIntervalMillis: otel.metricIntervalMs,
        exportTimeoutMillis: Math.min(30_000, otel.metricIntervalMs),
      }),
    );
  }
  const meterProvider = new MeterProvider({ resource, readers });

  const logsUrl = otel.disabled ? undefined : otel.logsUrl;
  const loggerProvider = logsUrl
    ? new LoggerProvider({
        resource,
        processors: [
          new BatchLogRecordProcessor({
            exporter: new OTLPLogExporter({ url: logsUrl }),
            maxQueueSize: maxQueuedLogs,
            scheduledDelayMillis: 1000,
          }),
        ],
      })
    : undefined;
  const log = createLogger({
    service,
    levels: config.logLevel,
    writeLine,
    otlp: loggerProvider?.getLogger(scopeName, productVersion),
    context: startContext,
  });

  const each = async (act: (part: { forceFlush(): Promise<void>; shutdown(): Promise<void> }) => Promise<void>) => {
    const parts = [exporting, meterProvider, loggerProvider].filter((part) => part !== undefined);
    await Promise.all(parts.map((part) => withinLimit(act(part))));
  };
  return {
    service,
    tracer,
    meter: meterProvider.getMeter(scopeName, productVersion),
    log,
    startContext,
    scrape: async () => toPrometheusText((await scraper.collect()).resourceMetrics),
    adopt: (spans) => {
      for (const span of spans) exporting?.onEnd(fromPlainSpan(span, resource));
    },
    flush: () => each((part) => part.forceFlush()),
    stop: () => each((part) => part.shutdown()),
  };
}

/** Tracing inside a handler's thread: what it finishes is handed to `deliver`, and exported by the worker's thread. */
export interface ThreadTracing {
  tracer: Tracer;
  /** The next span started in this thread gets this id. */
  reserveSpanId(spanId: string): void;
}

/** Registers the OpenTelemetry API for this whole thread, so that a handler's own spans join the task's trace. */
export function startThreadTracing(config: Config, deliver: (span: PlainSpan) => void): ThreadTracing {
  registerPropagator();
  contextApi.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const ids = new CryptoIds();
  const isSampled = (span: ReadableSpan): boolean => (span.spanContext().traceFlags & 1) === 1;
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    ...samplerOf(config),
    spanProcessors: [new PreciseStart((span) => isSampled(span) && deliver(toPlainSpan(span)))],
  });
  trace.setGlobalTracerProvider(provider);
  return {
    tracer: provider.getTracer(scopeName, productVersion),
    reserveSpanId: (spanId) => ids.reserveSpanId(spanId),
  };
}

function registerPropagator(): void {
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
}

function createResource(service: string, config: Config): Resource {
  const own = resourceFromAttributes({
    [key.serviceName]: config.otel.serviceName && config.role.length === 1 ? config.otel.serviceName : service,
    [key.serviceNamespace]: "throughline",
    [key.serviceVersion]: productVersion,
    [key.serviceInstanceId]: crypto.randomUUID(),
    [key.deploymentEnvironmentName]: config.environment,
    [key.processPid]: process.pid,
    [key.processRuntimeName]: runtime.name,
    [key.processRuntimeVersion]: runtime.version,
    [key.hostName]: hostname(),
  });
  return defaultResource()
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(own);
}

/** By environment, unless `OTEL_TRACES_SAMPLER` chooses: then the SDK reads it. */
function samplerOf(config: Config): { sampler: Sampler } | Record<string, never> {
  if (config.otel.ownSampler) return {};
  const ratio = samplingRatios[config.environment];
  const root = ratio === 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(ratio);
  return { sampler: new ParentBasedSampler({ root }) };
}

/** The short trace with which a role begins; its ids stand on every log line that belongs to no task. */
function markStart(tracer: Tracer, service: string): Context {
  const span = tracer.startSpan(`start ${service}`, { kind: SpanKind.INTERNAL }, ROOT_CONTEXT);
  span.end();
  return trace.setSpan(ROOT_CONTEXT, span);
}

async function withinLimit(work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, flushLimitMs);
  });
  // An exporter that fails at the end has nobody left to tell.
  await Promise.race([work.catch(() => {}), limit]);
  clearTimeout(timer);
}

/** The SDK starts spans on whole milliseconds, too coarse for a task of two: this sets the start to the microsecond. */
class PreciseStart implements SpanProcessor {
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

/** Collects when it is asked, for `/metrics`. */
class ScrapeReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
