/**
 * The edge of the trace: continues the caller's trace or starts one, opens the server span, and puts who-asked and
 * which-trace on every answer, errors included.
 */

import { type Attributes, type Context, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { v7 as uuidv7, validate } from "uuid";
import type { Peer } from "../listen.ts";
import { type CallMetadata, correlationHeader, requestIdHeader } from "../rpc/metadata.ts";
import { key, ownKey } from "../telemetry/names.ts";
import { fromHeaders, spanContextOf, withoutSpan } from "../telemetry/propagation.ts";
import { forceSampling } from "../telemetry/sampling.ts";
import { linksTo, startSpan } from "../telemetry/tracing.ts";

/** `true`: this request, and the task that it makes, are sampled whole. */
const forceHeader = "x-force-trace";

export interface RequestTrace extends CallMetadata {
  span: Span;
  context: Context;
}

export interface EdgeOptions {
  tracer: Tracer;
  trustTraceContext: boolean;
  /** Whether one more caller may force its trace now. */
  admitForced(): boolean;
}

export function startRequestTrace(request: Request, url: URL, peer: Peer, options: EdgeOptions): RequestTrace {
  const outside = fromHeaders(request.headers);
  const parent = options.trustTraceContext ? outside : withoutSpan(outside);
  const links = options.trustTraceContext ? [] : linksTo(spanContextOf(outside));
  const correlationId = keptCorrelationId(request.headers.get(correlationHeader)) ?? uuidv7();
  const isForced = request.headers.get(forceHeader)?.toLowerCase() === "true" && options.admitForced();
  const { span, context } = startSpan(options.tracer, request.method, isForced ? forceSampling(parent) : parent, {
    kind: SpanKind.SERVER,
    attributes: { ...serverAttributes(request, url, peer), [ownKey.correlationId]: correlationId },
    links,
  });
  return {
    span,
    context,
    correlationId,
    requestId: keptRequestId(request.headers.get(requestIdHeader)) ?? uuidv7(),
  };
}

/** Ends the server span and tells the caller its ids. `route` is undefined when no route matched. */
export function finishRequestTrace(
  trace: RequestTrace,
  method: string,
  route: string | undefined,
  answer: Response,
): void {
  const { span } = trace;
  if (route !== undefined) {
    span.setAttribute(key.httpRoute, route);
    span.updateName(`${method} ${route}`);
  }
  span.setAttribute(key.httpResponseStatusCode, answer.status);
  const { traceId, spanId, traceFlags } = span.spanContext();
  answer.headers.set(correlationHeader, trace.correlationId);
  answer.headers.set(requestIdHeader, trace.requestId);
  // W3C Trace Context Level 2, "traceresponse".
  answer.headers.set("traceresponse", `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`);
  span.end();
}

function serverAttributes(request: Request, url: URL, peer: Peer): Attributes {
  const userAgent = request.headers.get("user-agent");
  return {
    [key.httpRequestMethod]: request.method,
    [key.urlPath]: url.pathname,
    [key.urlScheme]: url.protocol.slice(0, -1),
    [key.serverAddress]: url.hostname,
    [key.serverPort]: Number(url.port) || 80,
    [key.networkProtocolVersion]: "1.1",
    ...(peer.address && { [key.clientAddress]: peer.address }),
    ...(userAgent && { [key.userAgentOriginal]: userAgent }),
    ...(url.search.length > 1 && { [key.urlQuery]: url.search.slice(1) }),
  };
}

/** Kept when it is a UUID or up to 64 harmless characters. */
function keptCorrelationId(header: string | null): string | undefined {
  return header !== null && (validate(header) || /^[A-Za-z0-9._-]{1,64}$/.test(header)) ? header : undefined;
}

/** Visible ASCII, as every log and header can carry it. */
function keptRequestId(header: string | null): string | undefined {
  return header !== null && /^[\x21-\x7e]{1,128}$/.test(header) ? header : undefined;
}
