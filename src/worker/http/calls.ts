/**
 * The calls by `fetch` of a thread's handlers. All threads of a process, and its roles too, share Bun's places for fetch
 * (see http/fetch.ts), so handlers have a part of them: a call beyond that waits, and no attempt has more than half of its
 * thread's. Promises that a body that an attempt left unread is closed when it ends.
 */

import { type Context, context as contextApi, createContextKey } from "@opentelemetry/api";
import { fetchPlaces, fetchPlacesVariable } from "../../http/fetch.ts";
import { createSemaphore, type Semaphore } from "../../limits/concurrency.ts";
import { TaskError } from "../../words/errors.ts";
import { type Fetch, isRequest } from "./traced-fetch.ts";

/** Those of one attempt. */
export interface AttemptCalls {
  /** `fetch`, for this attempt. */
  fetch: Fetch;
  /** Within it the `fetch` of all counts for this attempt. */
  within(context: Context): Context;
  /** The attempt has ended; one that failed takes the calls under way with it. */
  end(hasFailed: boolean): void;
}

export interface HandlerCalls {
  /** In place of the global `fetch`: for libraries, and for handlers that do not use `ctx.fetch`. */
  fetch: Fetch;
  startAttempt(): AttemptCalls;
}

const attemptKey = createContextKey("calls of the attempt");

interface HandlerCallsOptions {
  /** All of the thread. */
  places: number;
  fetch: Fetch;
  /** For a place. Default: as long as an attempt may take by default. */
  waitLimitMs?: number;
}

export function createHandlerCalls({ places, fetch, waitLimitMs = 60_000 }: HandlerCallsOptions): HandlerCalls {
  const thread = { semaphore: createSemaphore(places), fetch, waitLimitMs };
  const ofNone = createAttempt(thread);
  return {
    fetch: (input, init) => {
      // Nothing else has the key.
      const calling = contextApi.active().getValue(attemptKey) as CallingAttempt | undefined;
      return (calling?.attempt ?? ofNone).send(input, init);
    },
    startAttempt: () => new CallingAttempt(thread),
  };
}

type Attempt = ReturnType<typeof createAttempt>;

/** What an attempt needs for its calls is made with the first one: most attempts make none. */
class CallingAttempt implements AttemptCalls {
  readonly #thread: ThreadCalls;
  #attempt: Attempt | undefined;
  /** Whether it has failed, once it has ended. */
  #hasFailed: boolean | undefined;

  constructor(thread: ThreadCalls) {
    this.#thread = thread;
  }

