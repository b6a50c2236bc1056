/** The task service's side of one call, whatever protocol carries it: its span, its bound, its metadata, its errors. */

import { type Context, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { createAdmission } from "../limits/concurrency.ts";
import { fromMetadata, type Get } from "../telemetry/context/propagation.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { key } from "../telemetry/names.ts";
import { markFailed, recordException } from "../telemetry/spans/tracing.ts";
import { type Failure, meanings, serverFaults, type TaskError, toFailure, toTaskError } from "../words/errors.ts";
import { prepareCallSpans } from "./call-spans.ts";
import { fullMethod, type RpcMethod } from "./methods.ts";
import {
  type CallMetadata,
  correlationHeader,
  fromContext,
  keptCorrelationId,
  keptRequestId,
  requestIdHeader,
  type Wire,
} from "./wire.ts";

/** A call as its method sees it, besides its request. */
export interface Call extends CallMetadata {
  context: Context;
  span: Span;
  /** Aborts when the caller has left. undefined: the protocol does not show it. */
  signal: AbortSignal | undefined;
  /** Opens a call of `CreateTask` that came inside of this one, which then has no span of its own. */
  openCarried(context: Readonly<Record<string, string | undefined>>): OpenCall;
}

/** A call with its span, which `end` ends: with what the call failed with, if it did. */
export interface OpenCall extends CallMetadata {
  context: Context;
  span: Span;
  end(thrown?: unknown): void;
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
  signal: AbortSignal | undefined;
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

export function createCalls(handlers: RpcHandlers, options: CallsOptions): AnswerCall {
  const admit = createAdmission(maxCallsInProgress, "calls in progress");
  const spansOf = createServerSpans(options.tracer);
  const open: Open = (method, metadata, place) => openCall(method, metadata, place, options, spansOf);

  return async (incoming) => {
    const { method, signal } = incoming;
    const call = new ArrivedCall(incoming, open);
    // Only once this one was read it shows whether it carries others.
    if (method !== "CreateTasks") call.open();
    try {
      const answer = await admit(async () => handlers[method](await incoming.read(), call));
      // What was done in vain all the same ends as its caller saw it.
      signal?.throwIfAborted();
      const sent = incoming.accept(answer);
      call.end();
      return sent;
    } catch (thrown) {
      call.end(thrown);
      return incoming.refuse(toTaskError(thrown));
    }
  };
}

type Place = Pick<IncomingCall<unknown>, "wire" | "address" | "signal">;
type Open = (method: RpcMethod, metadata: Get, place: Place) => OpenCall;

/** A call whose span begins at its first use; a call that carries others never uses it. */
class ArrivedCall implements Call {
  readonly #incoming: IncomingCall<unknown>;
  readonly #openCall: Open;
  #own: OpenCall | undefined;
  #isCarrier = false;

  constructor(incoming: IncomingCall<unknown>, openCall: Open) {
    this.#incoming = incoming;
    this.#openCall = openCall;
  }
  open(): OpenCall {
    this.#own ??= this.#openCall(this.#incoming.method, this.#incoming.metadata, this.#incoming);
    return this.#own;
  }

  openCarried: Call["openCarried"] = (context) => {
    this.#isCarrier = true;
    return this.#openCall("CreateTask", fromContext(context), this.#incoming);
  };

  /** A failure in a call that carries others is recorded on the spans of these, except an internal one. */
  end(thrown?: unknown): void {
    const isOurFault = thrown !== undefined && toTaskError(thrown).code === "internal";
    if (!this.#isCarrier || isOurFault) this.open().end(thrown);
  }

  get context(): Context {
    return this.open().context;
  }

  get span(): Span {
    return this.open().span;
  }

  get correlationId(): string {
    return this.open().correlationId;
  }

  get requestId(): string {
    return this.open().requestId;
  }
  get signal(): AbortSignal | undefined {
    return this.#incoming.signal;
  }
}

type ServerSpans = (wire: Wire, address: IncomingCall<unknown>["address"]) => ReturnType<typeof prepareCallSpans>;

/** One kind for each protocol and address where it is served. */
function createServerSpans(tracer: Tracer): ServerSpans {
  const prepared = new Map<string, ReturnType<typeof prepareCallSpans>>();
  return ({ systemName }, { host, port }) => {
    const server = `${systemName} ${host}:${port}`;
    const known = prepared.get(server);
    if (known) return known;
    const made = prepareCallSpans(tracer, SpanKind.SERVER, { systemName, host, port });
    prepared.set(server, made);
    return made;
  };
}

function openCall(
  method: RpcMethod,
  metadata: Get,
  { wire, address, signal }: Place,
  { log, newCorrelationId }: CallsOptions,
  spansOf: ServerSpans,
): OpenCall {
  const name = fullMethod(method);
  const { span, context } = spansOf(wire, address)(method).start(fromMetadata(metadata));
  return {
    context,
    span,
    correlationId: keptCorrelationId(metadata(correlationHeader)) ?? newCorrelationId(),
    requestId: keptRequestId(metadata(requestIdHeader)) ?? "",
    end: (thrown = signal?.aborted ? signal.reason : undefined) => {
      if (thrown === undefined) span.setAttribute(key.rpcStatusCode, wire.statusOf("ok"));
      else {
        const { rpcCode } = meanings[toTaskError(thrown).code];
        span.setAttribute(key.rpcStatusCode, wire.statusOf(rpcCode));
        markRefused(span, thrown, wire.statusOf(rpcCode), (failure) =>
          log.in(context).error("call failed", { rpc_method: name, error: failure }),
        );
      }
      span.end();
    },
  };
}

/** `errorType`: how the code is spelled in the span. `report` gets the failure that is a fault of ours. */
export function markRefused(span: Span, thrown: unknown, errorType: string, report: (failure: Failure) => void): void {
  const { code, message } = toTaskError(thrown);
  if (serverFaults.has(meanings[code].rpcCode)) markFailed(span, { type: errorType, message });
  else span.setAttribute(key.errorType, errorType);
  if (code !== "internal") return;
  const failure = toFailure(thrown);
  recordException(span, failure);
  report(failure);
}
