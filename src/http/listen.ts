/**
 * The one place where a socket is opened for HTTP, and so the one place that knows which runtime this is.
 * Owns nothing but the listener; what is answered belongs to the handler.
 *
 * Promises that connections never use up the process's file descriptors: while few are left the port is closed, what is
 * connected is served on, and the port opens again when others have gone. Bun ends a connection that has not sent the
 * head of its first request within ten seconds.
 */

import { type ListenerReserve, watchFiles } from "../host/open-files.ts";
import { within } from "../limits/time-limit.ts";
import { TaskError } from "../words/errors.ts";

/** Who is at the other end of a request. */
export interface Peer {
  /** IP address; empty when the runtime does not tell, as of a connection that has ended before this is first read. */
  readonly address: string;
}

export type HttpHandler = (request: Request, peer: Peer) => Response | Promise<Response>;

export interface Listener {
  /** `http://host:port`, with the real port. */
  url: string;
  host: string;
  port: number;
  /** Takes no new connection and waits for open requests, at most `graceMs`, then closes what is left. */
  stop(graceMs?: number): Promise<void>;
}

export interface Address {
  host: string;
  /** 0 takes a free one. */
  port: number;
}

interface ListenOptions {
  /** How long a connection may be silent, a request's head and body may take to arrive, and an answer to begin. */
  idleTimeoutSeconds?: number;
  /** How many file descriptors it leaves free. Default: "outer". */
  reserve?: ListenerReserve;
}

/**
 * Longer than the longest wait for a task's end with the call that it needs, and than the minute for which proxies keep
 * connections; short enough that who sends a request byte by byte does not keep its connection. Bun's own 10 would cut
 * a long wait.
 */
export const usualIdleTimeoutSeconds = 75;
/** Bun's largest. */
export const longestIdleTimeoutSeconds = 255;

/** Opens `address`; rejects with `TaskError` `unavailable` that names it when it is taken or not ours. */
export async function listen(
  address: Address,
  handler: HttpHandler,
  { idleTimeoutSeconds = usualIdleTimeoutSeconds, reserve = "outer" }: ListenOptions = {},
): Promise<Listener> {
  const open: Open = (at, onFailed) =>
    "Deno" in globalThis ? openDeno(at, handler, onFailed) : openBun(at, handler, idleTimeoutSeconds);
  try {
    return keepOpen(open, address, reserve);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `could not listen on ${bracket(address.host)}:${address.port}: ${reason}`;
    throw new TaskError("unavailable", message, { cause });
  }
}

/** Asks the runtime only when the address is read: that costs two system calls. */
class AskedPeer implements Peer {
  readonly #ask: () => string | undefined;
  #address: string | undefined;
  constructor(ask: () => string | undefined) {
    this.#ask = ask;
  }
  get address(): string {
    this.#address ??= this.#ask() ?? "";
    return this.#address;
  }
}

/** A port that one of the runtimes has opened. */
interface OpenServer {
  port: number;
  /** Takes no connection any more; resolves when those that are open have ended. */
  close(): Promise<void>;
  /** Ends what is left. */
  closeNow(): unknown;
  /** The least that a graceful close takes. */
  shortestCloseMs: number;
}

/** `onFailed`: the runtime has given the port up, as no file descriptor is left. */
type Open = (at: Address, onFailed: () => void) => OpenServer;

