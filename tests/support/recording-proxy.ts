/** A real HTTP proxy that keeps what it is asked, passes plain requests on to one server, and refuses tunnels. */

import { once } from "node:events";
import { createServer, request as requestHttp } from "node:http";
import type { AddressInfo } from "node:net";

export interface RecordingProxy extends AsyncDisposable {
  url: string;
  /** Method and target of each request; a tunnel's is host and port. */
  asked: string[];
}

/** Whatever host it is asked for, it asks `target`. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const asked: string[] = [];
  const server = createServer((request, answer) => {
    asked.push(`${request.method} ${request.url}`);
    const { pathname, search } = new URL(request.url ?? "", target);
    const { method = "GET", headers } = request;
    const passed = requestHttp(`${target}${pathname}${search}`, { method, headers }, (given) => {
      answer.writeHead(given.statusCode ?? 502, given.headers);
      given.pipe(answer);
    });
    request.pipe(passed);
  });
  server.on("connect", (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 no tunnels here\r\ncontent-length: 0\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server on a port that is not a pipe's has such an address.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
