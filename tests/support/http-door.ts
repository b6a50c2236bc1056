/** A door before an HTTP server: while it is shut nobody gets through, and who is inside is put out. */

export interface HttpDoor extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string;
  shut(): void;
  open(): void;
}

export function startHttpDoor(target: string): HttpDoor {
  let shutting = new AbortController();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async ({ url, method, headers, body }) => {
      const { pathname } = new URL(url);
      const { signal } = shutting;
      try {
        signal.throwIfAborted();
        const sent = body && (await new Response(body).bytes());
        const answer = await fetch(`${target}${pathname}`, { method, headers, body: sent, signal });
        return new Response(await answer.bytes(), { status: answer.status, headers: answer.headers });
      } catch {
        return new Response("nobody is here", { status: 503 });
      }
    },
  });
  return {
    url: server.url.origin,
    shut: () => shutting.abort(),
    open: () => {
      shutting = new AbortController();
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
