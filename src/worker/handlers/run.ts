/**
 * Inside a handler's thread, or in a test: runs attempts, each under its own span, signal and context, and reports to the
 * worker how each ended. Finished spans leave at once, so that a thread that has to be ended takes none with it.
 *
 * Knows which run the code of the thread belongs to. A run is entered once, and all that it starts belongs to it, timers and
 * promises included, even after it has ended.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { type Context, context as contextApi, type Span, SpanKind, type Tracer } from "@opentelemetry/api";
import { fromCarrier } from "../../telemetry/context/propagation.ts";
import type { Redaction } from "../../telemetry/logs/redact.ts";
import { key, ownKey } from "../../telemetry/names.ts";
import type { PlainSpan } from "../../telemetry/spans/plain-span.ts";
import type { ThreadTracing } from "../../telemetry/spans/thread-tracing.ts";
import { markFailed, recordException, startSpan } from "../../telemetry/spans/tracing.ts";
import { type Failure, TaskError, toFailure } from "../../words/errors.ts";
import { isInstance } from "../../words/text.ts";
import type { AttemptCalls, HandlerCalls } from "../http/calls.ts";
import { createTracedFetch } from "../http/traced-fetch.ts";
import type { FromRunner, Run, RunEnd, SignalReason, ToHandlerThread } from "../threads/thread-messages.ts";
import type { HandlerContext, HandlerTask } from "./handler.ts";
import { createHandlerLog, lineIn, toLogged, withTask } from "./handler-log.ts";
import { checkPayload, type LoadedHandler, PayloadError } from "./loaded-handler.ts";
import { ResultError, toResultText } from "./result.ts";
import { RetryAfterError, toRetryAfter } from "./retry-after.ts";

interface RunnerDeps {
  find(type: string): LoadedHandler | undefined;
  scopes: RunScopes;
  /** `deliver` gets each span as it ends. */
  startTracing(deliver: (span: PlainSpan) => void): ThreadTracing;
  redaction: Redaction;
  thread: { id: number; name: string };
  /** What is under `ctx.fetch`. */
  calls: HandlerCalls;
  /** Of a result, as JSON text. */
  maxResultBytes: number;
  tell(message: FromRunner): void;
}

class FatalError extends Error {
  override readonly name = "FatalError";
  /** `message`: a handler in JavaScript may hand in an error, or anything else. */
  constructor(message: unknown, options?: ErrorOptions) {
    super(toFailure(message ?? "").message, options ?? (typeof message === "string" ? {} : { cause: message }));
  }
}

/** Gives what takes the messages for a thread whose handlers are loaded. */
export function createRunner(deps: RunnerDeps): (message: ToHandlerThread) => void {
  const { scopes, tell } = deps;
  const running = new Map<number, RunSignal>();
  const spans: EndingSpans = { last: undefined };
  const tracing = deps.startTracing((span) => {
    if (spans.last) spans.last.push(span);
    else tell({ kind: "span", span });
  });
  const runner: Runner = { deps, tracing, running, spans };
  return (message) => {
    switch (message.kind) {
      case "run":
        void scopes.enter(message.run, (scope) => runTask(runner, scope, message.payload));
        break;
      case "cancel":
        running.get(message.number)?.abort(message.reason);
        break;
      case "ping":
        tell({ kind: "pong" });
    }
  };
}

/** The spans that end while a run's own is ended: they travel with the run's end, in one message. */
interface EndingSpans {
  last: PlainSpan[] | undefined;
}

interface Runner {
  deps: RunnerDeps;
  tracing: ThreadTracing;
  running: Map<number, RunSignal>;
  spans: EndingSpans;
}

/** The signal of a run, which is made when its handler asks for it: most do not. */
class RunSignal {
  #controller: AbortController | undefined;
  #reason: DOMException | undefined;

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: SignalReason): void {
    this.#reason ??= reasonOf(reason);
    this.#controller?.abort(this.#reason);
  }
}

async function runTask({ deps, tracing, running, spans }: Runner, scope: RunScope, payload: string): Promise<void> {
  const { run } = scope;
  const { thread, maxResultBytes, tell } = deps;
  const aborting = new RunSignal();
  running.set(run.number, aborting);
  tracing.reserveSpanId(run.spanId);
  const active = startSpan(tracing.tracer, `run ${run.type}`, fromCarrier(run.carrier), {
    kind: SpanKind.INTERNAL,
    attributes: {
      [ownKey.taskId]: run.taskId,
      [ownKey.taskType]: run.type,
      [ownKey.attempt]: run.attempt,
      [key.threadId]: thread.id,
      [key.threadName]: thread.name,
    },
  });
  const { span } = active;
  const context = withTask(active.context, run);
  const calls = deps.calls.startAttempt();
  const ctx = createContext(deps, { run, span, context, tracer: tracing.tracer, calls, aborting });
  const loaded = deps.find(run.type);
  const end = await contextApi.with(calls.within(context), () =>
    runHandler(loaded, { run, payload }, { ctx, maxResultBytes }),
  );
  running.delete(run.number);
  const failure = scope.crash ?? (end.kind === "threw" ? end.error : undefined);
  calls.end(failure !== undefined);
  if (failure) {
    recordException(span, failure);
    markFailed(span, failure);
  }
  spans.last = [];
  span.end();
  tell({ kind: "ended", number: run.number, end, spans: spans.last });
  spans.last = undefined;
}

