/**
 * Attributes that several spans write in the same way: HTTP's method, URL and server, bounded; and those of a task's
 * metadata, of which only the keys that a setting names are shown, because it may be anything, personal data too.
 */

import type { Attributes } from "@opentelemetry/api";
import { key, ownKey } from "../names.ts";

/** OpenTelemetry semantic conventions 1.45, `http.request.method`. */
const knownMethods = new Set("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split(" "));

/** What the conventions give to a value that is not one of a known few. */
export const other = "_OTHER";

/** Text that a stranger chose is cut at this length; a URL at the other. */
const maxTextLength = 256;
const maxUrlLength = 2048;

/** What a span's name says of the method: no word that a stranger made up. */
export function methodName(method: string): string {
  return knownMethods.has(method) ? method : "HTTP";
}

/** The method, if the conventions know it. */
export function knownMethod(method: string): string {
  return knownMethods.has(method) ? method : other;
}

export function methodAttributes(method: string): Attributes {
  const known = knownMethod(method);
  return {
    [key.httpRequestMethod]: known,
    ...(known === other && { [key.httpRequestMethodOriginal]: cutText(method) }),
  };
}

/** Host and port of a URL; an IPv6 address without its brackets. */
export function serverAttributes({ hostname, port, protocol }: URL): Attributes {
  return {
    [key.serverAddress]: cutText(hostname.replace(/^\[|\]$/g, "")),
    [key.serverPort]: Number(port) || (protocol === "https:" ? 443 : 80),
  };
}

export function cutText(text: string): string {
  return text.slice(0, maxTextLength).toWellFormed();
}

export function cutUrl(text: string): string {
  return text.slice(0, maxUrlLength).toWellFormed();
}

/** As it is sent: the fragment never is. What is secret in it is masked when the span is exported. */
export function urlAttribute(url: URL): Attributes {
  return { [key.urlFull]: cutUrl(url.href.slice(0, url.href.length - url.hash.length)) };
}

/** `throughline.metadata.<key>` for each of the `shown` keys that the task has. */
export function metadataAttributes(metadata: Readonly<Record<string, string>>, shown: readonly string[]): Attributes {
  const attributes: Record<string, string> = {};
  for (const name of shown) {
    const value = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
    if (value !== undefined) attributes[ownKey.metadata + name] = value;
  }
  return attributes;
}
