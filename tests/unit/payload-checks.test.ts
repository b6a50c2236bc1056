/** What a task service refuses by the JSON Schema of a type. */

import { describe, expect, test } from "bun:test";
import { createPayloadChecks } from "../../src/task-service/payload-checks.ts";
import type { TaskType } from "../../src/words/task.ts";
import { rejectionOf } from "../support/rejection.ts";

function typeOf(schema: unknown): TaskType {
  const payloadSchema = typeof schema === "string" ? schema : JSON.stringify(schema);
  return { type: "order", maxAttempts: null, timeoutMs: null, isolation: "shared", payloadSchema };
}

/** `newest`: as it is registered by now. */
async function problemsOf(schema: unknown, payload: unknown, newest: unknown = schema): Promise<unknown> {
  const checks = createPayloadChecks({ findNewest: async () => typeOf(newest) });
  const error = await rejectionOf(checks.check(typeOf(schema), payload));
  return error instanceof Error && "problems" in error ? error.problems : error;
}

const strings = { type: "array", items: { type: "string" } };

describe("a payload", () => {
  test("is told everything that is wrong, each place once, up to twenty", async () => {
    const payload = Array.from({ length: 25 }, () => 1);
    expect(await problemsOf(strings, payload)).toEqual(
      Array.from({ length: 20 }, (_, n) => ({
        pointer: `/payload/${n}`,
        detail: 'Instance type "number" is invalid. Expected "string"',
      })),
    );
  });

  test.each([
    ["a~b/c", "/payload/a~0b~1c"],
    ["100%", "/payload/100%"],
    ["größe #1", "/payload/größe #1"],
    ['"', '/payload/"'],
  ])("has pointers to fields called %j as RFC 6901 has them", async (name, pointer) => {
    expect(await problemsOf({ properties: { [name]: false } }, { [name]: 1 })).toMatchObject([{ pointer }]);
    expect(await problemsOf({ required: [name] }, {})).toMatchObject([{ pointer }]);
  });
});

describe("a schema", () => {
  test("of a newer version decides: what it takes is accepted", async () => {
    const checks = createPayloadChecks({ findNewest: async () => typeOf({ type: "number" }) });
    expect(await checks.check(typeOf({ type: "string" }), 5)).toBeUndefined();
    const detail = 'Instance type "number" is invalid. Expected "null"';
    expect(await problemsOf({ type: "string" }, 5, { type: "null" })).toEqual([{ pointer: "/payload", detail }]);
  });

  test.each([
    ["leads to another file", { $ref: "https://example.com/order.json" }],
    ["has a pattern that is none", { pattern: "(" }],
    ["is no schema", "[]"],
    ["is no JSON", "{"],
  ])("that %s refuses nothing", async (_, schema) => {
    const checks = createPayloadChecks({ findNewest: async () => typeOf(schema) });
    expect(await checks.check(typeOf(schema), "x")).toBeUndefined();
  });
});
