/** Headers for browsers: which origins may call (CORS), and that an answer is data, not a page. */

import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { Edge } from "./request.ts";

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
export function allowOrigins(origins: readonly string[]): MiddlewareHandler<Edge> {
  const origin = origins.includes("*") ? "*" : [...origins];
  const allow = cors({ origin, allowHeaders, exposeHeaders, maxAge: preflightSeconds });
  return (c, next) => {
    // OPTIONS without it is no preflight: it is answered as on every route.
    const isQuestion = c.req.method === "OPTIONS" && c.req.header("access-control-request-method") === undefined;
    return isQuestion ? next() : allow(c, next);
  };
}

/** Where a route has not said otherwise: OWASP REST Security Cheat Sheet, "Security Headers". TLS, and with it HSTS, is the proxy's. */
const securityHeaders = Object.entries({
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
});

export function setSecurityHeaders(headers: Headers): void {
  for (const [name, value] of securityHeaders) if (!headers.has(name)) headers.set(name, value);
}
