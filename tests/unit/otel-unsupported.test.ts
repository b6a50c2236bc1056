/** Which variables of OpenTelemetry the start has to name, because they do not do what they ask for. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { unsupportedVariables } from "../../src/settings/otel-unsupported.ts";

test.each<[variable: string, value: string, instead: string | RegExp]>([
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", /4318/],
  ["OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", /http\/protobuf/],
  ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "GRPC", /4318/],
  ["OTEL_EXPORTER_OTLP_INSECURE", "true", /scheme/],
  ["OTEL_METRICS_EXPORTER", "prometheus", /\/metrics/],
  ["OTEL_METRICS_EXPORTER", "otlp,prometheus", /\/metrics/],
  ["OTEL_TRACES_EXPORTER", "console", "otlp or none"],
  ["OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"],
  ["OTEL_LOGS_EXPORTER", "logging", "otlp or none"],
  ["OTEL_EXPORTER_PROMETHEUS_PORT", "9090", /--admin-listen/],
  ["OTEL_EXPORTER_ZIPKIN_ENDPOINT", "http://zipkin:9411", /OTEL_EXPORTER_OTLP_ENDPOINT/],
  ["OTEL_EXPORTER_JAEGER_AGENT_HOST", "jaeger", /OTEL_EXPORTER_OTLP_ENDPOINT/],
  ["OTEL_PROPAGATORS", "tracecontext,xray", /b3multi/],
  ["OTEL_METRICS_EXEMPLAR_FILTER", "always_on", /trace_based/],
  ["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "5", "OTEL_SPAN_ATTRIBUTE_PER_EVENT_COUNT_LIMIT"],
  ["OTEL_CONFIG_FILE", "otel.yaml", /throughline config/],
  ["OTEL_SEMCONV_STABILITY_OPT_IN", "http/dup", /--semconv-compat/],
  ["OTEL_BSP_SCHEDULE_DELAY", "-1", /whole number/],
  ["OTEL_BLRP_MAX_QUEUE_SIZE", "1e99", /whole number/],
  ["OTEL_METRIC_EXPORT_INTERVAL", "60s", /milliseconds/],
  ["OTEL_EXPORTER_OTLP_TIMEOUT", "10s", /10000/],
  ["OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "zstd", "gzip or none"],
  ["OTEL_SDK_DISABLED", "yes", "true or false"],
  ["OTEL_LOG_LEVEL", "loud", /verbose/],
])("%s=%s is named, with what to set instead", (variable, value, instead) => {
  const [named, ...more] = unsupportedVariables({ [variable]: value, PATH: "/bin" }, ["worker"]);
  expect([named?.variable, named?.value, more]).toEqual([variable, value, []]);
  expect(named?.instead).toMatch(instead);
});

test.each([
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf", OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: " HTTP/protobuf " }],
  [{ OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "otlp", OTEL_LOGS_EXPORTER: "OTLP," }],
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: "", OTEL_TRACES_EXPORTER: " ", OTEL_CONFIG_FILE: "" }],
  [{ OTEL_PROPAGATORS: "tracecontext,baggage,b3" }],
  [{ OTEL_SDK_DISABLED: "TRUE", OTEL_LOG_LEVEL: "INFO", OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" }],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_BSP_SCHEDULE_DELAY: "5", OTEL_PYTHON_LOG_LEVEL: "info" }],
])("%p is honoured, or not about this program", (env) => {
  expect(unsupportedVariables(env, ["gateway", "worker"])).toEqual([]);
});

test("OTEL_SERVICE_NAME is named only where several roles have names of their own", () => {
  const env = { OTEL_SERVICE_NAME: "mine" };
  expect(unsupportedVariables(env, ["worker"])).toEqual([]);
  expect(unsupportedVariables(env, ["worker", "dlq"])).toMatchObject([{ variable: "OTEL_SERVICE_NAME" }]);
});

test("an exporter or a protocol is named unless each of its words is honoured", () => {
  const words = fc.array(fc.constantFrom("otlp", "none", "prometheus", "console", "zipkin", "", " "), { maxLength: 4 });
  fc.assert(
    fc.property(words, fc.constantFrom("TRACES", "METRICS", "LOGS"), (list, signal) => {
      const isNamed = unsupportedVariables({ [`OTEL_${signal}_EXPORTER`]: list.join(",") }, []).length > 0;
      expect(isNamed).toBe(list.some((word) => !["otlp", "none", "", " "].includes(word)));
    }),
  );
});
