/**
 * What OpenTelemetry's own variables say (`OTEL_*`), with the meaning that its specification gives them: where telemetry
 * goes, what is sampled, how batches leave. Reads no environment itself: it is given one by `config.ts`.
 */

/** Where telemetry goes; from the `OTEL_*` variables, whose meaning is OpenTelemetry's own. */
export interface OtelSettings {
  disabled: boolean;
  /** Full URL for each signal; undefined: not exported, as with `none` in `OTEL_TRACES_EXPORTER` and its like. */
  tracesUrl: string | undefined;
  metricsUrl: string | undefined;
  logsUrl: string | undefined;
  /**
   * The console, when it is to have a copy of what goes elsewhere. Of metrics it has always its own: it draws them as
   * they happen, and so wants them more often than other receivers.
   */
  copyUrls: { traces: string | undefined; metrics: string | undefined; logs: string | undefined };
  metricIntervalMs: number;
  /** `OTEL_METRIC_EXPORT_TIMEOUT`, at most the interval. */
  metricTimeoutMs: number;
  /** `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` */
  metricTemporality: MetricTemporality;
  /** `OTEL_SERVICE_NAME`, for a process with a single role. */
  serviceName: string | undefined;
  /** What `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` choose, if they do. */
  sampler: OtelSampler | undefined;
  /** `OTEL_PROPAGATORS`, in lower case and in its order; undefined: not set. */
  propagators: string[] | undefined;
  /** Which of the variables `OTEL_BSP_*` that have a default of ours are set. */
  spanBatches: { hasOwnQueueSize: boolean; hasOwnDelay: boolean };
  /** Whether any of the variables is set that limit spans, which the SDK reads itself. */
  hasSpanLimits: boolean;
  /** What the SDK tells about itself: `OTEL_LOG_LEVEL`. */
  diagnostics: DiagnosticsLevel;
  /** How log records leave: `OTEL_BLRP_*` and `OTEL_LOGRECORD_*`, which the JavaScript SDK does not read by itself. */
  logRecords: LogRecordSettings;
}

/** OpenTelemetry, "Environment variables": the samplers that the SDK brings. */
const samplerNames = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** Values of `OTEL_PROPAGATORS` that are known here. */
export const propagatorNames = ["tracecontext", "baggage", "b3", "b3multi", "none"] as const;

export interface OtelSampler {
  name: (typeof samplerNames)[number];
  /** From 0 to 1; of the two that have one. */
  ratio: number;
}

/** OTLP metrics exporter, "Additional environment variable configuration". */
const metricTemporalities = ["cumulative", "delta", "lowmemory"] as const;
export type MetricTemporality = (typeof metricTemporalities)[number];

export const diagnosticsLevels = ["none", "error", "warn", "info", "debug", "verbose", "all"] as const;
export type DiagnosticsLevel = (typeof diagnosticsLevels)[number];

interface LogRecordSettings {
  maxQueueSize: number;
  scheduledDelayMillis: number;
  maxExportBatchSize: number;
  exportTimeoutMillis: number;
  attributeCountLimit: number;
  /** undefined: no limit. */
  attributeValueLengthLimit: number | undefined;
}

