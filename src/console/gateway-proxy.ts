/**
 * The page's questions about tasks, passed on to the gateway: those of a list, as they are, with the key that came with
 * them. The gateway decides who may do what; here nothing is looked into. Streams are passed through as they come.
 */

import { readBody } from "../http/request-body.ts";
import { TaskError } from "../words/errors.ts";

const id = "[A-Za-z0-9._:-]{1,128}";

/** What the page asks for, and no more. */
const passed: readonly [methods: string, path: RegExp][] = [
  ["GET POST", /^\/v1\/tasks$/],
  ["GET", new RegExp(`^/v1/tasks/${id}(?:/timeline|/events)?$`)],
  ["POST", new RegExp(`^/v1/tasks/${id}/cancel$`)],
  ["GET", new RegExp(`^/v1/dead-letters(?:/${id})?$`)],
  ["POST", new RegExp(`^/v1/dead-letters/(?:redrive|${id}/discard)$`)],
  ["GET", new RegExp(`^/v1/dead-letters/redrives/${id}$`)],
  ["POST", new RegExp(`^/v1/dead-letters/redrives/${id}/(?:pause|resume|cancel)$`)],
  ["GET", new RegExp(`^/v1/schedules(?:/${id})?$`)],
  ["POST", new RegExp(`^/v1/schedules/${id}/(?:pause|resume|trigger)$`)],
  ["GET", /^\/v1\/types$/],
  ["GET", /^\/health$/],
];

const requestHeaders = [
  "accept",
  "authorization",
  "content-type",
  "idempotency-key",
  "last-event-id",
  "x-correlation-id",
  "x-force-trace",
  "x-request-id",
];
const answerHeaders = [
  "cache-control",
  "content-type",
  "etag",
  "idempotent-replayed",
  "location",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "traceresponse",
  "www-authenticate",
  "x-accel-buffering",
  "x-correlation-id",
  "x-request-id",
];

/** More than the gateway takes, which answers for itself what is too large. */
const maxBodyBytes = 1024 * 1024;
/** Longer than the gateway holds an answer (`?wait=60s`) and then gives the task service. */
const answerLimitMs = 75_000;

/** undefined: the page asks for nothing of that kind. `gatewayUrl` without a slash at the end. */
export function passToGateway(request: Request, gatewayUrl: () => Promise<string>): Promise<Response> | undefined {
  const { pathname, search } = new URL(request.url);
  const isPassed = passed.some(([methods, path]) => methods.split(" ").includes(request.method) && path.test(pathname));
  return isPassed ? pass(request, `${pathname}${search}`, gatewayUrl) : undefined;
}

async function pass(request: Request, path: string, gatewayUrl: () => Promise<string>): Promise<Response> {
  const body = request.method === "POST" ? await readBody(request, maxBodyBytes) : undefined;
  const base = await gatewayUrl();
  const isStream = path.endsWith("/events");
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), answerLimitMs);
  // Who leaves waits no longer; a change that was asked for is made all the same.
  if (request.method === "GET") request.signal.addEventListener("abort", () => over.abort(), { once: true });
  try {
    const answer = await fetch(`${base}${path}`, {
      method: request.method,
      headers: chosen(request.headers, requestHeaders),
      ...(body && body.byteLength > 0 && { body: new Uint8Array(body) }),
      redirect: "manual",
      signal: over.signal,
    });
    // A stream goes on for as long as somebody reads it: who leaves cancels it here, and so at the gateway.
    const content = isStream ? answer.body : await answer.arrayBuffer();
    return new Response(answer.status === 204 ? null : content, {
      status: answer.status,
      headers: chosen(answer.headers, answerHeaders),
    });
  } catch (cause) {
    if (request.signal.aborted) throw new TaskError("canceled", "the caller went away", { cause });
    const why = over.signal.aborted ? "took too long to answer" : "does not answer";
    const hint = "is it running? --gateway-url says where the console looks for it";
    throw new TaskError("unavailable", `the gateway at "${base}" ${why}: ${hint}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

function chosen(from: Headers, names: readonly string[]): Headers {
  const headers = new Headers();
  for (const name of names) {
    const value = from.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}
