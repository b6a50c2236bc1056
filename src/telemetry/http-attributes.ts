/** What spans of HTTP say in the same way on both sides: method, URL and server, bounded and without secrets. */

import type { Attributes } from "@opentelemetry/api";
import { key } from "./names.ts";

/** OpenTelemetry semantic conventions 1.45, `http.request.method`. */
const knownMethods = new Set("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split(" "));

/** Text that a stranger chose is cut at this length; a URL at the other. */
const maxTextLength = 256;
const maxUrlLength = 2048;

/** What a span's name says of the method: no word that a stranger made up. */
export function methodName(method: string): string {
  return knownMethods.has(method) ? method : "HTTP";
}

export function methodAttributes(method: string): Attributes {
  if (knownMethods.has(method)) return { [key.httpRequestMethod]: method };
  return { [key.httpRequestMethod]: "_OTHER", [key.httpRequestMethodOriginal]: cutText(method) };
}

/** Host and port of a URL; an IPv6 address without its brackets. */
export function serverAttributes({ hostname, port, protocol }: URL): Attributes {
  return {
    [key.serverAddress]: cutText(hostname.replace(/^\[|\]$/g, "")),
    [key.serverPort]: Number(port) || (protocol === "https:" ? 443 : 80),
  };
}

export function cutText(text: string): string {
  return text.slice(0, maxTextLength);
}

export function cutUrl(text: string): string {
  return text.slice(0, maxUrlLength);
}

/** Names of query parameters whose value nobody should read (semantic conventions 1.45, `url.full`, and their like). */
const secretName = /token|secret|passw|pwd|api[-_]?key|access[-_]?key|signature|credential|^sig$|^key$|^auth/i;
const redacted = "REDACTED";

/** The URL without credentials, the values of secret parameters, and the fragment, which is never sent. */
export function withoutSecrets(url: URL): string {
  const shown = new URL(url);
  shown.hash = "";
  if (shown.username) shown.username = redacted;
  if (shown.password) shown.password = redacted;
  const query = queryWithoutSecrets(url);
  if (query !== url.search.slice(1)) shown.search = query;
  return shown.href;
}

/** As it was sent, unless it has a secret parameter. */
export function queryWithoutSecrets({ search, searchParams }: URL): string {
  const secrets = [...searchParams.keys()].filter((name) => secretName.test(name));
  if (secrets.length === 0) return search.slice(1);
  const shown = new URLSearchParams(searchParams);
  for (const name of secrets) shown.set(name, redacted);
  return shown.toString();
}
