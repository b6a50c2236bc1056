/** A real HTTP server that holds every answer until the test lets it go. */

export interface HeldServer extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string;
  /** How many requests have come so far. */
  asked(): number;
  /** Answers everybody, from now on. */
  open(): void;
}

export function startHeldServer(answer: (request: Request) => Response): HeldServer {
  const opened = Promise.withResolvers<void>();
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      asked += 1;
      await opened.promise;
      return answer(request);
    },
  });
  return {
    url: server.url.origin,
    asked: () => asked,
    open: () => opened.resolve(),
    [Symbol.asyncDispose]: async () => {
      opened.resolve();
      await server.stop(true);
    },
  };
}
