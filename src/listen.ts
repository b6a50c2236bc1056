/**
 * The one place where a socket is opened for HTTP, and so the one place that knows which runtime this is.
 * Owns nothing but the listener; what is answered belongs to the handler.
 */

import { TaskError } from "./errors.ts";

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

export interface ListenOptions {
  /** How long a connection may be silent, a request's head and body may take to arrive, and an answer to begin. */
  idleTimeoutSeconds?: number;
}

/**
 * Longer than the longest wait for a task's end with the call that it needs, and than the minute for which proxies keep
 * connections; short enough that who sends a request byte by byte does not keep its connection. Bun's own 10 would cut
 * a long wait.
 */
const usualIdleTimeoutSeconds = 75;
/** Bun's largest. */
export const longestIdleTimeoutSeconds = 255;

/** Opens `address`; rejects with `TaskError` `unavailable` that names it when it is taken or not ours. */
export async function listen(
  address: Address,
  handler: HttpHandler,
  { idleTimeoutSeconds = usualIdleTimeoutSeconds }: ListenOptions = {},
): Promise<Listener> {
  try {
    return "Deno" in globalThis ? listenDeno(address, handler) : listenBun(address, handler, idleTimeoutSeconds);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `could not listen on ${bracket(address.host)}:${address.port}: ${reason}`;
    throw new TaskError("unavailable", message, { cause });
  }
}

/** Asks the runtime when somebody wants to know: that costs two calls of the system. */
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

function listenBun(address: Address, handler: HttpHandler, idleTimeoutSeconds: number): Listener {
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
  const port = server.port ?? address.port;
  return {
    url: urlOf({ host: address.host, port }),
    host: address.host,
    port,
    stop: (graceMs = 1000) =>
      closeWithin(
        graceMs,
        () => server.stop(),
        () => server.stop(true),
      ),
  };
}

/** The few words of Deno's API that are used here; its own types would clash with Bun's. */
interface DenoServer {
  addr: { port: number };
  shutdown(): Promise<void>;
}
interface DenoServe {
  serve(
    options: { hostname: string; port: number; onListen: () => void },
    handler: (request: Request, details: { remoteAddr: { hostname: string } }) => Response | Promise<Response>,
  ): DenoServer;
}

/** Deno frees the port only when its graceful close is done, which without open requests takes no time. */
const shortestCloseMs = 100;

function listenDeno(address: Address, handler: HttpHandler): Listener {
  // The border to a runtime whose types are not loaded: checked by the tests that run under Deno.
  const { Deno } = globalThis as unknown as { Deno: DenoServe };
  const server = Deno.serve({ hostname: address.host, port: address.port, onListen: () => {} }, (request, details) =>
    handler(withWholeUrl(request, { host: address.host, port: server.addr.port }), {
      address: details.remoteAddr.hostname,
    }),
  );
  const port = server.addr.port;
  return {
    url: urlOf({ host: address.host, port }),
    host: address.host,
    port,
    // Deno cannot cut a graceful close short; one that lasts too long is left behind, and ends with its thread.
    stop: (graceMs = 1000) =>
      closeWithin(
        Math.max(graceMs, shortestCloseMs),
        () => server.shutdown(),
        () => {},
      ),
  };
}

/**
 * With the listener's own address for a host when the request names none (HTTP/1.0), or one that is not a host: the
 * runtime then gives nothing but the path (Bun), or the path behind that host (Deno), which would be no URL to anybody.
 */
function withWholeUrl(request: Request, address: Address): Request {
  if (URL.canParse(request.url)) return request;
  return new Request(`${urlOf(address)}/${request.url.replace(/^(https?:\/\/[^/]*)?\/*/, "")}`, request);
}

/** Waits for `close`, at most `graceMs`; then for `closeNow`. */
export async function closeWithin(graceMs: number, close: () => Promise<void>, closeNow: () => unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), graceMs);
  });
  const first = await Promise.race([close(), late]);
  clearTimeout(timer);
  if (first === "late") await closeNow();
}

/** `http://host:port`; an IPv6 host in brackets. */
export function urlOf({ host, port }: Address): string {
  return `http://${bracket(host)}:${port}`;
}

function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
