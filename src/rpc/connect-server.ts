/** The task service's side of the RPC: reads a Connect unary call, opens its span, calls the method, answers. */

import type { JsonValue } from "@bufbuild/protobuf";
import { type Context, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { createAdmission } from "../admission.ts";
import { meanings, serverFaults, TaskError, toFailure, toTaskError } from "../errors.ts";
import { readBody } from "../http-body.ts";
import type { HttpHandler } from "../listen.ts";
import type { Logger } from "../telemetry/log.ts";
import { key } from "../telemetry/names.ts";
import { fromMetadata } from "../telemetry/propagation.ts";
import { markFailed, recordException, startSpan } from "../telemetry/tracing.ts";
import {
  canonical,
  codecOf,
  contentTypes,
  decodeMessage,
  encodeMessage,
  fullMethod,
  type RpcMethod,
  type RpcMethods,
  rpcSchemas,
  serviceName,
  toErrorResponse,
} from "./connect.ts";
import { type CallMetadata, correlationHeader, keptCorrelationId, keptRequestId, requestIdHeader } from "./metadata.ts";

/** What a method gets besides its request. */
export interface Call extends CallMetadata {
  context: Context;
  span: Span;
}

export type RpcHandlers = {
  [M in RpcMethod]: (request: unknown, call: Call) => Promise<RpcMethods[M]["response"]>;
};

export interface RpcServerOptions {
  tracer: Tracer;
  log: Logger;
  /** `host` and `port` that the server listens on. */
  address: () => { host: string; port: number };
  newCorrelationId: () => string;
}

/** A gateway's body of 256 KiB grows by what JSON escapes; nobody sends more than this in good faith. */
const maxMessageBytes = 1024 * 1024;

/** Calls that are not answered yet: what a gateway may have in progress, those that it holds included. */
const maxCallsInProgress = 5120;

export function createRpcHandler(handlers: RpcHandlers, options: RpcServerOptions): HttpHandler {
  const admit = createAdmission(maxCallsInProgress, "calls in progress");
  return async (request) => {
    const method = methodOf(new URL(request.url).pathname);
    if (!method) return new Response(null, { status: 404 });
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    const codec = codecOf(request.headers.get("content-type"));
    if (!codec) {
      const accepted = Object.values(contentTypes).join(", ");
      return new Response(null, { status: 415, headers: { "accept-post": accepted } });
    }
    const { host, port } = options.address();
    const { span, context } = startSpan(options.tracer, fullMethod(method), fromMetadata(request.headers), {
      kind: SpanKind.SERVER,
      attributes: {
        [key.rpcSystemName]: "connectrpc",
        [key.rpcMethod]: fullMethod(method),
        [key.serverAddress]: host,
        [key.serverPort]: port,
      },
    });
    const call: Call = {
      context,
      span,
      correlationId: keptCorrelationId(request.headers.get(correlationHeader)) ?? options.newCorrelationId(),
      requestId: keptRequestId(request.headers.get(requestIdHeader)) ?? "",
    };
    const schemas = rpcSchemas[method];
    try {
      refuseEncoding(request);
      const answer = await admit(async () => {
        const body = await readBody(request, maxMessageBytes);
        return handlers[method](decodeMessage(schemas.request, codec, body), call);
      });
      span.setAttribute(key.rpcStatusCode, "ok");
      // An answer is plain JSON by the type of its method.
      const encoded = encodeMessage(schemas.response, codec, answer as JsonValue);
      return new Response(encoded, { headers: { "content-type": contentTypes[codec] } });
    } catch (thrown) {
      const error = toTaskError(thrown);
      const { rpcCode } = meanings[error.code];
      span.setAttribute(key.rpcStatusCode, rpcCode);
      if (serverFaults.has(rpcCode)) markFailed(span, { type: rpcCode, message: error.message });
      else span.setAttribute(key.errorType, rpcCode);
      if (error.code === "internal") {
        const failure = toFailure(thrown);
        recordException(span, failure);
        options.log.in(context).error("call failed", { rpc_method: fullMethod(method), error: failure });
      }
      return toErrorResponse(error);
    } finally {
      span.end();
    }
  };
}

/** Parses with `parse`; when that refuses, once more after bringing protobuf's other spellings into the canonical one. */
export function parseMessage<T>(
  method: RpcMethod,
  message: unknown,
  parse: (message: unknown) => { success: true; data: T } | { success: false },
): T {
  const first = parse(message);
  if (first.success) return first.data;
  // It came out of JSON.parse.
  const second = parse(canonical(rpcSchemas[method].request, message as JsonValue));
  if (second.success) return second.data;
  throw new TaskError("invalid_argument", `the ${method} request does not fit`);
}

function methodOf(path: string): RpcMethod | undefined {
  const [, service, method = ""] = path.split("/");
  // Found among the keys.
  return service === serviceName && Object.hasOwn(rpcSchemas, method) ? (method as RpcMethod) : undefined;
}

function refuseEncoding(request: Request): void {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new TaskError("unimplemented", `the content-encoding "${encoding}" is not supported; send identity`);
  }
}
