/**
 * The gateway's side of the RPC: one POST a call, with its span, its deadline and its error as ours. A task service that
 * gives no answer, five times in a row, is not asked for a while.
 */

import { type Context, SpanKind, type Tracer } from "@opentelemetry/api";
import type { Breaker } from "../breaker.ts";
import { meanings, TaskError } from "../errors.ts";
import { key } from "../telemetry/names.ts";
import { toCarrier } from "../telemetry/propagation.ts";
import { markFailed, startSpan } from "../telemetry/tracing.ts";
import {
  type Answered,
  contentTypes,
  fromErrorAnswer,
  fullMethod,
  type RpcMethod,
  type RpcMethods,
} from "./connect.ts";
import { createHeldPost } from "./held-post.ts";
import { type CallMetadata, correlationHeader, requestIdHeader, timeoutHeader } from "./metadata.ts";

export interface CallOptions extends CallMetadata {
  timeoutMs: number;
  /** The task service is asked to hold its answer: the call is long without anything being wrong. */
  isHeld?: boolean;
}

export interface TaskServiceClient {
  call<M extends RpcMethod>(
    method: M,
    request: RpcMethods[M]["request"],
    context: Context,
    options: CallOptions,
  ): Promise<RpcMethods[M]["response"]>;
  /** Resolves when the task service is there. Has no span: it belongs to nobody's request. */
  probe(): Promise<void>;
}

export interface TaskServiceClientOptions {
  url: string;
  tracer: Tracer;
  breaker: Breaker;
}

/** A task service that is there says so within this time. */
const probeLimitMs = 2000;

export function createTaskServiceClient({ url, tracer, breaker }: TaskServiceClientOptions): TaskServiceClient {
  const { hostname, port, protocol } = new URL(url);
  const spanAttributes = {
    [key.rpcSystemName]: "connectrpc",
    [key.serverAddress]: hostname,
    [key.serverPort]: Number(port) || (protocol === "https:" ? 443 : 80),
  };
  const postHeld = createHeldPost();

  /** No method is called GET /: whatever a task service says to that shows that it is there. */
  const probe = async (): Promise<void> => {
    try {
      const { status, body } = await fetch(url, { signal: AbortSignal.timeout(probeLimitMs) });
      await body?.cancel();
      if (status >= 500) throw foreignAnswer(status);
    } catch (error) {
      throw toCallError(error, "a probe");
    }
  };

  /** The task service's answer, which may be an error of its own; throws when there is none. */
  const exchange = async (name: string, request: unknown, called: Context, options: CallOptions): Promise<unknown> => {
    const { timeoutMs, isHeld = false } = options;
    const send = isHeld ? postHeld : post;
    try {
      const headers = headersOf(called, options);
      const answer = await send(`${url}/${name}`, JSON.stringify(request), headers, AbortSignal.timeout(timeoutMs));
      return answer.status === 200 ? JSON.parse(answer.text) : errorOf(answer);
    } catch (error) {
      throw toCallError(error, name);
    }
  };

  return {
    probe: () => breaker.call(probe),

    async call(method, request, context, options) {
      const name = fullMethod(method);
      const attributes = { ...spanAttributes, [key.rpcMethod]: name };
      const { span, context: called } = startSpan(tracer, name, context, { kind: SpanKind.CLIENT, attributes });
      try {
        const guard = options.isHeld ? { probe } : {};
        const answer = await breaker.call(() => exchange(name, request, called, options), guard);
        if (answer instanceof TaskError) throw answer;
        span.setAttribute(key.rpcStatusCode, "ok");
        // The task service answers with the method's own message; both are of this version or one that understands it.
        return answer as RpcMethods[typeof method]["response"];
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

function headersOf(called: Context, { timeoutMs, correlationId, requestId }: CallOptions): Record<string, string> {
  return {
    "content-type": contentTypes.json,
    "connect-protocol-version": "1",
    [timeoutHeader]: String(timeoutMs),
    [correlationHeader]: correlationId,
    [requestIdHeader]: requestId,
    ...toCarrier(called),
  };
}

async function post(
  url: string,
  body: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Answered> {
  const response = await fetch(url, { method: "POST", headers, body, signal });
  return { status: response.status, retryAfter: response.headers.get("retry-after"), text: await response.text() };
}

/** The task service's own error is an answer like others; what something in between says instead means that it is away. */
function errorOf(answer: Answered): TaskError {
  const error = fromErrorAnswer(answer);
  if (!error) throw foreignAnswer(answer.status);
  return error;
}

function foreignAnswer(status: number): TaskError {
  return new TaskError("unavailable", `the task service answered ${status}`);
}

function toCallError(error: unknown, name: string): TaskError {
  if (error instanceof TaskError) return error;
  if (error instanceof Error && error.name === "TimeoutError") {
    return new TaskError("deadline_exceeded", `${name} took too long`, { cause: error });
  }
  return new TaskError("unavailable", "the task service cannot be reached", { cause: error });
}