/** Opens the port, and closes it for as long as too few file descriptors are left. */
function keepOpen(open: Open, { host, port: wanted }: Address, reserve: ListenerReserve): Listener {
  const onFailed = (): void => {
    current = undefined;
    watch.markScarce();
  };
  let current: OpenServer | undefined = open({ host, port: wanted }, onFailed);
  const { port, shortestCloseMs } = current;
  /** Those whose connections have not all ended. */
  const closing = new Map<OpenServer, Promise<unknown>>();
  const closeCurrent = (): void => {
    const server = current;
    current = undefined;
    if (!server) return;
    const isClosed = (): unknown => closing.delete(server);
    // One that the runtime gave up meanwhile has nothing left to close.
    const closed = server.close().then(isClosed, isClosed);
    closing.set(server, closed);
  };
  const watch = watchFiles(reserve, {
    onScarce: closeCurrent,
    onRoom: () => {
      current = open({ host, port }, onFailed);
    },
  });
  return {
    url: urlOf({ host, port }),
    host,
    port,
    stop: (graceMs = 1000) => {
      watch[Symbol.dispose]();
      closeCurrent();
      return closeWithin(
        Math.max(graceMs, shortestCloseMs),
        () => Promise.all(closing.values()),
        () => Promise.all([...closing.keys()].map((server) => server.closeNow())),
      );
    },
  };
}

function openBun(address: Address, handler: HttpHandler, idleTimeoutSeconds: number): OpenServer {
  const server = Bun.serve({
    hostname: address.host,
    port: address.port,
    // What arrives byte by byte does not put it off: it is a deadline for the head, and one for the body.
    idleTimeout: idleTimeoutSeconds,
    // Bodies are measured by the handlers: the runtime's own limit answers a bare 413 without headers or a problem.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request, server) =>
      handler(
        withWholeUrl(request, { host: address.host, port: server.port ?? address.port }),
        new AskedPeer(() => server.requestIP(request)?.address),
      ),
  });
  return {
    port: server.port ?? address.port,
    close: () => server.stop(),
    closeNow: () => server.stop(true),
    shortestCloseMs: 0,
  };
}

/** The few words of Deno's API that are used here; its own types would clash with Bun's. */
interface DenoServer {
  addr: { port: number };
  /** Rejects when a connection could not be accepted; the server then takes none any more. */
  finished: Promise<void>;
  shutdown(): Promise<void>;
}
interface DenoServe {
  serve(
    options: { hostname: string; port: number; onListen: () => void },
    handler: (request: Request, details: { remoteAddr: { hostname: string } }) => Response | Promise<Response>,
  ): DenoServer;
}

function openDeno(address: Address, handler: HttpHandler, onFailed: () => void): OpenServer {
  // The border to a runtime whose types are not loaded: checked by the tests that run under Deno.
  const { Deno } = globalThis as unknown as { Deno: DenoServe };
  const server = Deno.serve({ hostname: address.host, port: address.port, onListen: () => {} }, (request, details) =>
    handler(withWholeUrl(request, { host: address.host, port: server.addr.port }), {
      address: details.remoteAddr.hostname,
    }),
  );
  server.finished.catch(onFailed);
  return {
    port: server.addr.port,
    close: () => server.shutdown(),
    // Deno cannot cut a graceful close short; one that lasts too long is left behind, and ends with its thread.
    closeNow: () => {},
    // Deno frees the port only when its graceful close is done, which without open requests takes no time.
    shortestCloseMs: 100,
  };
}

/**
 * With the listener's own address for a host when the request names none (HTTP/1.0), or one that is not a host: the
 * runtime then gives nothing but the path (Bun), or the path behind that host (Deno), which is no URL.
 */
function withWholeUrl(request: Request, address: Address): Request {
  if (URL.canParse(request.url)) return request;
  return new Request(`${urlOf(address)}/${request.url.replace(/^(https?:\/\/[^/]*)?\/*/, "")}`, request);
}

/** Waits for `close`, at most `graceMs`; then for `closeNow`. */
export async function closeWithin(
  graceMs: number,
  close: () => Promise<unknown>,
  closeNow: () => unknown,
): Promise<void> {
  const isClosed = await within(
    graceMs,
    close().then(() => true),
    false,
  );
  if (!isClosed) await closeNow();
}

/** `http://host:port`; an IPv6 host in brackets. */
export function urlOf({ host, port }: Address): string {
  return `http://${bracket(host)}:${port}`;
}

function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
