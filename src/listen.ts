/**
 * The one place where a socket is opened for HTTP, and so the one place that knows which runtime this is.
 * Owns nothing but the listener; what is answered belongs to the handler.
 */

/** Who is at the other end of a request. */
export interface Peer {
  /** IP address; empty when the runtime does not tell. */
  address: string;
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

/** A request may be silent this long, in seconds; Bun's own 10 would cut a long poll. 255 is Bun's largest. */
const idleTimeoutSeconds = 255;

/** Opens `address`; rejects with the runtime's error (`EADDRINUSE` in its code or message) when it cannot. */
export async function listen(address: Address, handler: HttpHandler): Promise<Listener> {
  return "Deno" in globalThis ? listenDeno(address, handler) : listenBun(address, handler);
}

function listenBun(address: Address, handler: HttpHandler): Listener {
  const server = Bun.serve({
    hostname: address.host,
    port: address.port,
    idleTimeout: idleTimeoutSeconds,
    // Bodies are measured by the handlers: the runtime's own limit answers a bare 413 without headers or a problem.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request, server) => handler(request, { address: server.requestIP(request)?.address ?? "" }),
  });
  const port = server.port ?? address.port;
  return {
    url: `http://${bracket(address.host)}:${port}`,
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
    options: { hostname: string; port: number; onListen: () => void; signal: AbortSignal },
    handler: (request: Request, details: { remoteAddr: { hostname: string } }) => Response | Promise<Response>,
  ): DenoServer;
}

function listenDeno(address: Address, handler: HttpHandler): Listener {
  // The border to a runtime whose types are not loaded: checked by the tests that run under Deno.
  const { Deno } = globalThis as unknown as { Deno: DenoServe };
  const closing = new AbortController();
  const server = Deno.serve(
    { hostname: address.host, port: address.port, onListen: () => {}, signal: closing.signal },
    (request, details) => handler(request, { address: details.remoteAddr.hostname }),
  );
  const port = server.addr.port;
  return {
    url: `http://${bracket(address.host)}:${port}`,
    host: address.host,
    port,
    stop: (graceMs = 1000) =>
      closeWithin(
        graceMs,
        () => server.shutdown(),
        () => closing.abort(),
      ),
  };
}

async function closeWithin(graceMs: number, close: () => Promise<void>, closeNow: () => unknown): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), graceMs);
  });
  const first = await Promise.race([close(), late]);
  clearTimeout(timer);
  if (first === "late") await closeNow();
}

function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
