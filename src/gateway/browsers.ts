/** Which origins' pages may call (CORS, WHATWG Fetch 3.3). */

/** Headers that pages may send beside those that any page may, and those of an answer that they may read. */
const allowedHeaders = [
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
].join(",");
const readableHeaders = [
  "location",
  "retry-after",
  "idempotent-replayed",
  "ratelimit",
  "ratelimit-policy",
  "traceresponse",
  "www-authenticate",
  "x-request-id",
  "x-correlation-id",
].join(",");

const methods = "GET,HEAD,PUT,POST,DELETE,PATCH,QUERY";

const preflightSeconds = "600";

/** Answers preflights, and says on every answer who may read it. Without credentials: keys come in a header, not in cookies. */
export type AllowOrigins = (request: Request, serve: () => Promise<Response>) => Promise<Response>;

export function allowOrigins(origins: readonly string[]): AllowOrigins {
  const isAny = origins.includes("*");

  const tell = (request: Request, headers: Headers): void => {
    const origin = request.headers.get("origin") ?? "";
    if (isAny || origins.includes(origin)) headers.set("access-control-allow-origin", isAny ? "*" : origin);
    headers.set("access-control-expose-headers", readableHeaders);
    if (!isAny) headers.append("vary", "Origin");
  };

  return async (request, serve) => {
    const isOptions = request.method === "OPTIONS";
    // OPTIONS without it is no preflight: it is answered as on every route.
    if (isOptions && !request.headers.has("access-control-request-method")) return serve();
    const answer = isOptions ? new Response(null, { status: 204 }) : await serve();
    tell(request, answer.headers);
    if (!isOptions) return answer;
    answer.headers.set("access-control-max-age", preflightSeconds);
    answer.headers.set("access-control-allow-methods", methods);
    answer.headers.set("access-control-allow-headers", allowedHeaders);
    answer.headers.append("vary", "Access-Control-Request-Headers");
    return answer;
  };
}
