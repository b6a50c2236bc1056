/**
 * A POST whose answer is held for long. Bun's `fetch` has 256 requests under way in a process, all its threads together,
 * and keeps every other one waiting: that many callers who wait for the end of their tasks would stop all else that the
 * process asks of anybody, its queue included. Node's client knows no such limit; it costs twice the CPU.
 */

import { Agent, request as requestHttp } from "node:http";
import { request as requestHttps, Agent as SecureAgent } from "node:https";
import { text } from "node:stream/consumers";
import type { Answered } from "./wire.ts";

export type HeldPost = (
  url: string,
  body: string,
  headers: Record<string, string>,
  signal: AbortSignal,
) => Promise<Answered>;

/** Its connections are kept for the next calls. Rejects with the signal's reason when that aborts. */
export function createHeldPost(): HeldPost {
  const agent = new Agent({ keepAlive: true });
  const secureAgent = new SecureAgent({ keepAlive: true });

  return (url, body, headers, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    const isSecure = url.startsWith("https:");
    const options = { method: "POST", headers: { ...headers, "content-length": Buffer.byteLength(body) } };
    const asked = isSecure
      ? requestHttps(url, { ...options, agent: secureAgent })
      : requestHttp(url, { ...options, agent });
    asked.on("error", reject);
    asked.on("response", (response) => {
      const { statusCode: status = 0, headers } = response;
      text(response).then((read) => resolve({ status, retryAfter: headers["retry-after"], text: read }), reject);
    });
    // The client's own option `signal` is not kept on Deno.
    const giveUp = (): void => {
      asked.destroy();
      reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp);
    asked.end(body);
    if (signal.aborted) giveUp();
    return promise.finally(() => signal.removeEventListener("abort", giveUp));
  };
}
