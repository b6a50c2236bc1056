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
import { type Caller, callerId, isTrusted, mayForce } from "../access/caller.ts";
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
import { cutText, cutUrl, knownMethod, methodName, serverAttributes } from "../telemetry/spans/attributes.ts";
import { type PreparedSpan, prepareSpan } from "../telemetry/spans/prepared-span.ts";
import { forceSampling } from "../telemetry/spans/sampling.ts";
import { newTaskId } from "../words/task-id.ts";

/** `true`: this request, and the task that it makes, are sampled whole. */
const forceHeader = "x-force-trace";

export interface RequestTrace extends CallMetadata {
  span: Span;
  context: Context;
}

/** A request, and what the gateway knows of it. */
export interface EdgeContext {
  request: Request;
  peer: Peer;
  caller: Caller;
  trace: RequestTrace;
  /** Decoded, but for what would change where its parts begin. */
  path: string;
  /** What is left for the caller, once it was asked. */
  allowance: Allowance | undefined;
}

/** What the router has of a request. */
export interface Edge {
  Bindings: { peer: Peer };
}

export type Answering = (c: EdgeContext) => Response | Promise<Response>;

/** Answers in the trace of the request. `route`: as the conventions write it; undefined where no route takes the request. */
export type Serve = (h: HonoContext<Edge>, route: string | undefined, answer: Answering) => Promise<Response>;

/** One RPC in the trace of the request; `heldMs`: how long the task service is asked to hold it, `signal`: until when. */
export type CallInRequest = (
  c: EdgeContext,
  method: RpcMethod,
  request: object,
  heldMs?: number,
  signal?: AbortSignal,
) => Promise<RpcAnswer>;

/** Where a route has not said otherwise: OWASP REST Security Cheat Sheet, "Security Headers". TLS, and with it HSTS, is the proxy's. */
const securityHeaders = Object.entries({
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
});

/** What most answers have: copied as a whole, which costs a tenth of setting one after the other. */
const usualHeaders = new Headers([["content-type", "application/json;charset=utf-8"], ...securityHeaders]);

/** The record that the task service has written, as it is. */
export function answerWith(
  { json }: Pick<RpcAnswer, "json">,
  status = 200,
  headers: Record<string, string> = {},
): Response {
  const answer = new Response(json, { status, headers: usualHeaders });
  for (const name in headers) answer.headers.set(name, headers[name] ?? "");
  return answer;
}

/** The header `name` of a request. */
export function headerOf({ request }: EdgeContext, name: string): string | undefined {
  return request.headers.get(name) ?? undefined;
}

/** `path` below the same prefix as the request's own. */
export function pathOf(c: EdgeContext, path: string): string {
  return `${c.path.startsWith("/v1/") ? "/v1" : ""}${path}`;
}

interface TraceOptions {
  tracer: Tracer;
  /** Whether the trace of a caller is continued whose key does not say otherwise. */
  trustTraceContext: boolean;
  /** Whether one more trace may be forced now. */
  admitForced(): boolean;
}

/** `route`: its path as the conventions write it, `/v1/tasks/{id}`; undefined when no route takes the request. */
type StartTrace = (request: Request, peer: Peer, caller: Caller, route: string | undefined) => RequestTrace;

export function createRequestTraces({ tracer, trustTraceContext, admitForced }: TraceOptions): StartTrace {
  const spanOf = createServerSpans(tracer);
  return (request, peer, caller, route) => {
    const { method, headers } = request;
    const { parent, links } = placeRequest(fromHeaders(headers), isTrusted(caller, trustTraceContext));
    const correlationId = keptCorrelationId(headers.get(correlationHeader)) ?? newTaskId();
    const wantsForce = headers.get(forceHeader)?.toLowerCase() === "true";
    const placed = wantsForce && mayForce(caller) && admitForced() ? forceSampling(parent) : parent;
    const attributes = requestAttributes(request, peer);
    attributes[ownKey.correlationId] = correlationId;
    const id = callerId(caller);
    if (id !== undefined) attributes[ownKey.caller] = id;
    const { span, context } = spanOf(method, route).start(placed, { attributes, links });
    return { span, context, correlationId, requestId: keptRequestId(headers.get(requestIdHeader)) ?? newTaskId() };
  };
}

/** As many as there are routes, with each method that is known. */
function createServerSpans(tracer: Tracer): (method: string, route: string | undefined) => PreparedSpan {
  const prepared = new Map<string, PreparedSpan>();
  return (method, route) => {
    const name = route === undefined ? methodName(method) : `${methodName(method)} ${route}`;
    const known = prepared.get(name);
    if (known) return known;
    const made = prepareSpan(tracer, {
      name,
      kind: SpanKind.SERVER,
      attributes: {
        [key.httpRequestMethod]: knownMethod(method),
        [key.urlScheme]: usualScheme,
        [key.networkProtocolVersion]: "1.1",
        ...(route !== undefined && { [key.httpRoute]: route }),
      },
    });
    prepared.set(name, made);
    return made;
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

/** Ends the server span, gives the answer the caller's ids and, where its route has not said otherwise, the usual headers. */
export function finishRequestTrace(
  { span, correlationId, requestId }: RequestTrace,
  { status, headers }: Response,
): void {
  for (const [name, value] of securityHeaders) if (!headers.has(name)) headers.set(name, value);
  headers.set(correlationHeader, correlationId);
  headers.set(requestIdHeader, requestId);
  // W3C Trace Context Level 2, "traceresponse".
  headers.set("traceresponse", formatTraceparent(span.spanContext()));
  span.setAttribute(key.httpResponseStatusCode, status);
  span.end();
}

const usualScheme = "http";

/** What is its own of a request. */
function requestAttributes({ url, method, headers }: Request, peer: Peer): Attributes {
  const read = new URL(url);
  const attributes = serverAttributes(read);
  attributes[key.urlPath] = cutUrl(read.pathname);
  const scheme = read.protocol.slice(0, -1);
  if (scheme !== usualScheme) attributes[key.urlScheme] = scheme;
  if (knownMethod(method) !== method) attributes[key.httpRequestMethodOriginal] = cutText(method);
  if (peer.address) attributes[key.clientAddress] = peer.address;
  const userAgent = headers.get("user-agent");
  if (userAgent) attributes[key.userAgentOriginal] = cutText(userAgent);
  if (read.search.length > 1) attributes[key.urlQuery] = cutUrl(read.search.slice(1));
  return attributes;
}
