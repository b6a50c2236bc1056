/** The task type `http`: one call to wherever the task says and the settings allow, its redirects included. */

import { context as contextApi } from "@opentelemetry/api";
import { z } from "zod";
import { toFailure } from "../errors.ts";
import { productVersion } from "../version.ts";
import type { HandlerContext, TaskHandler } from "./handler.ts";
import { allowedAddresses, ForbiddenTarget, type Resolve, resolveBySystem } from "./http-allow.ts";
import { maxRedirects, redirected } from "./http-redirect.ts";
import { AnswerTooLarge, type HttpAnswer, type HttpRequest, send } from "./http-send.ts";
import { payloadOf } from "./payload.ts";
import { createTracedCall } from "./traced-fetch.ts";

/** They say how the message is framed, or whom it is for: not the caller's to say. Fetch standard, "forbidden request-header". */
const ownHeaders =
  /^(host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|accept-encoding)$/i;

const httpPayload = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  /** Fetch standard, "forbidden method". */
  method: z
    .string()
    .regex(/^[A-Za-z][A-Za-z-]{0,31}$/, "expected a method such as POST")
    .transform((method) => method.toUpperCase())
    .refine((method) => !["CONNECT", "TRACE", "TRACK"].includes(method), "this method is not allowed")
    .default("POST"),
  headers: z
    .record(z.string(), z.string())
    .refine(areHeaders, "expected names and values of HTTP headers")
    .superRefine((headers, context) => {
      for (const name of Object.keys(headers).filter((name) => ownHeaders.test(name))) {
        context.addIssue({ code: "custom", message: `the header "${name}" is the call's own, leave it out` });
      }
    })
    .default({}),
  body: z.unknown().optional(),
});

/** Statuses of the 4xx range after which another attempt may succeed. */
const retriedStatuses = new Set([408, 429]);

/** `allow`: kinds of addresses, or host patterns. */
export function createHttpHandler(allow: readonly string[], resolve: Resolve = resolveBySystem): TaskHandler {
  return {
    type: "http",
    run: async (task, ctx) => {
      const request = toRequest(payloadOf(httpPayload, task.payload, ctx));
      const call = createTracedCall({
        tracer: ctx.tracer,
        context: contextApi.active(),
        correlationId: task.correlationId,
      });
      const sendAllowed = async (hop: HttpRequest): Promise<HttpAnswer> => {
        const addresses = await until(ctx.signal, allowedAddresses(hop.url, allow, resolve));
        return send(hop, addresses, ctx.signal);
      };
      try {
        const answer = await follow(request, (hop, resendCount) =>
          call({ url: hop.url, method: hop.method, headers: hop.headers, resendCount }, (headers) =>
            sendAllowed({ ...hop, headers }),
          ),
        );
        return toResult(request, answer, ctx);
      } catch (error) {
        // Another attempt would find the same.
        if (error instanceof ForbiddenTarget || error instanceof AnswerTooLarge) {
          throw ctx.fatal(toFailure(error).message, { cause: error });
        }
        throw error;
      }
    },
  };
}

function toRequest({ url, method, headers, body }: z.infer<typeof httpPayload>): HttpRequest {
  const hasBody = body !== undefined && !["GET", "HEAD"].includes(method);
  const all = new Headers({ accept: "*/*", "user-agent": `throughline/${productVersion}` });
  if (hasBody) all.set("content-type", "application/json");
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  return { url: new URL(url), method, headers: all, body: hasBody ? JSON.stringify(body) : undefined };
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

function toResult(
  { method, url }: HttpRequest,
  { status, retryAfter, text }: HttpAnswer,
  ctx: HandlerContext,
): unknown {
  if (status >= 200 && status < 400) return { status, body: asJson(text) };
  const message = `${method} ${url.host} answered ${status}`;
  if (status < 500 && !retriedStatuses.has(status)) throw ctx.fatal(message);
  const retryAfterSeconds = Number(retryAfter);
  if (retryAfterSeconds > 0) throw ctx.retryAfter(retryAfterSeconds * 1000, message);
  throw new Error(message);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function areHeaders(headers: Record<string, string>): boolean {
  try {
    new Headers(headers);
    return true;
  } catch {
    return false;
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
