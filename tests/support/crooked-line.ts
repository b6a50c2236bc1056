/** A way to an HTTP server that can be made slow or dead, and well again, while it is in use. */

import { systemClock } from "../../src/limits/clock.ts";

export interface CrookedLine extends AsyncDisposable {
  url: string;
  /** Every request waits so long before it goes on. */
  slow(ms: number): void;
  /** Requests are never answered. */
  hang(): void;
  /** As it was at first; what hangs goes on. */
  mend(): void;
}

export function startCrookedLine(target: string): CrookedLine {
  let delayMs = 0;
  let open = Promise.withResolvers<void>();
  open.resolve();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const { method, headers, signal } = request;
      const body = await request.bytes();
      await systemClock.sleep(delayMs, signal);
      await open.promise;
      // Whoever asked may have gone, and so may the server.
      return fetch(target + new URL(request.url).pathname, { method, headers, body, signal }).catch(
        () => new Response(null, { status: 503 }),
      );
    },
  });
  const mend = (): void => {
    delayMs = 0;
    open.resolve();
  };
  return {
    url: server.url.origin,
    slow: (ms) => {
      delayMs = ms;
    },
    hang: () => {
      open = Promise.withResolvers();
    },
    mend,
    [Symbol.asyncDispose]: async () => {
      mend();
      await server.stop(true);
    },
  };
}
