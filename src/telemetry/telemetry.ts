/**
 * The OpenTelemetry SDK, set up here and in the pipelines, and nowhere else: all other code uses its API. One
 * `Telemetry` for each role, also when several run in one process, so that each keeps its own `service.name`.
 *
 * Promises: nothing waits for an exporter but `flush` and `stop`, which have their own short limit; queues are bounded;
 * without an endpoint nothing is exported and nothing fails.
 */

import { hostname } from "node:os";
import {
  type Context,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { runtime } from "../host/runtime.ts";
import { within } from "../limits/time-limit.ts";
import type { LogLevels } from "../settings/parsers.ts";
import { productVersion } from "../version.ts";
import { registerPropagator, spanContextOf } from "./context/propagation.ts";
import { createExportWatch, registerDiagnostics } from "./diagnostics.ts";
import { createEvents, type Events } from "./events.ts";
import { createLogger, type Logger, type WriteLine } from "./logs/log.ts";
import { createLogPipeline } from "./logs/log-pipeline.ts";
import { createRedaction } from "./logs/redact.ts";
import type { Meter } from "./metrics/meter.ts";
import { createMetricPipeline } from "./metrics/metric-pipeline.ts";
import type { MetricFamily } from "./metrics/prometheus.ts";
import { createSpanMetrics } from "./metrics/span-metrics.ts";
import { key } from "./names.ts";
import { createSharedScopes, fromPlainSpan, type PlainSpan } from "./spans/plain-span.ts";
import { asSampled, inheritSampling, isSampled, keepsFailures } from "./spans/sampling.ts";
import { createTracePipeline, type Pipeline, type TraceSettings } from "./spans/trace-pipeline.ts";

export interface Telemetry {
  service: string;
  tracer: Tracer;
  meter: Meter;
  log: Logger;
  /** The trace "start …" that this role's lines without a task carry. */
  startContext: Context;
  /** Publishes changes of tasks. */
  events: Events;
  /** Everything measured so far. */
  scrape(): Promise<MetricFamily[]>;
  /** Exports spans that were finished in a handler's thread. */
  adopt(spans: readonly PlainSpan[]): void;
  /**
   * Sees to it that the context's trace leaves the process though it is not sampled: what this role has of it, and what
   * follows. Gives the context to go on with.
   */
  keep(context: Context): Context;
  /** The same for a trace that another role keeps. */
  keepTrace(traceId: string): void;
  /** Sends what is finished now. Never rejects. */
  flush(): Promise<void>;
  /** Sends what is left and ends. Never rejects. */
  stop(): Promise<void>;
}

/** Of the settings, what telemetry is made from. */
interface TelemetrySettings extends TraceSettings {
  /** Of the process: `OTEL_SERVICE_NAME` holds for a single one. */
  role: readonly string[];
  logLevel: LogLevels;
}

/** How long one signal may take to leave at the end. */
const flushLimitMs = 3000;
/** How long the metrics wait for the other signals then. */
const metricsWaitMs = 2000;

/** `onKept`: a failure had an unsampled trace kept, of which other roles may have spans too. */
export function startTelemetry(
  service: string,
  settings: TelemetrySettings,
  writeLine: WriteLine,
  onKept: (traceId: string) => void = () => {},
): Telemetry {
  registerPropagator(settings.otel.propagators);
  const resource = createResource(service, settings);
  const shareScope = createSharedScopes();
  const exports = createExportWatch();
  const metrics = createMetricPipeline(settings.otel, resource, exports);
  const { meter, sdkMeters } = metrics;
  const measures = { spanMetrics: createSpanMetrics(meter), exports, sdkMeters, onKept };
  const traces = createTracePipeline(settings, resource, measures);
  const logs = createLogPipeline(settings.otel, resource, measures);
  const startContext = markStart(traces.tracer, service, settings);
  const log = createLogger({
    service,
    levels: settings.logLevel,
    writeLine,
    otlp: logs?.sink,
    context: startContext,
    redaction: createRedaction(settings.redactKeys),
  });
  exports.logTo(log);
  registerDiagnostics(log, settings.otel.diagnostics);
  const finish = async (act: (pipeline: Pipeline) => Promise<void>): Promise<void> => {
    const pipelines = [traces, logs].filter((pipeline) => pipeline !== undefined);
    const leaving = Promise.all(pipelines.map((pipeline) => withinLimit(flushLimitMs, act(pipeline))));
    // The metrics count what became of the others, so they go after them, unless those take too long.
    const countedLast = withinLimit(metricsWaitMs, leaving).then(() => act(metrics));
    await Promise.all([leaving, withinLimit(flushLimitMs, countedLast)]);
  };
  return {
    service,
    tracer: traces.tracer,
    meter,
    log,
    startContext,
    events: createEvents(metrics.meter),
    scrape: () => metrics.scrape(),
    adopt: (spans) => {
      for (const span of spans) traces.take(fromPlainSpan(span, resource, shareScope));
    },
    keep: (context) => {
      const span = spanContextOf(context);
      if (!span || isSampled(span) || !keepsFailures(settings)) return context;
      if (traces.keep(span.traceId)) onKept(span.traceId);
      return asSampled(context);
    },
    keepTrace: (traceId) => void traces.keep(traceId),
    flush: () => finish((pipeline) => pipeline.forceFlush()),
    stop: () => finish((pipeline) => pipeline.shutdown()),
  };
}

/** As in a trace that is kept. */
const kept: SpanContext = { traceId: "", spanId: "", traceFlags: TraceFlags.SAMPLED };

/**
 * The short trace with which a role begins; its ids stand on every log line that belongs to no task. So it is kept
 * whatever share of the others is, unless a sampler is set.
 */
function markStart(tracer: Tracer, service: string, { otel }: TelemetrySettings): Context {
  const parent = otel.sampler ? ROOT_CONTEXT : inheritSampling(ROOT_CONTEXT, kept);
  const span = tracer.startSpan(`start ${service}`, { kind: SpanKind.INTERNAL }, parent);
  span.end();
  return trace.setSpan(ROOT_CONTEXT, span);
}

/** An exporter that fails at the end has no other place to report it. */
function withinLimit(limitMs: number, work: Promise<unknown>): Promise<unknown> {
  return within(
    limitMs,
    work.catch(() => {}),
    undefined,
  );
}

/** What every span, metric and log record of one role carries. */
function createResource(service: string, settings: TelemetrySettings): Resource {
  const own = resourceFromAttributes({
    [key.serviceName]: settings.otel.serviceName && settings.role.length === 1 ? settings.otel.serviceName : service,
    [key.serviceNamespace]: "throughline",
    [key.serviceVersion]: productVersion,
    [key.serviceInstanceId]: crypto.randomUUID(),
    [key.deploymentEnvironmentName]: settings.environment,
    [key.processPid]: process.pid,
    [key.processRuntimeName]: runtime.name,
    [key.processRuntimeVersion]: runtime.version,
    [key.hostName]: hostname(),
  });
  return defaultResource()
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(own);
}
