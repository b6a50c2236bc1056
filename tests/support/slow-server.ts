/** A real HTTP server that holds its answers until it is let go, and gives large ones that take a reader. */

import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SlowServer extends AsyncDisposable {
  /** `/large`: an answer of `largeBytes`, in chunks; `/large?length`: with its length. Everything else is held. */
  url: string;
  /** Requests whose answer has not come whole, nor was given up. */
  open(): number;
  /** Answers all that is held, and from now on at once. */
  letGo(): void;
}

/** More than what lies between two sockets and their readers. */
export const largeBytes = 16 * 1024 * 1024;

export async function startSlowServer(): Promise<SlowServer> {
  const held = new Set<ServerResponse>();
  let isHolding = true;
  let open = 0;
  const server = createServer((request, answer) => {
    open += 1;
    answer.once("close", () => {
      open -= 1;
      held.delete(answer);
    });
    if (request.url?.startsWith("/large")) {
      if (request.url.endsWith("?length")) answer.setHeader("content-length", largeBytes);
      answer.write(Buffer.alloc(largeBytes / 2, "a"));
      answer.end(Buffer.alloc(largeBytes / 2, "b"));
    } else if (isHolding) held.add(answer);
    else answer.end("ok");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server on a port that is not a pipe's has such an address.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    open: () => open,
    letGo: () => {
      isHolding = false;
      for (const answer of held) answer.end("ok");
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
