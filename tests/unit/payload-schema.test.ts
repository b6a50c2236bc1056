/** A handler's schema, by the libraries that people use: what it lets pass, what it says, what is told as JSON Schema. */

import { describe, expect, test } from "bun:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { checkPayload, PayloadError, toLoaded, toPayloadSchema } from "../../src/worker/handlers/loaded-handler.ts";
import { rejectionOf } from "../support/rejection.ts";

const valibotEmail = v.object({ to: v.pipe(v.string(), v.email()), copies: v.optional(v.number(), 1) });

const libraries: [name: string, schema: StandardSchemaV1][] = [
  ["zod", z.object({ to: z.email(), copies: z.number().default(1) })],
  ["valibot", valibotEmail],
  ["valibot with its JSON Schema", toStandardJsonSchema(valibotEmail)],
  ["arktype", type({ to: "string.email", copies: "number = 1" })],
];

describe.each(libraries)("a schema by %s", (name, schema) => {
  test("gives the payload as the library makes it", async () => {
    expect(await checkPayload(schema, { to: "ada@example.com" })).toEqual({ to: "ada@example.com", copies: 1 });
  });

  test("refuses a payload that does not fit, with a pointer to each issue", async () => {
    const error = await rejectionOf(checkPayload(schema, { to: "ada@example.com", copies: "many" }));
    expect(error).toBeInstanceOf(PayloadError);
    expect(error).toMatchObject({ code: "invalid_payload" });
    expect(String(error)).toMatch(/^PayloadError: the payload does not fit: \/payload\/copies: \S+/);
  });

  // By itself valibot gives none.
  if (name === "valibot") return;
  test("is told as the JSON Schema of what callers send", () => {
    const told: unknown = JSON.parse(toPayloadSchema(schema) ?? "null");
    expect(told).toMatchObject({ type: "object", required: ["to"], properties: { to: { type: "string" } } });
    expect(JSON.stringify(told)).not.toContain('"format"');
  });
});

describe("the JSON Schema of a payload", () => {
  test("is not there when the library gives none", () => {
    expect(toPayloadSchema(valibotEmail)).toBeNull();
  });

  test("is not there for what JSON Schema has no word for", () => {
    expect(toPayloadSchema(z.object({ at: z.date() }))).toBeNull();
  });

  test("is not there when it would be too long", () => {
    const fields = Array.from({ length: 2000 }, (_, n) => [`field${n}`, z.string()]);
    expect(toPayloadSchema(z.object(Object.fromEntries(fields)))).toBeNull();
  });

  test("keeps a property that is called format, and values with one", () => {
    const schema = z.object({ format: z.enum(["pdf", "html"]), page: z.literal("a4") });
    expect(JSON.parse(toPayloadSchema(schema) ?? "null")).toMatchObject({
      properties: { format: { enum: ["pdf", "html"] }, page: { const: "a4" } },
    });
  });
});

describe("a payload's issues", () => {
  test("are told up to twenty", async () => {
    const error = await rejectionOf(
      checkPayload(
        z.array(z.string()),
        Array.from({ length: 25 }, () => 1),
      ),
    );
    expect(String(error)).toContain("/payload/19: ");
    expect(String(error)).not.toContain("/payload/20: ");
    expect(String(error)).toEndWith("; and 5 more");
  });

  test("have pointers in which / and ~ are escaped", async () => {
    const error = await rejectionOf(checkPayload(z.object({ "a/b~c": z.string() }), { "a/b~c": 1 }));
    expect(String(error)).toContain("/payload/a~1b~0c: ");
  });
});

describe("a handler", () => {
  test.each([
    ["an object", { type: "object" }],
    ["a function", () => true],
    ["a newer version of the standard", { "~standard": { version: 2, vendor: "x", validate: () => ({ value: 1 }) } }],
  ])("whose payload is %s and no schema is refused", (_, payload) => {
    const handler: object = { payload, run: () => null };
    expect(() => toLoaded({ run: () => null, ...handler }, "task")).toThrow(
      "its payload must be a Standard Schema, such as zod, valibot and arktype make",
    );
  });
});
