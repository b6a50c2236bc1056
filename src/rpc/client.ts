/** The gateway's side of the RPC: one POST a call, with its span, its deadline and its error as ours. */

import { type Context, SpanKind, type Tracer } from "@opentelemetry/api";
import { meanings, TaskError } from "../errors.ts";
import { key } from "../telemetry/names.ts";
import { toCarrier } from "../telemetry/propagation.ts";
import { markFailed, startSpan } from "../telemetry/tracing.ts";
import { contentTypes, fromErrorResponse, fullMethod, type RpcMethod, type RpcMethods } from "./connect.ts";
import { type CallMetadata, correlationHeader, requestIdHeader, timeoutHeader } from "./metadata.ts";

export interface CallOptions extends CallMetadata {
  timeoutMs: number;
}

export interface TaskServiceClient {
  call<M extends RpcMethod>(
    method: M,
    request: RpcMethods[M]["request"],
    context: Context,
    options: CallOptions,
  ): Promise<RpcMethods[M]["response"]>;
}

export function createTaskServiceClient(url: string, tracer: Tracer): TaskServiceClient {
  const { hostname, port, protocol } = new URL(url);
  const spanAttributes = {
    [key.rpcSystemName]: "connectrpc",
    [key.serverAddress]: hostname,
    [key.serverPort]: Number(port) || (protocol === "https:" ? 443 : 80),
  };
  return {
    async call(method, request, context, { correlationId, requestId, timeoutMs }) {
      const name = fullMethod(method);
      const attributes = { ...spanAttributes, [key.rpcMethod]: name };
      const { span, context: called } = startSpan(tracer, name, context, { kind: SpanKind.CLIENT, attributes });
      try {
        const response = await post(`${url}/${name}`, JSON.stringify(request), timeoutMs, {
          "content-type": contentTypes.json,
          "connect-protocol-version": "1",
          [timeoutHeader]: String(timeoutMs),
          [correlationHeader]: correlationId,
          [requestIdHeader]: requestId,
          ...toCarrier(called),
        });
        if (!response.ok) throw await fromErrorResponse(response);
        span.setAttribute(key.rpcStatusCode, "ok");
        // The task service answers with the method's own message; both are of this version or one that understands it.
        return (await response.json()) as RpcMethods[typeof method]["response"];
      } catch (error) {
        const failed = toCallError(error, name);
        span.setAttribute(key.rpcStatusCode, meanings[failed.code].rpcCode);
        markFailed(span, { type: meanings[failed.code].rpcCode, message: failed.message });
        throw failed;
      } finally {
        span.end();
      }
    },
  };
}

function post(url: string, body: string, timeoutMs: number, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(timeoutMs) });
}

function toCallError(error: unknown, name: string): TaskError {
  if (error instanceof TaskError) return error;
  if (error instanceof Error && error.name === "TimeoutError") {
    return new TaskError("deadline_exceeded", `${name} took too long`, { cause: error });
  }
  const options = { cause: error, retryAfterMs: 1000 };
  return new TaskError("unavailable", `the task service cannot be reached`, options);
}
