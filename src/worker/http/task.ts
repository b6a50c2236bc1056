/**
 * The task type `http`: one call to wherever the task says and the settings allow, its redirects included (RFC 9110, 15.4,
 * with the changes of method that fetch makes of it).
 */

import { context as contextApi } from "@opentelemetry/api";
import { proxyOf } from "../../http/fetch.ts";
import { productVersion } from "../../version.ts";
import { toFailure } from "../../words/errors.ts";
import { JsonText, readJson } from "../../words/json-text.ts";
import { toWellFormedJson } from "../../words/text.ts";
import { type BuiltInPayloads, payloadOf } from "../handlers/built-in-payloads.ts";
import type { HandlerContext, HandlerTask, TaskHandler } from "../handlers/handler.ts";
import { maxResultDepth } from "../handlers/result.ts";
import { retryAfterMs } from "../handlers/retry-after.ts";
import {
  addressesByProxy,
  allowedAddresses,
  ForbiddenTarget,
  isLoopback,
  type Resolve,
  resolveBySystem,
} from "./allow.ts";
import { toBody, UnfitBody, UnreadableAnswer, unpack } from "./body.ts";
import { type HttpAnswer, type HttpRequest, send, sendByProxy } from "./send.ts";
import { createTracedCall } from "./traced-fetch.ts";

/** Statuses of the 4xx range after which another attempt may succeed. */
const retriedStatuses = new Set([408, 429]);

/** `allow`: kinds of addresses, or host patterns. */
export function createHttpHandler(allow: readonly string[], resolve: Resolve = resolveBySystem): TaskHandler {
  return {
    type: "http",
    run: async (task, ctx) => {
      const payload = payloadOf("http", task, ctx);
      const call = createTracedCall({
        tracer: ctx.tracer,
        context: contextApi.active(),
        correlationId: task.correlationId,
      });
      const sendAllowed = async (hop: HttpRequest): Promise<HttpAnswer> => {
        const proxy = proxyOf(hop.url);
        const look = proxy === undefined ? allowedAddresses : addressesByProxy;
        const addresses = await until(ctx.signal, look(hop.url, allow, resolve));
        if (proxy !== undefined && !isLoopback(addresses)) return sendByProxy(hop, proxy, ctx.signal);
        return send(hop, addresses, ctx.signal);
      };
      try {
        const request = toRequest({ ...payload, body: bodyOf(task) });
        const answer = await follow(request, (hop, resendCount) =>
          call({ url: hop.url, method: hop.method, headers: hop.headers, resendCount }, (headers) =>
            sendAllowed({ ...hop, headers }),
          ),
        );
        return await toResult(request, answer, ctx);
      } catch (error) {
        // Another attempt would find the same.
        if (isLasting(error)) {
          throw ctx.fatal(toFailure(error).message, { cause: error });
        }
        throw error;
      }
    },
  };
}

type HttpPayload = Omit<BuiltInPayloads["http"], "body"> & { body: JsonText | undefined };

/** With its own characters, so that no digit of a number changes. undefined: it has none. */
function bodyOf({ payloadText }: HandlerTask): JsonText | undefined {
  const { body } = Object(readJson(payloadText, Number.POSITIVE_INFINITY, ["body"]));
  return body;
}

function toRequest({ url, method, headers, body }: HttpPayload): HttpRequest {
  const hasBody = body !== undefined && !["GET", "HEAD"].includes(method);
  const all = new Headers({ accept: "*/*", "user-agent": `throughline/${productVersion}` });
  if (hasBody) all.set("content-type", "application/json");
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  const sent = hasBody ? toBody(body, all.get("content-type") ?? "") : undefined;
  return { url: new URL(url), method, headers: all, body: sent };
}

function isLasting(error: unknown): boolean {
  return error instanceof ForbiddenTarget || error instanceof UnreadableAnswer || error instanceof UnfitBody;
}

/** Each hop is looked at as the first was. */
async function follow(
  first: HttpRequest,
  sendHop: (hop: HttpRequest, resendCount: number) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  let request = first;
  for (let redirects = 0; ; redirects++) {
    const answer = await sendHop(request, redirects);
    const next = redirected(request, answer.status, answer.location);
    if (!next) return answer;
    if (redirects === maxRedirects) {
      throw new ForbiddenTarget(`${first.url.host} redirects more than ${maxRedirects} times`);
    }
    request = next;
  }
}

async function toResult(
  { method, url }: HttpRequest,
  { status, retryAfter, ...packed }: HttpAnswer,
  ctx: HandlerContext,
): Promise<unknown> {
  if (status >= 200 && status < 400) {
    const unpacked = await unpack({ host: url.host, ...packed });
    if ("base64" in unpacked) return { status, body: unpacked.base64, encoding: "base64" };
    return { status, body: asJson(unpacked.text) };
  }
  const message = `${method} ${url.host} answered ${status}`;
  if (status < 500 && !retriedStatuses.has(status)) throw ctx.fatal(message);
  // At once (0) would be sooner than the back-off: a server that is in trouble may say so all the same.
  const askedMs = retryAfterMs(retryAfter, Date.now());
  if (askedMs) throw ctx.retryAfter(askedMs, message);
  throw new Error(message);
}

/**
 * JSON keeps its digits, unless it has half a surrogate pair, with which it is a result as any other. What is no JSON, or
 * nests too deep to be a result, stays text: the body is one level within that.
 */
function asJson(text: string): unknown {
  try {
    readJson(text, maxResultDepth - 1);
    return toWellFormedJson(text) === text ? new JsonText(text) : JSON.parse(text);
  } catch {
    return text;
  }
}

/** What `promise` gives, unless the signal aborts first: a name server that is silent is waited for by the system only. */
function until<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(signal.reason);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", stop));
}

/** As many as curl and the browsers are asked for by careful callers; a loop ends here. */
export const maxRedirects = 5;

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** All that goes on to another origin: any other header may be a secret that was meant for the first. */
const harmlessHeaders: ReadonlySet<string> = new Set(["accept", "accept-language", "content-type", "user-agent"]);

/** The next request; undefined when the answer is the last. Throws `ForbiddenTarget` for a target that must not be followed. */
export function redirected(
  request: HttpRequest,
  status: number,
  location: string | undefined,
): HttpRequest | undefined {
  if (!redirects.has(status) || location === undefined) return undefined;
  const url = URL.parse(location, request.url);
  if (!url) throw new ForbiddenTarget(`${request.url.host} redirects to "${location.slice(0, 200)}", which is no URL`);
  if (request.url.protocol === "https:" && url.protocol === "http:") {
    throw new ForbiddenTarget(`${request.url.host} redirects from https to http (${url.host}), which is not followed`);
  }
  // A fragment stays with the caller.
  url.hash = "";
  const headers = new Headers(request.headers);
  if (url.origin !== request.url.origin) {
    for (const name of [...headers.keys()]) if (!harmlessHeaders.has(name)) headers.delete(name);
  }
  if (!becomesGet(status, request.method)) return { ...request, url, headers };
  for (const name of [...headers.keys()]) if (name.startsWith("content-")) headers.delete(name);
  return { url, method: "GET", headers, body: undefined };
}

/** Fetch standard, "HTTP-redirect fetch", step 12. */
function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== "GET" && method !== "HEAD";
  return (status === 301 || status === 302) && method === "POST";
}
