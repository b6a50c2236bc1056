import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Scope } from "../../src/access/api-key-file.ts";
import { createApiKeys, hashApiKey, newApiKey } from "../../src/access/api-keys.ts";
import { type Caller, callerId, identify, isTrusted, mayForce, permit } from "../../src/access/caller.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const text = newApiKey();

function keysOf(more: { scopes?: Scope[]; expires_at?: string; trust_trace_context?: boolean } = {}) {
  return createApiKeys([{ id: "shop", sha256: hashApiKey(text).toString("hex"), scopes: ["read"], ...more }]);
}

function callerOf(more: Parameters<typeof keysOf>[0] = {}): Caller {
  return identify(keysOf(more), `Bearer ${text}`, nowMs);
}

const anybody = identify(undefined, `Bearer ${text}`, nowMs);
const unknown = identify(keysOf(), null, nowMs);

describe("who asks", () => {
  test("is anybody where there are no keys, whatever they bring", () => {
    expect(anybody).toEqual({ kind: "anybody" });
  });

  test("is known by a key until the moment at which it ends", () => {
    expect(callerOf({ expires_at: "2026-11-21T12:00:00.001Z" }).kind).toBe("known");
    const over = callerOf({ expires_at: "2026-11-21T12:00:00Z" });
    expect(over).toEqual({
      kind: "unknown",
      why: 'the API key "shop" was good until 2026-11-21T12:00:00.000Z',
      id: "shop",
    });
  });

  test("is not known by any other text, however odd, and is told nothing of it", () => {
    const odd = fc.oneof(fc.string({ unit: "binary", maxLength: 200 }), fc.constantFrom(text, "Bearer", "Bearer "));
    fc.assert(
      fc.property(odd, odd, (left, right) => {
        const caller = identify(keysOf(), `${left}${right}`, nowMs);
        const isKey = /^Bearer +/i.test(`${left}${right}`) && `${left}${right}`.endsWith(text);
        if (!isKey) expect(caller.kind).toBe("unknown");
        if (caller.kind === "unknown") expect(caller.why).not.toContain(text);
      }),
    );
  });
});

describe("what a caller may do", () => {
  const scopes: (Scope | null)[] = ["submit", "read", "operate", null];
  const may = (caller: Caller): (Scope | null)[] =>
    scopes.filter((scope) => {
      try {
        permit(caller, scope);
        return true;
      } catch {
        return false;
      }
    });

  test("is what its key says, and what is open to all", () => {
    expect(may(anybody)).toEqual(scopes);
    expect(may(unknown)).toEqual([null]);
    expect(may(callerOf())).toEqual(["read", null]);
    expect(may(callerOf({ scopes: ["operate", "submit"] }))).toEqual(["submit", "operate", null]);
  });

  test("with its trace is as the settings say, unless its key does; of who is not known it never goes on", () => {
    const trusted = (caller: Caller): boolean[] => [true, false].map((usual) => isTrusted(caller, usual));
    expect(trusted(anybody)).toEqual([true, false]);
    expect(trusted(callerOf())).toEqual([true, false]);
    expect(trusted(callerOf({ trust_trace_context: false }))).toEqual([false, false]);
    expect(trusted(callerOf({ trust_trace_context: true }))).toEqual([true, true]);
    expect(trusted(unknown)).toEqual([false, false]);
  });

  test("to force a trace needs the scope operate where there are keys", () => {
    expect([anybody, callerOf(), callerOf({ scopes: ["operate"] }), unknown].map(mayForce)).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  test("is told under the name of its key", () => {
    expect([anybody, unknown, callerOf(), callerOf({ expires_at: "2020-01-01T00:00:00Z" })].map(callerId)).toEqual([
      undefined,
      undefined,
      "shop",
      "shop",
    ]);
  });
});
