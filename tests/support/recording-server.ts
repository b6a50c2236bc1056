/** A real HTTP server that keeps the headers of each request, by path. */

import { listen } from "../../src/http/listen.ts";
import { eventually } from "./eventually.ts";

type RecordedHeaders = Record<string, string>;

export interface RecordingServer extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string;
  /** Headers of every request for this path so far. */
  requestsAt(path: string): readonly RecordedHeaders[];
  /** Headers of the first request for this path, once it has come. */
  headersAt(path: string): Promise<RecordedHeaders>;
}

/** `answer` may say something else than 200 to a request. */
export async function startRecordingServer(
  answer: (request: Request) => Response | Promise<Response> | undefined = () => undefined,
): Promise<RecordingServer> {
  const requests = new Map<string, RecordedHeaders[]>();
  const requestsAt = (path: string): readonly RecordedHeaders[] => requests.get(path) ?? [];
  const listener = await listen({ host: "127.0.0.1", port: 0 }, (request) => {
    const { pathname } = new URL(request.url);
    requests.set(pathname, [...requestsAt(pathname), Object.fromEntries(request.headers)]);
    return answer(request) ?? Response.json({});
  });
  return {
    url: listener.url,
    requestsAt,
    headersAt: (path) => eventually(() => requestsAt(path)[0]),
    [Symbol.asyncDispose]: () => listener.stop(0),
  };
}
