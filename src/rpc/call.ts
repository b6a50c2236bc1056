/** The task service's side of one call, whatever protocol carries it: its span, its bound, its metadata, its errors. */

import { type Context, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { createAdmission } from "../limits/concurrency.ts";
import { fromMetadata, type Get } from "../telemetry/context/propagation.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { key } from "../telemetry/names.ts";
import { markFailed, recordException, startSpan } from "../telemetry/spans/tracing.ts";
import { meanings, serverFaults, type TaskError, toFailure, toTaskError } from "../words/errors.ts";
import { fullMethod, type RpcMethod } from "./methods.ts";
import {
  type CallMetadata,
  correlationHeader,
  keptCorrelationId,
  keptRequestId,
  requestIdHeader,
  type Wire,
} from "./wire.ts";

/** What a method gets besides its request. */
export interface Call extends CallMetadata {
  context: Context;
  span: Span;
  /** Aborts when the caller has left. undefined: the protocol does not show it. */
  signal: AbortSignal | undefined;
}

/** JSON text, which is the record of the HTTP API, and metadata beside it. */
export interface Answer {
  json: string;
  metadata?: Readonly<Record<string, string>>;
}

/** `request`: JSON as it was read, its payload as `JsonText` where its protocol has text. */
export type RpcHandler = (request: unknown, call: Call) => Promise<Answer>;
export type RpcHandlers = Record<RpcMethod, RpcHandler>;

/** A call as its protocol brought it, and how that protocol answers. */
interface IncomingCall<Sent> {
  method: RpcMethod;
  wire: Wire;
  /** Where the server listens. */
  address: { host: string; port: number };
  metadata: Get;
  /** Aborts with a `TimeoutError` when the caller's deadline is over, with an `AbortError` when it went away. */
  signal?: AbortSignal;
  /** The request; throws a `TaskError` when it cannot be read. */
  read(): unknown;
  accept(answer: Answer): Sent;
  refuse(error: TaskError): Sent;
}

/** Never rejects. */
export type AnswerCall = <Sent>(incoming: IncomingCall<Sent>) => Promise<Sent>;

interface CallsOptions {
  tracer: Tracer;
  log: Logger;
  newCorrelationId: () => string;
}

/** A gateway's body of 256 KiB grows by what JSON escapes; no gateway sends more than this. */
export const maxMessageBytes = 1024 * 1024;

/** The same for the 4 MiB that a batch of tasks may have. */
const maxBatchBytes = 16 * 1024 * 1024;

export function maxBytesOf(method: RpcMethod): number {
  return method === "CreateTasks" ? maxBatchBytes : maxMessageBytes;
}

export const largestMessageBytes = maxBatchBytes;

/** Calls that are not answered yet, by all protocols: what a gateway may have in progress, those that it holds included. */
export const maxCallsInProgress = 5120;

export function createCalls(handlers: RpcHandlers, { tracer, log, newCorrelationId }: CallsOptions): AnswerCall {
  const admit = createAdmission(maxCallsInProgress, "calls in progress");

  return async (incoming) => {
    const { method, wire, address, metadata, signal } = incoming;
    const name = fullMethod(method);
    const { span, context } = startSpan(tracer, name, fromMetadata(metadata), {
      kind: SpanKind.SERVER,
      attributes: {
        [key.rpcSystemName]: wire.systemName,
        [key.rpcMethod]: name,
        [key.serverAddress]: address.host,
        [key.serverPort]: address.port,
      },
    });
    const call: Call = {
      context,
      span,
      signal,
      correlationId: keptCorrelationId(metadata(correlationHeader)) ?? newCorrelationId(),
      requestId: keptRequestId(metadata(requestIdHeader)) ?? "",
    };
    try {
      const answer = await admit(async () => handlers[method](await incoming.read(), call));
      // What was done in vain all the same ends as its caller saw it.
      signal?.throwIfAborted();
      const sent = incoming.accept(answer);
      span.setAttribute(key.rpcStatusCode, wire.statusOf("ok"));
      return sent;
    } catch (thrown) {
      const error = toTaskError(thrown);
      const { rpcCode } = meanings[error.code];
      const status = wire.statusOf(rpcCode);
      span.setAttribute(key.rpcStatusCode, status);
      if (serverFaults.has(rpcCode)) markFailed(span, { type: status, message: error.message });
      else span.setAttribute(key.errorType, status);
      if (error.code === "internal") {
        const failure = toFailure(thrown);
        recordException(span, failure);
        log.in(context).error("call failed", { rpc_method: name, error: failure });
      }
      return incoming.refuse(error);
    } finally {
      span.end();
    }
  };
}
