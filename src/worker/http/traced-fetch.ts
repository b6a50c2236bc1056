/**
 * `ctx.fetch`, and every other call of a handler: a CLIENT span for each, whose context the request carries on, and with
 * it the task's correlation id.
 */

import { type Context, context as contextApi, type Span, SpanKind, type Tracer, trace } from "@opentelemetry/api";
import { correlationHeader } from "../../rpc/wire.ts";
import { toHeaders } from "../../telemetry/context/propagation.ts";
import { key } from "../../telemetry/names.ts";
import { methodAttributes, methodName, serverAttributes, urlAttribute } from "../../telemetry/spans/attributes.ts";
import { markFailed, startSpan } from "../../telemetry/spans/tracing.ts";
import { toFailure } from "../../words/errors.ts";
import type { HandlerContext } from "../handlers/handler.ts";

/** The part of `fetch` that is used here: all that a stand-in has to be. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

interface TracedFetchOptions {
  tracer: Tracer;
  /** The run's own context, for calls made where the thread's active one was lost. */
  context: Context;
  correlationId: string;
}

/** What is called, as it would be sent without a trace. */
interface Called {
  url: URL;
  method: string;
  headers: Headers;
  /** How many times it was sent elsewhere before, by redirects: `http.request.resend_count` of the conventions. */
  resendCount: number;
}

/** `send` gets the headers with the trace in them. */
type TracedCall = <T extends { status: number }>(called: Called, send: (headers: Headers) => Promise<T>) => Promise<T>;

export function createTracedCall({ tracer, context, correlationId }: TracedFetchOptions): TracedCall {
  return async ({ url, method, headers, resendCount }, send) => {
    const active = contextApi.active();
    const { span, context: called } = startSpan(tracer, methodName(method), trace.getSpan(active) ? active : context, {
      kind: SpanKind.CLIENT,
      attributes: {
        ...methodAttributes(method),
        ...urlAttribute(url),
        ...serverAttributes(url),
        ...(resendCount > 0 && { [key.httpRequestResendCount]: resendCount }),
      },
    });
    try {
      const carried = { ...toHeaders(called), [correlationHeader]: correlationId };
      const answer = await send(carryOn(new Headers(headers), carried));
      markAnswered(span, answer.status);
      return answer;
    } catch (error) {
      markFailed(span, toFailure(error));
      throw error;
    } finally {
      span.end();
    }
  };
}

/**
 * Takes what `fetch` takes. Of a `Request` it says the headers anew, by the second argument, which wins over it; all else
 * of the two goes to `fetch` as it is. What is no call by HTTP (`data:`, `blob:`) has no span, and nothing to carry on.
 */
export function createTracedFetch(
  options: TracedFetchOptions & { /** What sends it. */ fetch: Fetch },
): HandlerContext["fetch"] {
  const call = createTracedCall(options);
  const tracedFetch: Fetch = async (input, init) => {
    const called = readCall(input, init);
    if (!called?.url.protocol.startsWith("http")) return options.fetch(input, init);
    return call(called, (headers) => options.fetch(input, { ...init, headers }));
  };
  return Object.assign(tracedFetch, { preconnect: fetch.preconnect });
}

/** undefined for what is no call, such as `fetch(null)`: `fetch` itself says so best. */
function readCall(input: string | URL | Request, init: RequestInit | undefined): Called | undefined {
  try {
    const request = isRequest(input) ? input : undefined;
    const url = URL.parse(request?.url ?? String(input));
    if (!url) return undefined;
    const method = (init?.method ?? request?.method ?? "GET").toUpperCase();
    return { url, method, headers: new Headers(init?.headers ?? request?.headers), resendCount: 0 };
  } catch {
    return undefined;
  }
}

/** Also one of a library that has a class of its own. Handlers come without types too: `input` may be anything. */
export function isRequest(input: unknown): input is Request {
  return typeof input === "object" && input !== null && "url" in input;
}

/** What the handler has set itself stays; a trace context of its own would not go with our `tracestate`. */
function carryOn(headers: Headers, carried: Record<string, string>): Headers {
  const hasOwnTrace = headers.has("traceparent");
  for (const [name, value] of Object.entries(carried)) {
    if (!headers.has(name) && !(hasOwnTrace && name === "tracestate")) headers.set(name, value);
  }
  return headers;
}

function markAnswered(span: Span, status: number): void {
  span.setAttribute(key.httpResponseStatusCode, status);
  if (status >= 400) markFailed(span, { type: String(status), message: String(status) });
}
