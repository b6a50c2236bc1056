/**
 * One object for each instrumentation scope. The SDK's tracers share theirs, and the OTLP exporter groups spans by the
 * object, not by its name; a scope that came with a span from another thread is a new object each time.
 */

import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";

export type Scope = ReadableSpan["instrumentationScope"];

/** The first scope that was like this one. */
export type ShareScope = (scope: Scope) => Scope;

/** Scopes are named by libraries, so there are few; a handler that makes names up must not fill the memory. */
const maxScopes = 256;

/** Above 256 scopes, those that are new stay as they are given. */
export function createSharedScopes(): ShareScope {
  const scopes = new Map<string, Scope>();
  return (scope) => {
    const { name, version, schemaUrl } = scope;
    const key = JSON.stringify([name, version, schemaUrl]);
    const known = scopes.get(key);
    if (known) return known;
    if (scopes.size < maxScopes) scopes.set(key, scope);
    return scope;
  };
}
