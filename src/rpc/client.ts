/**
 * The gateway's side of the RPC, whatever protocol carries it: a call with its span, its deadline and its error as ours.
 * A task service that gives no answer, five times in a row, is not asked for a while.
 */

import { type Context, SpanKind, type Tracer } from "@opentelemetry/api";
import type { Breaker } from "../limits/breaker.ts";
import { toCarrier } from "../telemetry/context/propagation.ts";
import { key } from "../telemetry/names.ts";
import { markFailed } from "../telemetry/spans/tracing.ts";
import { meanings, TaskError } from "../words/errors.ts";
import { writeJson } from "../words/json-text.ts";
import { prepareCallSpans } from "./call-spans.ts";
import { CreatingCalls } from "./creating-calls.ts";
import { fullMethod, type RpcMethod } from "./methods.ts";
import type { Exchange, RpcAnswer, Transport } from "./transport.ts";
import type { CallContext, CallMetadata } from "./wire.ts";

interface CallOptions extends CallMetadata {
  timeoutMs: number;
  /** The task service is asked to hold its answer: the call is long without anything being wrong. */
  isHeld?: boolean;
  /** Aborts when the answer is not needed any more: the call is given up, and rejects with `canceled`. */
  signal?: AbortSignal;
}

export interface TaskServiceClient {
  call(method: RpcMethod, request: object, context: Context, options: CallOptions): Promise<RpcAnswer>;
  /** Resolves when the task service is there. Has no span: it belongs to no request. */
  probe(): Promise<void>;
  /** Closes its connections. */
  close(): void;
}

interface TaskServiceClientOptions {
  url: string;
  /** To the task service at `url`. */
  transport: Transport;
  tracer: Tracer;
  breaker: Breaker;
}

/** A task service that is there says so within this time. */
const probeLimitMs = 2000;

export function createTaskServiceClient(options: TaskServiceClientOptions): TaskServiceClient {
  const { url, tracer, breaker, transport } = options;
  const { hostname, port, protocol } = new URL(url);
  const { wire } = transport;
  const spanOf = prepareCallSpans(tracer, SpanKind.CLIENT, {
    systemName: wire.systemName,
    host: hostname,
    port: Number(port) || (protocol === "https:" ? 443 : 80),
  });

  const probe = async (): Promise<void> => {
    try {
      await transport.probe(probeLimitMs);
    } catch (error) {
      throw toCallError(error, "a probe");
    }
  };

  const exchange = async (asked: Exchange): Promise<RpcAnswer | TaskError> => {
    try {
      return await transport.exchange(asked);
    } catch (error) {
      throw toCallError(error, asked.name);
    }
  };

  const ask = (asked: Exchange): Promise<RpcAnswer | TaskError> =>
    breaker.call(() => exchange(asked), asked.isHeld ? { probe } : {});

  const creating = new CreatingCalls({ ask, isAway: () => breaker.state() !== "closed" });

  return {
    probe: () => breaker.call(probe),
    close: () => transport.close(),

    async call(method, request, context, { timeoutMs, isHeld = false, signal, correlationId, requestId }) {
      const name = fullMethod(method);
      const { span, context: called } = spanOf(method).start(context);
      try {
        const carried: CallContext = toCarrier(called);
        carried.correlation_id = correlationId;
        carried.request_id = requestId;
        const asked = { method, name, request: writeJson(request), context: carried, timeoutMs, isHeld, signal };
        const answer = await (method === "CreateTask" ? creating.call(asked) : ask(asked));
        if (answer instanceof TaskError) throw answer;
        span.setAttribute(key.rpcStatusCode, wire.statusOf("ok"));
        return answer;
      } catch (error) {
        const failed = toCallError(error, name);
        const status = wire.statusOf(meanings[failed.code].rpcCode);
        span.setAttribute(key.rpcStatusCode, status);
        // A call that was given up here is no fault.
        if (signal?.aborted) span.setAttribute(key.errorType, status);
        else markFailed(span, { type: status, message: failed.message });
        throw failed;
      } finally {
        span.end();
      }
    },
  };
}

function toCallError(error: unknown, name: string): TaskError {
  if (error instanceof TaskError) return error;
  if (error instanceof Error && error.name === "TimeoutError") {
    return new TaskError("deadline_exceeded", `${name} took too long`, { cause: error });
  }
  if (error instanceof Error && error.name === "AbortError") {
    return new TaskError("canceled", `${name} was given up`, { cause: error });
  }
  return new TaskError("unavailable", "the task service cannot be reached", { cause: error });
}
