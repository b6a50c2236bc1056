/**
 * What is masked: values whose key looks like a secret's, and credentials in URLs. By the key, at any depth:
 * libraries that mask by path would have to know every shape that a handler's fields may have.
 */

import type { Attributes, AttributeValue } from "@opentelemetry/api";
import { key } from "../names.ts";

/** OpenTelemetry semantic conventions 1.45, `url.full`. */
export const redacted = "REDACTED";

/** Words, or words in a row, that name a secret. Whole words: `tokens` counts something, `author` is a person. */
const secretNames: ReadonlySet<string> = new Set([
  "password",
  "passwd",
  "passphrase",
  "secret",
  "secrets",
  "signature",
  "token",
  "jwt",
  "authorization",
  "credential",
  "credentials",
  "cookie",
  "cookies",
  "session",
  "sessionid",
  "apikey",
  "api key",
  "access key",
  "private key",
  "secret key",
  "signing key",
  "encryption key",
]);

/** Parameters of URLs that are secrets under short names, which mean something else as a field. */
const secretParameters: ReadonlySet<string> = new Set(["auth", "key", "pwd", "sig"]);

/** A name that ends in one of these describes a secret and is none: `token_type`, `passwordChangedAt`. */
const harmlessEnds: ReadonlySet<string> = new Set(["at", "count", "expires", "length", "limit", "name", "ttl", "type"]);

/** Keys come from code, so there are few; a program that makes them up must not fill the memory. */
const maxKnownNames = 2000;
/** Secrets have short names. What is longer is text, and not worth a look. */
const maxNameLength = 100;

export interface Redaction {
  /** Whether a value of this name is masked. */
  isSecretKey(name: string): boolean;
  /** Text without the credentials and the secret parameters of the URLs in it. */
  redactText(text: string): string;
  /** The value, or what stands for it. A `url.query` is read as one. */
  redactAttribute(name: string, value: AttributeValue): AttributeValue;
  /** The same object when there is nothing to hide, else a copy. */
  redactAttributes(attributes: Attributes): Attributes;
}

/** `keys`: names that are secrets here besides those that look like it, in any spelling (`card-number`, `cardNumber`). */
export function createRedaction(keys: readonly string[] = []): Redaction {
  const configured = new Set(keys.map((name) => wordsOf(name).join(" ")));
  const known = new Map<string, boolean>();

  const isSecretKey = (name: string): boolean => {
    const answer = known.get(name);
    if (answer !== undefined) return answer;
    if (name.length > maxNameLength) return false;
    const words = wordsOf(name);
    const isSecret = hasSecretName(words) || configured.has(words.join(" "));
    if (known.size < maxKnownNames) known.set(name, isSecret);
    return isSecret;
  };

  const redactText = (text: string): string => {
    if (!text.includes("://")) return text;
    return text
      .replace(credentialsInUrl, (_, before: string, user: string) =>
        user.includes(":") ? `${before}${redacted}:${redacted}@` : `${before}${redacted}@`,
      )
      .replace(parameterInUrl, redactParameter);
  };

  const redactParameter = (all: string, before: string, name: string): string =>
    secretParameters.has(name.toLowerCase()) || isSecretKey(name) ? `${before}${name}=${redacted}` : all;

  const redactQuery = (query: string): string => `?${query}`.replace(parameterInUrl, redactParameter).slice(1);

  const redactValue = (name: string, text: string): string =>
    name === key.urlQuery ? redactQuery(text) : redactText(text);

  const redactAttribute = (name: string, value: AttributeValue): AttributeValue =>
    isSecretKey(name) ? redacted : typeof value === "string" ? redactValue(name, value) : value;

  const redactAttributes = (attributes: Attributes): Attributes => {
    let copy: Attributes | undefined;
    for (const name in attributes) {
      const value = attributes[name];
      // One that is not defined is masked by its name as well.
      const masked = value === undefined ? (isSecretKey(name) ? redacted : value) : redactAttribute(name, value);
      if (masked === value) continue;
      copy ??= { ...attributes };
      copy[name] = masked;
    }
    return copy ?? attributes;
  };

  return { isSecretKey, redactText, redactAttribute, redactAttributes };
}

/** RFC 3986, `userinfo`; the lengths are bounded so that no text takes long. */
const credentialsInUrl = /(\b[a-z][a-z0-9+.-]{0,30}:\/\/)([^\s/?#@"'<>]{1,1000})@/gi;
const parameterInUrl = /([?&;#])([\w.%-]{1,100})=[^\s&;#"'<>]{1,8192}/g;

/** `x-api-key`, `apiKey`, `API_KEY` as `api`, `key`, in small letters. */
function wordsOf(name: string): string[] {
  const spaced = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/([A-Z])([A-Z][a-z])/g, "$1 $2");
  return spaced
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}

function hasSecretName(words: readonly string[]): boolean {
  if (harmlessEnds.has(words.at(-1) ?? "")) return false;
  return words.some((word, index) => secretNames.has(word) || secretNames.has(`${word} ${words[index + 1]}`));
}
