/**
 * The variables of OpenTelemetry ("Environment variable specification") that are set and have no effect here, or not the
 * one that their value asks for. The start and `throughline doctor` name each of them, with what to set instead.
 */

import { diagnosticsLevels, propagatorNames } from "./otel-settings.ts";

export interface UnsupportedVariable {
  variable: string;
  value: string;
  /** What to set, or where to look, in place of it. */
  instead: string;
}

interface Rule {
  variables: RegExp;
  /** The values that are honoured, in lower case; of a comma list each word. None when left out. */
  honoured?: readonly string[] | RegExp;
  instead: string;
}

const otlpPort =
  "send OTLP by http/protobuf: set OTEL_EXPORTER_OTLP_ENDPOINT to the collector's HTTP port, usually 4318";

/** What a timer or a count can be. */
const wholeNumber = /^[1-9]\d{0,8}$/;

const rules: readonly Rule[] = [
  {
    variables: /^OTEL_(B(SP|LRP)_\w+|METRIC_EXPORT_(INTERVAL|TIMEOUT))$/,
    honoured: wholeNumber,
    instead: "a whole number from 1; times are in milliseconds",
  },
  {
    variables: /^OTEL_EXPORTER_OTLP_((TRACES|METRICS|LOGS)_)?TIMEOUT$/,
    honoured: wholeNumber,
    instead: "a whole number of milliseconds, such as 10000",
  },
  {
    variables: /^OTEL_EXPORTER_OTLP_((TRACES|METRICS|LOGS)_)?COMPRESSION$/,
    honoured: ["gzip", "none"],
    instead: "gzip or none",
  },
  {
    variables: /^OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE$/,
    honoured: ["cumulative", "delta", "lowmemory"],
    instead: "cumulative, delta or lowmemory",
  },
  { variables: /^OTEL_SDK_DISABLED$/, honoured: ["true", "false"], instead: "true or false" },
  { variables: /^OTEL_LOG_LEVEL$/, honoured: diagnosticsLevels, instead: `one of ${diagnosticsLevels.join(", ")}` },
  {
    variables: /^OTEL_EXPORTER_OTLP_((TRACES|METRICS|LOGS)_)?PROTOCOL$/,
    honoured: ["http/protobuf"],
    instead: otlpPort,
  },
  {
    variables: /^OTEL_EXPORTER_OTLP_((TRACES|METRICS|LOGS|SPAN|METRIC)_)?INSECURE$/,
    instead: "give the endpoint the scheme http:// or https://",
  },
  {
    variables: /^OTEL_METRICS_EXPORTER$/,
    honoured: ["otlp", "none"],
    instead: "otlp or none; Prometheus text is always at /metrics of --admin-listen",
  },
  { variables: /^OTEL_(TRACES|LOGS)_EXPORTER$/, honoured: ["otlp", "none"], instead: "otlp or none" },
  { variables: /^OTEL_EXPORTER_PROMETHEUS_(HOST|PORT)$/, instead: "--admin-listen, which serves /metrics" },
  { variables: /^OTEL_EXPORTER_(ZIPKIN|JAEGER)_/, instead: otlpPort },
  {
    variables: /^OTEL_PROPAGATORS$/,
    honoured: propagatorNames,
    instead: `one or more of ${propagatorNames.join(", ")}`,
  },
  {
    variables: /^OTEL_METRICS_EXEMPLAR_FILTER$/,
    honoured: ["trace_based"],
    instead: "trace_based: exemplars are of sampled spans",
  },
  {
    variables: /^OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION$/,
    honoured: ["explicit_bucket_histogram"],
    instead: "explicit_bucket_histogram, with the buckets that docs/telemetry.md lists",
  },
  { variables: /^OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT$/, instead: "OTEL_SPAN_ATTRIBUTE_PER_EVENT_COUNT_LIMIT" },
  { variables: /^OTEL_LINK_ATTRIBUTE_COUNT_LIMIT$/, instead: "OTEL_SPAN_ATTRIBUTE_PER_LINK_COUNT_LIMIT" },
  {
    variables: /^OTEL_(EXPERIMENTAL_)?CONFIG_FILE$/,
    instead: "the single OTEL_ variables, and the settings that `throughline config` lists",
  },
  { variables: /^OTEL_ENTITIES$/, instead: "OTEL_RESOURCE_ATTRIBUTES" },
  { variables: /^OTEL_SEMCONV_STABILITY_OPT_IN$/, instead: "--semconv-compat, which adds the attributes of old names" },
  {
    variables: /^OTEL_NODE_(RESOURCE_DETECTORS|(ENABLED|DISABLED)_INSTRUMENTATIONS)$/,
    instead: "nothing: spans and resources are made without instrumentation packages",
  },
];

const serviceName: Rule = {
  variables: /^OTEL_SERVICE_NAME$/,
  instead: "a process with one --role; with several, each role has a service.name of its own",
};

export function unsupportedVariables(
  env: Record<string, string | undefined>,
  roles: readonly string[],
): UnsupportedVariable[] {
  const inForce = roles.length > 1 ? [...rules, serviceName] : rules;
  return Object.entries(env).flatMap(([variable, value]) => {
    // OpenTelemetry: an empty value is the same as none.
    if (!variable.startsWith("OTEL_") || !value?.trim()) return [];
    const rule = inForce.find(({ variables }) => variables.test(variable));
    if (!rule || isHonoured(value, rule)) return [];
    return [{ variable, value, instead: rule.instead }];
  });
}

function isHonoured(value: string, { honoured = [] }: Rule): boolean {
  const words = value.split(",").map((word) => word.trim().toLowerCase());
  return words.every(
    (word) => word === "" || (honoured instanceof RegExp ? honoured.test(word) : honoured.includes(word)),
  );
}
