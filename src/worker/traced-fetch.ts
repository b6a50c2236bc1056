/** `ctx.fetch`: a CLIENT span for each call, whose context the request carries on. */

import { type Context, context as contextApi, SpanKind, type Tracer, trace } from "@opentelemetry/api";
import { toFailure } from "../errors.ts";
import { key } from "../telemetry/names.ts";
import { toCarrier } from "../telemetry/propagation.ts";
import { markFailed, startSpan } from "../telemetry/tracing.ts";
import type { HandlerContext } from "./handler.ts";

export interface TracedFetchOptions {
  tracer: Tracer;
  /** The run's own context, for calls made where the thread's active one was lost. */
  context: Context;
}

export function createTracedFetch({ tracer, context }: TracedFetchOptions): HandlerContext["fetch"] {
  return async (target, init = {}) => {
    const url = new URL(target);
    const method = init.method?.toUpperCase() ?? "GET";
    const active = contextApi.active();
    const { span, context: called } = startSpan(tracer, method, trace.getSpan(active) ? active : context, {
      kind: SpanKind.CLIENT,
      attributes: {
        [key.httpRequestMethod]: method,
        [key.urlFull]: withoutSecrets(url),
        [key.serverAddress]: url.hostname,
        [key.serverPort]: Number(url.port) || (url.protocol === "https:" ? 443 : 80),
      },
    });
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(toCarrier(called))) headers.set(name, value);
    try {
      const answer = await fetch(url, { ...init, headers });
      span.setAttribute(key.httpResponseStatusCode, answer.status);
      if (answer.status >= 400) markFailed(span, { type: String(answer.status), message: String(answer.status) });
      return answer;
    } catch (error) {
      markFailed(span, toFailure(error));
      throw error;
    } finally {
      span.end();
    }
  };
}

/** OpenTelemetry semantic conventions 1.45, `url.full`: these query values are redacted, and credentials always. */
const secretParameters = ["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature", "access_token", "api_key", "token"];

export function withoutSecrets(url: URL): string {
  const shown = new URL(url);
  if (shown.username) shown.username = "REDACTED";
  if (shown.password) shown.password = "REDACTED";
  for (const name of secretParameters) if (shown.searchParams.has(name)) shown.searchParams.set(name, "REDACTED");
  return shown.href;
}
