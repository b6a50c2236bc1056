/** Which origins' pages may call (CORS, WHATWG Fetch 3.3). */

import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { Edge, Serve } from "./request.ts";

/** Headers that pages may send beside those that any page may, and those of an answer that they may read. */
const allowHeaders = [
  "authorization",
  "content-type",
  "idempotency-key",
  "last-event-id",
  "traceparent",
  "tracestate",
  "baggage",
  "x-request-id",
  "x-correlation-id",
  "x-force-trace",
];
const exposeHeaders = [
  "location",
  "retry-after",
  "idempotent-replayed",
  "ratelimit",
  "ratelimit-policy",
  "traceresponse",
  "www-authenticate",
  "x-request-id",
  "x-correlation-id",
];

const preflightSeconds = 600;

/** Answers preflights, and says on every answer who may read it. Without credentials: keys come in a header, not in cookies. */
export function allowOrigins(origins: readonly string[], serve: Serve): MiddlewareHandler<Edge> {
  const origin = origins.includes("*") ? "*" : [...origins];
  const allow = cors({ origin, allowHeaders, exposeHeaders, maxAge: preflightSeconds });
  return async (h, next) => {
    if (h.req.method !== "OPTIONS") return allow(h, next);
    // OPTIONS without it is no preflight: it is answered as on every route.
    if (h.req.header("access-control-request-method") === undefined) return next();
    return serve(h, undefined, async () => (await allow(h, next)) ?? h.res);
  };
}