export function readOtel(env: Record<string, string | undefined>): OtelSettings {
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/+$/, "");
  const signal = (name: "TRACES" | "METRICS" | "LOGS"): string | undefined => {
    const exporters = wordsOf(env[`OTEL_${name}_EXPORTER`]) ?? ["otlp"];
    if (!exporters.includes("otlp")) return undefined;
    return env[`OTEL_EXPORTER_OTLP_${name}_ENDPOINT`] || (base ? `${base}/v1/${name.toLowerCase()}` : undefined);
  };
  const temporality = env.OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE;
  const metricIntervalMs = otelNumber(env.OTEL_METRIC_EXPORT_INTERVAL) ?? 60_000;
  return {
    disabled: env.OTEL_SDK_DISABLED?.toLowerCase() === "true",
    tracesUrl: signal("TRACES"),
    metricsUrl: signal("METRICS"),
    logsUrl: signal("LOGS"),
    copyUrls: { traces: undefined, metrics: undefined, logs: undefined },
    metricIntervalMs,
    metricTimeoutMs: Math.min(otelNumber(env.OTEL_METRIC_EXPORT_TIMEOUT) ?? 30_000, metricIntervalMs),
    metricTemporality: metricTemporalities.find((name) => name === temporality?.toLowerCase()) ?? "cumulative",
    serviceName: env.OTEL_SERVICE_NAME || undefined,
    sampler: samplerOf(env),
    propagators: wordsOf(env.OTEL_PROPAGATORS),
    spanBatches: {
      hasOwnQueueSize: Boolean(env.OTEL_BSP_MAX_QUEUE_SIZE),
      hasOwnDelay: Boolean(env.OTEL_BSP_SCHEDULE_DELAY),
    },
    hasSpanLimits: Object.keys(env).some((name) => /^OTEL_(SPAN|ATTRIBUTE)_\w+_LIMIT$/.test(name)),
    diagnostics: diagnosticsLevels.find((level) => level === env.OTEL_LOG_LEVEL?.toLowerCase()) ?? "info",
    logRecords: readLogRecords(env),
  };
}

function samplerOf(env: Record<string, string | undefined>): OtelSampler | undefined {
  const name = samplerNames.find((known) => known === env.OTEL_TRACES_SAMPLER);
  return name && { name, ratio: Number(env.OTEL_TRACES_SAMPLER_ARG || 1) };
}

/** The words of a comma list, in lower case; undefined when there is none. */
function wordsOf(text = ""): string[] | undefined {
  const words = text.split(",").map((word) => word.trim().toLowerCase());
  const named = words.filter((word) => word !== "");
  return named.length > 0 ? named : undefined;
}

/** A line for each variable of the sampler that does not fit. */
export function samplerProblems(env: Record<string, string | undefined>): string[] {
  const { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: text } = env;
  if (!name) return [];
  if (!samplerNames.some((known) => known === name)) {
    return [`OTEL_TRACES_SAMPLER: "${name}": expected one of ${samplerNames.join(", ")}`];
  }
  const ratio = Number(text || 1);
  if (!name.endsWith("ratio") || (ratio >= 0 && ratio <= 1)) return [];
  return [`OTEL_TRACES_SAMPLER_ARG: "${text}": expected a number from 0 to 1`];
}

function readLogRecords(env: Record<string, string | undefined>): LogRecordSettings {
  return {
    // More than the 2,048 of OpenTelemetry: a role at full speed has as many lines within an export's second.
    maxQueueSize: otelNumber(env.OTEL_BLRP_MAX_QUEUE_SIZE) ?? 32_768,
    scheduledDelayMillis: otelNumber(env.OTEL_BLRP_SCHEDULE_DELAY) ?? 1000,
    maxExportBatchSize: otelNumber(env.OTEL_BLRP_MAX_EXPORT_BATCH_SIZE) ?? 512,
    exportTimeoutMillis: otelNumber(env.OTEL_BLRP_EXPORT_TIMEOUT) ?? 30_000,
    attributeCountLimit:
      otelNumber(env.OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT) ?? otelNumber(env.OTEL_ATTRIBUTE_COUNT_LIMIT) ?? 128,
    attributeValueLengthLimit:
      otelNumber(env.OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT) ?? otelNumber(env.OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT),
  };
}

/**
 * A number of an `OTEL_*` variable. What is no number, or none that a timer can wait for in milliseconds, counts as not
 * set (OpenTelemetry, "Environment variables").
 */
function otelNumber(text: string | undefined): number | undefined {
  const value = Number(text);
  return value >= 1 && value < 2 ** 31 ? value : undefined;
}
