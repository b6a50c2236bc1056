/**
 * That it is the console's own page that asks, or no page at all: a browser lets every site send requests to this
 * machine. There are no cookies, so what a foreign page could use is only that the console of a laptop asks for no key.
 * Pure.
 */

import { isLoopback } from "../http/open-addresses.ts";
import { cutText } from "../telemetry/spans/http-attributes.ts";
import { TaskError } from "../words/errors.ts";

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
 * By what a browser says of itself (Fetch Metadata Request Headers, W3C; `none` is an address that somebody typed), which
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
