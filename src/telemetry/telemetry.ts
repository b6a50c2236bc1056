/**
 * The OpenTelemetry SDK, set up here and in the pipelines, and nowhere else: everybody else sees only its API. One
 * `Telemetry` for each role, also when several run in one process, so that each keeps its own `service.name`.
 *
 * Promises: nothing waits for an exporter but `flush` and `stop`, which have their own short limit; queues are bounded;
 * without an endpoint nothing is exported and nothing fails.
 */

import {
  type Context,
  type Meter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { Config } from "../config.ts";
import { productVersion } from "../version.ts";
import { createExportWatch, registerDiagnostics } from "./diagnostics.ts";
import { createEvents, type Events } from "./events.ts";
import { CryptoIds } from "./ids.ts";
import { createLogger, type Logger, type WriteLine } from "./log.ts";
import { createLogPipeline } from "./log-pipeline.ts";
import { createMetricPipeline } from "./metric-pipeline.ts";
import { scopeName } from "./names.ts";
import { fromPlainSpan, type PlainSpan } from "./plain-span.ts";
import { preciseNowMs, toHrTime } from "./precise-time.ts";
import { registerPropagator } from "./propagation.ts";
import { createRedaction } from "./redact.ts";
import { createResource } from "./resource.ts";
import { createTracePipeline, type Pipeline, type TracePipeline } from "./trace-pipeline.ts";

export interface Telemetry {
  service: string;
  tracer: Tracer;
  meter: Meter;
  log: Logger;
  /** The trace "start …" that this role's lines without a task carry. */
  startContext: Context;
  /** Tells changes of tasks to whoever counts them. */
  events: Events;
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

export function startTelemetry(service: string, config: Config, writeLine: WriteLine): Telemetry {
  registerPropagator();
  const resource = createResource(service, config);
  const exports = createExportWatch();
  const traces = createTracePipeline(config, resource, exports);
  const metrics = createMetricPipeline(config, resource, exports);
  const logs = createLogPipeline(config, resource, exports);
  const startContext = markStart({ service, config, resource, traces });
  const log = createLogger({
    service,
    levels: config.logLevel,
    writeLine,
    otlp: logs?.logger,
    context: startContext,
    redaction: createRedaction(config.redactKeys),
  });
  exports.tellTo(log);
  registerDiagnostics(log, config.otel.diagnostics);
  const each = async (act: (pipeline: Pipeline) => Promise<void>): Promise<void> => {
    const pipelines = [traces, metrics, logs].filter((pipeline) => pipeline !== undefined);
    await Promise.all(pipelines.map((pipeline) => withinLimit(act(pipeline))));
  };
  return {
    service,
    tracer: traces.tracer,
    meter: metrics.meter,
    log,
    startContext,
    events: createEvents(metrics.meter),
    scrape: () => metrics.scrape(),
    adopt: (spans) => {
      for (const span of spans) traces.export(fromPlainSpan(span, resource));
    },
    flush: () => each((pipeline) => pipeline.forceFlush()),
    stop: () => each((pipeline) => pipeline.shutdown()),
  };
}

interface Starting {
  service: string;
  config: Config;
  resource: Resource;
  traces: TracePipeline;
}

/**
 * The short trace with which a role begins; its ids stand on every log line that belongs to no task. So it is kept
 * whatever share of the others is, unless somebody has chosen a sampler.
 */
function markStart({ service, config, resource, traces }: Starting): Context {
  const name = `start ${service}`;
  if (config.otel.ownSampler) {
    const span = traces.tracer.startSpan(name, { kind: SpanKind.INTERNAL }, ROOT_CONTEXT);
    span.end();
    return trace.setSpan(ROOT_CONTEXT, span);
  }
  const ids = new CryptoIds();
  const context = { traceId: ids.generateTraceId(), spanId: ids.generateSpanId(), traceFlags: TraceFlags.SAMPLED };
  const startTime = toHrTime(preciseNowMs());
  const span: PlainSpan = {
    name,
    kind: SpanKind.INTERNAL,
    context,
    parent: undefined,
    startTime,
    endTime: startTime,
    duration: [0, 0],
    status: { code: SpanStatusCode.UNSET },
    attributes: {},
    links: [],
    events: [],
    scope: { name: scopeName, version: productVersion },
    dropped: [0, 0, 0],
  };
  traces.export(fromPlainSpan(span, resource));
  return trace.setSpanContext(ROOT_CONTEXT, context);
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
