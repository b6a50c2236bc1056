/** Calls by the Connect protocol: one POST each. */

import { Agent, request as requestHttp } from "node:http";
import { request as requestHttps, Agent as SecureAgent } from "node:https";
import { text } from "node:stream/consumers";
import { createSemaphore } from "../../limits/concurrency.ts";
import { TaskError } from "../../words/errors.ts";
import { fullMethod } from "../methods.ts";
import type { Transport } from "../transport.ts";
import { toMetadata } from "../wire.ts";
import { type Answered, codecOf, connectWire, contentTypes, fromErrorAnswer } from "./wire.ts";

const timeoutHeader = "connect-timeout-ms";

type Post = (url: string, body: string, headers: Record<string, string>, signal: AbortSignal) => Promise<Answered>;

/** Half of what Bun's `fetch` has under way in a process; see `createLongPost`. */
const usualCallsAtOnce = 128;
/**
 * To a task service in the same process: calls that read, above all, for of those that create tasks two are under way. It
 * asks its queue by `fetch` too, before it answers: calls that had every place would wait for an answer that waits for a
 * place. And both share their cores with the worker: calls beyond those that keep them busy take its time from it.
 */
export const callsAtOnceInProcess = 48;

export function createConnectTransport(url: string, callsAtOnce: number = usualCallsAtOnce): Transport {
  const semaphore = createSemaphore(callsAtOnce);
  const postLong = createLongPost();

  const post: Post = (url, body, headers, signal) =>
    semaphore.run(async () => {
      const response = await fetch(url, { method: "POST", headers, body, signal });
      const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
      return { status: response.status, header, text: await response.text() };
    }, signal);

  return {
    wire: connectWire,
    // Idle connections of both ways end by themselves.
    close: () => {},

    exchange: async ({ method, request, context, timeoutMs, isHeld, signal: over }) => {
      const send = isHeld ? postLong : post;
      const headers = {
        "content-type": contentTypes.json,
        "connect-protocol-version": "1",
        [timeoutHeader]: String(timeoutMs),
        ...toMetadata(context),
      };
      const limit = AbortSignal.timeout(timeoutMs);
      const signal = over ? AbortSignal.any([limit, over]) : limit;
      const answer = await send(`${url}/${fullMethod(method)}`, request, headers, signal);
      if (answer.status !== 200) return errorOf(answer);
      // Whatever it is would be passed on as the record of a task.
      const contentType = answer.header("content-type") ?? "no content type";
      if (codecOf(contentType) !== "json") throw foreignAnswer(`200 with ${contentType}`);
      return { json: answer.text, metadata: answer.header };
    },

    /** No method is called GET /: whatever a task service says to that shows that it is there. */
    probe: async (timeoutMs) => {
      const { status, body } = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
      await body?.cancel();
      if (status >= 500) throw foreignAnswer(status);
    },
  };
}

/** The task service's own error is an answer like others; what something in between says instead means that it is away. */
function errorOf(answer: Answered): TaskError {
  const error = fromErrorAnswer(answer);
  if (!error) throw foreignAnswer(answer.status);
  return error;
}

function foreignAnswer(what: string | number): TaskError {
  return new TaskError("unavailable", `the task service answered ${what}`);
}

/**
 * For a POST whose answer takes long. Bun's `fetch` has 256 requests under way in a process, all its threads together, and
 * every other one waits: that many callers who wait for the end of their tasks would stop every other request of the
 * process, those to its queue included. Node's client has no such limit; it costs twice the CPU. Its connections are kept
 * for the next calls. Rejects with the signal's reason when that aborts.
 */
function createLongPost(): Post {
  const agent = new Agent({ keepAlive: true });
  const secureAgent = new SecureAgent({ keepAlive: true });

  return (url, body, headers, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    const isSecure = url.startsWith("https:");
    const options = { method: "POST", headers: { ...headers, "content-length": Buffer.byteLength(body) } };
    const sent = isSecure
      ? requestHttps(url, { ...options, agent: secureAgent })
      : requestHttp(url, { ...options, agent });
    sent.on("error", reject);
    sent.on("response", (response) => {
      const { statusCode: status = 0, headers } = response;
      const header = (name: string): string | undefined => headers[name]?.toString();
      text(response).then((read) => resolve({ status, header, text: read }), reject);
    });
    // On Deno the client ignores its own option `signal`.
    const giveUp = (): void => {
      sent.destroy();
      reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp);
    sent.end(body);
    if (signal.aborted) giveUp();
    return promise.finally(() => signal.removeEventListener("abort", giveUp));
  };
}
