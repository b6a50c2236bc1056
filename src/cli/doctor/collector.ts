/** Looks whether the collector takes spans, and whether a variable of OpenTelemetry asks for what is not supported. */

import type { Config } from "../../config.ts";
import { probeExport } from "../../telemetry/export/otlp-exporter.ts";
import { type Finding, failed, ok, warn } from "./finding.ts";

const limitMs = 3000;

export async function lookAtCollector(config: Config): Promise<Finding[]> {
  const unsupported = config.unsupportedVariables.map(({ variable, value, instead }) =>
    warn("collector", `${variable}=${value} has no effect`, instead),
  );
  return [...(await lookAtEndpoint(config)), ...unsupported];
}

async function lookAtEndpoint({ otel, role }: Config): Promise<Finding[]> {
  if (otel.disabled) return [ok("collector", "OTEL_SDK_DISABLED is true: nothing is exported")];
  if (!otel.tracesUrl && role.includes("console")) {
    return [ok("collector", "no endpoint is set: traces stay in the console of this process")];
  }
  if (!otel.tracesUrl) {
    return [warn("collector", "no endpoint is set: no trace leaves", "set OTEL_EXPORTER_OTLP_ENDPOINT")];
  }
  const error = await probeExport(otel.tracesUrl, limitMs);
  if (!error) return [ok("collector", `${otel.tracesUrl} takes spans`)];
  const detail = `${otel.tracesUrl} takes no spans: ${error.name}: ${error.message}`;
  return [failed("collector", detail, "start it, or set OTEL_EXPORTER_OTLP_ENDPOINT to where it is (OTLP over HTTP)")];
}
