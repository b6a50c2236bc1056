/**
 * The console's address: the page, its questions about traces, and those about tasks, which the gateway answers. The page
 * itself is open, it holds nothing; every question is checked first. A browser lets every site send requests to this
 * machine, so pages of other sites are refused: there are no cookies, but a laptop's console needs no key.
 */

import type { ApiKeys } from "../access/api-keys.ts";
import { identify, permit } from "../access/caller.ts";
import { createRateLimits, refuseSpent } from "../access/rate-limit.ts";
import { readBody } from "../http/body.ts";
import type { HttpHandler } from "../http/listen.ts";
import { isLoopback } from "../http/open-addresses.ts";
import { toProblem } from "../http/problem.ts";
import type { Clock } from "../limits/clock.ts";
import type { Rate } from "../settings/parsers.ts";
import { cutText } from "../telemetry/spans/attributes.ts";
import { TaskError, toTaskError } from "../words/errors.ts";
import { answerPageFile } from "./page-files.ts";

interface SiteDeps {
  /** Answers what is not passed on. */
  query: HttpHandler;
  /** The current ones; undefined: no key is needed. */
  apiKeys(): ApiKeys | undefined;
  /** Of those who ask; what is passed on counts at the gateway. undefined: there is none. */
  rateLimit: Rate | undefined;
  /** Without a slash at the end. */
  gatewayUrl(): Promise<string>;
  /** It listens for this machine alone. */
  isLocal: boolean;
  clock: Clock;
  /** Of the trace under which a fault of ours is logged. */
  traceId: string;
  /** Called for every fault of ours. */
  onFault(error: TaskError): void;
}

export function createSite(deps: SiteDeps): HttpHandler {
  const { query, apiKeys, rateLimit, gatewayUrl, isLocal, clock, traceId, onFault } = deps;
  const limits = createRateLimits(rateLimit, clock);

  /** As at the gateway. First the limit: guessing is asking, too. */
  const refuseUnknown = async ({ headers }: Request, address: string): Promise<void> => {
    const caller = identify(apiKeys(), headers.get("authorization"), clock.nowMs());
    const allowance = await limits.take(caller, address, 1);
    if (allowance) refuseSpent(allowance, 1);
    permit(caller, "read");
  };

  const answer: HttpHandler = async (request, peer) => {
    refuseForeignPage(request, { isLocal });
    const known = answerPageFile(request) ?? (await passToGateway(request, gatewayUrl));
    if (known) return known;
    await refuseUnknown(request, peer.address);
    return query(request, peer);
  };

  return async (request, peer) => {
    try {
      const response = await answer(request, peer);
      if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
      response.headers.set("x-content-type-options", "nosniff");
      return response;
    } catch (thrown) {
      const error = toTaskError(thrown);
      if (error.code === "internal") onFault(error);
      const refused = toProblem(error, traceId);
      refused.headers.set("cache-control", "no-store");
      refused.headers.set("x-content-type-options", "nosniff");
      return refused;
    }
  };
}

/** Throws `permission_denied` or `invalid_argument` for what another site makes a browser ask. */
export function refuseForeignPage(request: Request, { isLocal }: { isLocal: boolean }): void {
  const { headers, method } = request;
  const url = new URL(request.url);
  // A site whose name suddenly means this machine would be "the same origin" as itself: DNS rebinding.
  if (isLocal && !isLoopback(url.hostname.replace(/^\[|\]$/g, ""))) {
    const message = `the console of this machine does not answer as "${cutText(url.hostname)}": ask for localhost, or set --console-listen to an address that others may reach`;
    throw new TaskError("permission_denied", message);
  }
  if (!url.pathname.startsWith("/v1/")) return;
  if (isForeign(headers, url)) {
    throw new TaskError("permission_denied", "pages of other sites may not ask the console; programs ask the gateway");
  }
  const isSafe = method === "GET" || method === "HEAD";
  // What no form can send: a page of another site would have to ask first, and is not let in.
  if (!isSafe && !/^application\/json\b/i.test(headers.get("content-type") ?? "")) {
    throw new TaskError("invalid_argument", "what changes something has to have the content-type application/json");
  }
}

/**
 * By the browser's own headers (Fetch Metadata Request Headers, W3C; `none` is an address that the user typed), which
 * holds behind a proxy too; else by the origin.
 */
function isForeign(headers: Headers, url: URL): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const origin = headers.get("origin");
  return origin !== null && hostOf(origin) !== url.host;
}

function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host;
}

const id = "[A-Za-z0-9._:-]{1,128}";

/** Requests that pass: those that the page sends, and no others. */
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

/**
 * Passes a question about tasks on to the gateway, as it is, with the key that came with it: the gateway decides who may
 * do what. Streams are passed through as they come. undefined: the page sends no such request. `gatewayUrl` without a
 * slash at the end.
 */
function passToGateway(request: Request, gatewayUrl: () => Promise<string>): Promise<Response> | undefined {
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
  // A read ends when its caller leaves; a change is carried out in any case.
  if (request.method === "GET") request.signal.addEventListener("abort", () => over.abort(), { once: true });
  try {
    const answer = await fetch(`${base}${path}`, {
      method: request.method,
      headers: chosen(request.headers, requestHeaders),
      ...(body && body.byteLength > 0 && { body: new Uint8Array(body) }),
      redirect: "manual",
      signal: over.signal,
    });
    // A stream goes on for as long as it is read: a caller that leaves cancels it here, and so at the gateway.
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
