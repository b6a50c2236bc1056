/** What follows an answer that redirects: RFC 9110, 15.4, with the changes of method that fetch makes of it. */

import { ForbiddenTarget } from "./allow.ts";
import type { HttpRequest } from "./send.ts";

/** As many as curl and the browsers are asked for by careful callers; a loop ends here. */
export const maxRedirects = 5;

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** All that goes on to another origin: what anybody else is called may be a secret that was meant for the first. */
const harmlessHeaders: ReadonlySet<string> = new Set(["accept", "accept-language", "content-type", "user-agent"]);

/** The next request; undefined when the answer is the last. Throws `ForbiddenTarget` for where nobody should follow. */
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