  get attempt(): Attempt {
    if (!this.#attempt) {
      this.#attempt = createAttempt(this.#thread);
      if (this.#hasFailed !== undefined) this.#attempt.end(this.#hasFailed);
    }
    return this.#attempt;
  }

  readonly fetch: Fetch = (input, init) =>
    this.attempt.send(input, { ...init, signal: this.attempt.signalOf(input, init) });

  within(context: Context): Context {
    return context.setValue(attemptKey, this);
  }

  end(hasFailed: boolean): void {
    this.#hasFailed = hasFailed;
    this.#attempt?.end(hasFailed);
  }
}

interface ThreadCalls {
  semaphore: Semaphore;
  fetch: Fetch;
  waitLimitMs: number;
}

function createAttempt({ semaphore, fetch, waitLimitMs }: ThreadCalls) {
  const share = createSemaphore(Math.ceil(semaphore.limit / 2));
  const failing = new AbortController();
  const held = new Set<WatchedBody>();
  let isEnded = false;

  const giveUpIdle = (): void => {
    const reason = new DOMException("the attempt has ended, and its answers with it", "AbortError");
    for (const answer of held) answer.cancelIfIdle(reason);
  };
  /** After the end too, code that got an answer or a part of one has a turn to ask for the next part. */
  const giveUpSoon = (): void => {
    if (isEnded) setTimeout(giveUpIdle, 0);
  };

  /** Resolves when the body has come, or was given up: only then is the place free. */
  const call = async (sent: Promise<Response>, answered: (answer: Response) => void): Promise<void> => {
    const answer = await sent;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const one = watchBody(answer, { end, chunk: giveUpSoon });
    answered(one?.response ?? answer);
    if (!one) return;
    held.add(one);
    giveUpSoon();
    await ended;
    held.delete(one);
  };

  return {
    send: (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const { promise, resolve, reject } = Promise.withResolvers<Response>();
      const isFull = share.active() === share.limit || semaphore.active() === semaphore.limit;
      const limit = isFull ? AbortSignal.timeout(waitLimitMs) : undefined;
      const waiting = limit && anyOf(limit, ownSignal(input, init));
      const pass = (): Promise<void> => semaphore.run(() => call(fetch(input, init), resolve), waiting);
      share
        .run(pass, waiting)
        .catch((error) => reject(error === limit?.reason ? tooMany(semaphore, share, waitLimitMs) : error));
      return promise;
    },

    /** With that of the caller: an attempt that fails takes its calls under way with it. */
    signalOf: (input: string | URL | Request, init?: RequestInit) => anyOf(failing.signal, ownSignal(input, init)),

    end: (hasFailed: boolean): void => {
      isEnded = true;
      if (hasFailed) failing.abort(new DOMException("the attempt has ended, and its calls with it", "AbortError"));
      giveUpIdle();
    },
  };
}

function anyOf(one: AbortSignal, other: AbortSignal | null | undefined): AbortSignal {
  return other ? AbortSignal.any([one, other]) : one;
}

/** The second argument of `fetch` wins, also when it says that there is none. */
function ownSignal(input: string | URL | Request, init?: RequestInit): AbortSignal | null | undefined {
  return init?.signal === undefined && isRequest(input) ? input.signal : init?.signal;
}

function tooMany(semaphore: Semaphore, share: Semaphore, waitLimitMs: number): TaskError {
  return new TaskError(
    "resource_exhausted",
    `fetch waited ${waitLimitMs / 1000} s for a place: a handler thread has ${semaphore.limit} calls under way at once, an attempt ` +
      `${share.limit} of them, bodies that are not read included; read or cancel them, make fewer calls at once, or set ` +
      `${fetchPlacesVariable} to more than ${fetchPlaces()}`,
  );
}

interface WatchedBody {
  /** To the handler, an answer as any other. */
  response: Response;
  /** Ends the body with `reason` unless a reader waits for more of it. */
  cancelIfIdle(reason: unknown): void;
}

/** Bun takes about as much in before the body is read; a body of an announced length below that ends by itself. */
const maxTakenInBytes = 128 * 1024;

/**
 * An answer whose body may be left unread. Bun keeps the place and the connection of such a call for as long as that lasts,
 * so the body is watched: it reports when it has come whole, and can be closed while no reader waits for more of it.
 * undefined: nothing has to be watched.
 */
function watchBody(
  answer: Response,
  on: { /** Once. */ end: () => void /** A reader got what it asked for. */; chunk: () => void },
): WatchedBody | undefined {
  const length = answer.headers.get("content-length");
  if (!answer.body || (length !== null && Number(length) <= maxTakenInBytes)) return undefined;
  const reader = answer.body.getReader();
  let isAsked = false;
  let isOver = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const end = (): void => {
    if (!isOver) on.end();
    isOver = true;
  };
  const pull = async (): Promise<void> => {
    isAsked = true;
    try {
      const { done, value } = await reader.read();
      if (done) {
        controller?.close();
        end();
      } else controller?.enqueue(value);
    } catch (error) {
      controller?.error(error);
      end();
    } finally {
      isAsked = false;
    }
    if (!isOver) on.chunk();
  };
  const cancel = (reason: unknown): void => {
    end();
    reader.cancel(reason).catch(() => {});
  };
  const start = (of: ReadableStreamDefaultController<Uint8Array>): void => {
    controller = of;
  };
  const body = new ReadableStream<Uint8Array>({ start, pull, cancel }, { highWaterMark: 0 });
  return {
    response: withBody(answer, body),
    cancelIfIdle: (reason) => {
      if (isAsked || isOver) return;
      controller?.error(reason);
      cancel(reason);
    },
  };
}

/** What `new Response` does not take: where the answer came from. */
function withBody(answer: Response, body: ReadableStream<Uint8Array>): Response {
  const { status, statusText, headers } = answer;
  return fromWhere(new Response(body, { status, statusText, headers }), answer);
}

function fromWhere(response: Response, { url, redirected, type }: Response): Response {
  const clone = (): Response => fromWhere(Response.prototype.clone.call(response), response);
  return Object.defineProperties(response, {
    url: { value: url },
    redirected: { value: redirected },
    type: { value: type },
    clone: { value: clone },
  });
}