interface Entered {
  run: Run;
  span: Span;
  context: Context;
  tracer: Tracer;
  calls: AttemptCalls;
  aborting: RunSignal;
}

function createContext(
  { redaction, tell }: RunnerDeps,
  { run, span, context, tracer, calls, aborting }: Entered,
): HandlerContext {
  const log = createHandlerLog((level, given) =>
    tell({ kind: "log", line: lineIn(context, level, toLogged(given, redaction)) }),
  );
  let tracedFetch: HandlerContext["fetch"] | undefined;
  return {
    get signal() {
      return aborting.signal;
    },
    log,
    span,
    tracer,
    get fetch() {
      tracedFetch ??= createTracedFetch({ tracer, context, correlationId: run.correlationId, fetch: calls.fetch });
      return tracedFetch;
    },
    progress: async (share) => {
      const known = toShare(share);
      span.addEvent("progress", { [ownKey.progress]: known });
      tell({ kind: "progress", number: run.number, share: known });
    },
    fatal: (message, options) => new FatalError(message, options),
    retryAfter: (delay, message, options) => toRetryAfter(delay, message, { options, log, nowMs: Date.now() }),
  };
}

/** The thread's one catch: whatever a handler throws becomes a plain value. Never rejects. */
async function runHandler(
  loaded: LoadedHandler | undefined,
  { run, payload: text }: { run: Run; payload: string },
  { ctx, maxResultBytes }: { ctx: HandlerContext; maxResultBytes: number },
): Promise<RunEnd> {
  try {
    if (!loaded) throw new TaskError("unimplemented", `this worker has no handler for tasks of type "${run.type}"`);
    const { handler } = loaded;
    const payload: unknown = JSON.parse(text);
    const task: HandlerTask = {
      id: run.taskId,
      type: run.type,
      payloadText: text,
      payload: handler.payload === undefined ? payload : await checkPayload(handler.payload, payload),
      attempt: run.attempt,
      correlationId: run.correlationId,
      metadata: run.metadata,
    };
    const { text: result, leftOut } = toResultText(await handler.run(task, ctx), maxResultBytes);
    if (leftOut.length > 0) ctx.log.warn("JSON leaves out a part of the result", { places: leftOut });
    return { kind: "returned", result };
  } catch (thrown) {
    const error = toFailure(thrown);
    if (isInstance(thrown, RetryAfterError) && thrown.delayMs !== undefined) {
      return { kind: "threw", error, fatal: false, retryAfterMs: thrown.delayMs };
    }
    return { kind: "threw", error, fatal: fatalErrors.some((type) => isInstance(thrown, type)) };
  }
}

/** No further attempt can help. */
const fatalErrors: readonly (new (...args: never[]) => Error)[] = [FatalError, PayloadError, ResultError];

/** A sum of parts may come out a little above 1; what is no number at all is a mistake of the handler. */
function toShare(share: number): number {
  if (typeof share !== "number" || Number.isNaN(share)) {
    throw new TypeError(`progress takes a number from 0 to 1, not "${share}"`);
  }
  return Math.min(Math.max(0, share), 1);
}

function reasonOf(reason: SignalReason): DOMException {
  return new DOMException(`the attempt was ended: ${reason}`, reason === "timed_out" ? "TimeoutError" : "AbortError");
}

export interface RunScope {
  readonly run: Run;
  isOver: boolean;
  /** The error that no code caught, which is how the run ends. */
  crash: Failure | undefined;
}

export interface RunScopes {
  /** Runs `work` as this run, which is over when `work` settles. */
  enter<T>(run: Run, work: (scope: RunScope) => Promise<T>): Promise<T>;
  /** undefined: the code belongs to no run, or the runtime has lost its async context. */
  current(): RunScope | undefined;
  /** The one run of this type that may have left something behind; undefined when there are several, or none. */
  onlyOf(type: string): RunScope | undefined;
}

/** Ended runs of one type that are remembered. */
const maxEnded = 64;

export function createRunScopes(): RunScopes {
  const storage = new AsyncLocalStorage<RunScope>();
  const running = new Set<RunScope>();
  /** By type. A run that nothing refers to any more, no timer and no promise, is collected and can do nothing. */
  const ended = new Map<string, WeakRef<RunScope>[]>();

  const leave = (scope: RunScope): void => {
    scope.isOver = true;
    running.delete(scope);
    // Its error is known already: the next one of this type is another run's.
    if (scope.crash) return;
    const { type } = scope.run;
    const earlier = ended.get(type) ?? [];
    earlier.push(new WeakRef(scope));
    if (earlier.length > maxEnded) earlier.shift();
    ended.set(type, earlier);
  };

  return {
    enter: async (run, work) => {
      const scope: RunScope = { run, isOver: false, crash: undefined };
      running.add(scope);
      try {
        return await storage.run(scope, () => work(scope));
      } finally {
        leave(scope);
      }
    },
    current: () => storage.getStore(),
    onlyOf: (type) => {
      const left = (ended.get(type) ?? []).flatMap((scope) => scope.deref() ?? []);
      const [only, ...others] = [...left, ...running].filter(({ run }) => run.type === type);
      return others.length === 0 ? only : undefined;
    },
  };
}
