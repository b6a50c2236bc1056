/** The caller, by the key that a request brings, and what that key permits. Decides only; nothing is logged or counted here. */

import { TaskError } from "../words/errors.ts";
import type { Scope } from "./api-key-file.ts";
import type { ApiKey, ApiKeys } from "./api-keys.ts";

export type Caller =
  /** There are no keys here: everybody may do everything. */
  | { kind: "anybody" }
  | { kind: "known"; key: ApiKey }
  /** `id`: of a key that has expired. */
  | { kind: "unknown"; why: string; id?: string };

const howTo = "send an API key as Authorization: Bearer tl_…";

/** `authorization`: the header, if there is one. RFC 6750, 2.1: the scheme in any case, one space or more, the key. */
export function identify(keys: ApiKeys | undefined, authorization: string | null, nowMs: number): Caller {
  if (!keys) return { kind: "anybody" };
  if (authorization === null) return { kind: "unknown", why: `authentication is required: ${howTo}` };
  const text = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (text === undefined) return { kind: "unknown", why: `the Authorization is no Bearer key: ${howTo}` };
  const key = keys.find(text);
  // The answer does not say whether the text has the form of a key, or ever was one.
  if (!key) return { kind: "unknown", why: "there is no such API key, or not any more" };
  if (key.expiresAtMs <= nowMs) {
    const at = new Date(key.expiresAtMs).toISOString();
    return { kind: "unknown", why: `the API key "${key.id}" was good until ${at}`, id: key.id };
  }
  return { kind: "known", key };
}

/** Throws `unauthenticated` for a caller that is not known, `permission_denied` for a key that has another scope. null: open to all. */
export function permit(caller: Caller, scope: Scope | null): void {
  if (scope === null || caller.kind === "anybody") return;
  if (caller.kind === "unknown") throw new TaskError("unauthenticated", caller.why);
  const { id, scopes } = caller.key;
  if (!scopes.has(scope)) {
    const has = [...scopes].join(", ");
    throw new TaskError("permission_denied", `this needs a key with the scope "${scope}"; "${id}" has ${has}`);
  }
}

/** The name of the caller in logs and spans. */
export function callerId(caller: Caller): string | undefined {
  if (caller.kind === "anybody") return undefined;
  return caller.kind === "known" ? caller.key.id : caller.id;
}

/** Whether the caller's trace is continued. `usual`: what the settings say. */
export function isTrusted(caller: Caller, usual: boolean): boolean {
  if (caller.kind === "anybody") return usual;
  return caller.kind === "known" && (caller.key.trustTraceContext ?? usual);
}

/** Whether the caller may have its trace sampled against all odds: it costs others. */
export function mayForce(caller: Caller): boolean {
  return caller.kind === "anybody" || (caller.kind === "known" && caller.key.scopes.has("operate"));
}
