/**
 * A request at the gateway: its caller, its trace, and the way to the task service in that trace.
 *
 * The edge of the trace: continues the caller's trace or starts one, opens the server span, and puts who-asked and
 * which-trace on every answer, errors included.
 */

import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type Tracer,
} from "@opentelemetry/api";
import type { Context as HonoContext } from "hono";
import { v7 as uuidv7 } from "uuid";
import type { Caller } from "../access/caller.ts";
import type { Allowance } from "../access/rate-limit.ts";
import type { Peer } from "../http/listen.ts";
import type { RpcMethod } from "../rpc/methods.ts";
import type { RpcAnswer } from "../rpc/transport.ts";
import {
  type CallMetadata,
  correlationHeader,
  keptCorrelationId,
  keptRequestId,
  requestIdHeader,
} from "../rpc/wire.ts";
import { fromHeaders, spanContextOf, withoutOwnMember } from "../telemetry/context/propagation.ts";
import { formatTraceparent } from "../telemetry/context/trace-context.ts";
import { key, ownKey } from "../telemetry/names.ts";
import { cutText, cutUrl, methodAttributes, methodName, serverAttributes } from "../telemetry/spans/attributes.ts";
import { forceSampling } from "../telemetry/spans/sampling.ts";
import { startSpan } from "../telemetry/spans/tracing.ts";

/** `true`: this request, and the task that it makes, are sampled whole. */
const forceHeader = "x-force-trace";

export interface RequestTrace extends CallMetadata {
  span: Span;
  context: Context;
}

/** What every route has. */
export interface Edge {
  Bindings: { peer: Peer };
  Variables: { trace: RequestTrace; caller: Caller; allowance?: Allowance };
}

export type EdgeContext = HonoContext<Edge>;

/** One RPC in the trace of the request; `heldMs`: how long the task service is asked to hold it, `signal`: until when. */
export type CallInRequest = (
  c: EdgeContext,
  method: RpcMethod,
  request: object,
  heldMs?: number,
  signal?: AbortSignal,
) => Promise<RpcAnswer>;

/** The record that the task service has written, as it is. */
export function answerWith(
  { json }: Pick<RpcAnswer, "json">,
  status = 200,
  headers: Record<string, string> = {},
): Response {
  return new Response(json, { status, headers: { "content-type": "application/json;charset=utf-8", ...headers } });
}

/** `path` below the same prefix as the request's own. */
export function pathOf(c: EdgeContext, path: string): string {
  return `${c.req.path.startsWith("/v1/") ? "/v1" : ""}${path}`;
}

export interface EdgeOptions {
  tracer: Tracer;
  trustTraceContext: boolean;
  /** Whether this caller may force its trace now. */
  admitForced(): boolean;
  /** The name of the caller's key, if there is one. */
  callerId: string | undefined;
}

export function startRequestTrace(request: Request, url: URL, peer: Peer, options: EdgeOptions): RequestTrace {
  const { parent, links } = placeRequest(fromHeaders(request.headers), options.trustTraceContext);
  const correlationId = keptCorrelationId(request.headers.get(correlationHeader)) ?? uuidv7();
  const isForced = request.headers.get(forceHeader)?.toLowerCase() === "true" && options.admitForced();
  const placed = isForced ? forceSampling(parent) : parent;
  const { span, context } = startSpan(options.tracer, methodName(request.method), placed, {
    kind: SpanKind.SERVER,
    attributes: {
      ...requestAttributes(request, url, peer),
      [ownKey.correlationId]: correlationId,
      ...(options.callerId !== undefined && { [ownKey.caller]: options.callerId }),
    },
    links,
  });
  return {
    span,
    context,
    correlationId,
    requestId: keptRequestId(request.headers.get(requestIdHeader)) ?? uuidv7(),
  };
}

/**
 * Where the span of a request belongs. A trusted caller's trace is continued, without our own tracestate member. Of
 * one who is not trusted nothing gets in, baggage and tracestate included, but a link to where the request came from.
 */
function placeRequest(outside: Context, isTrusted: boolean): { parent: Context; links: Link[] } {
  if (isTrusted) return { parent: withoutOwnMember(outside), links: [] };
  const caller = spanContextOf(outside);
  // A span that is not remote was not the caller's: it has denied to be traced without naming one.
  if (!caller?.isRemote) return { parent: ROOT_CONTEXT, links: [] };
  const { traceState: _, ...context } = caller;
  return { parent: ROOT_CONTEXT, links: [{ context }] };
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
    span.updateName(`${methodName(method)} ${route}`);
  }
  span.setAttribute(key.httpResponseStatusCode, answer.status);
  answer.headers.set(correlationHeader, trace.correlationId);
  answer.headers.set(requestIdHeader, trace.requestId);
  // W3C Trace Context Level 2, "traceresponse".
  answer.headers.set("traceresponse", formatTraceparent(span.spanContext()));
  span.end();
}

function requestAttributes(request: Request, url: URL, peer: Peer): Attributes {
  const userAgent = request.headers.get("user-agent");
  return {
    ...methodAttributes(request.method),
    ...serverAttributes(url),
    [key.urlPath]: cutUrl(url.pathname),
    [key.urlScheme]: url.protocol.slice(0, -1),
    [key.networkProtocolVersion]: "1.1",
    ...(peer.address && { [key.clientAddress]: peer.address }),
    ...(userAgent && { [key.userAgentOriginal]: cutText(userAgent) }),
    ...(url.search.length > 1 && { [key.urlQuery]: cutUrl(url.search.slice(1)) }),
  };
}
