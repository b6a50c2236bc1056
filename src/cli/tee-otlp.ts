/** Telemetry for two: hands each OTLP request to `receiver`, and passes it on to where the user's settings send it. */

import type { HttpHandler } from "../http/listen.ts";
import type { OtelSettings } from "../settings/otel-settings.ts";

const limitMs = 5000;

export function teeOtlp(otel: OtelSettings, receiver: HttpHandler): HttpHandler {
  const targets: Record<string, string | undefined> = {
    "/v1/traces": otel.tracesUrl,
    "/v1/metrics": otel.metricsUrl,
    "/v1/logs": otel.logsUrl,
  };
  return async (request, peer) => {
    const target = targets[new URL(request.url).pathname];
    if (target !== undefined) {
      const { method, headers } = request;
      const body = await request.clone().arrayBuffer();
      // The user's collector may be away: that is no concern of whoever watches here.
      fetch(target, { method, headers, body, signal: AbortSignal.timeout(limitMs) }).catch(() => {});
    }
    return receiver(request, peer);
  };
}
