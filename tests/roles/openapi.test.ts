/** The HTTP API's own description: valid by others' rules, true of what is served, and complete. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { productVersion } from "../../src/version.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { contradictions, document, operations, validatorOf } from "../support/openapi.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 30_000;

let running: TestSystem;
beforeAll(async () => {
  running = await startTestSystem();
}, startingMs);
afterAll(() => running?.[Symbol.asyncDispose](), startingMs);

describe("/openapi.json", () => {
  test("is the document that the routes make, in the version of the product", async () => {
    const answer = await fetch(`${running.url}/openapi.json`);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    const served = await answer.json();
    expect(served).toEqual(document);
    expect(served.openapi).toStartWith("3.1.");
    expect(served.info).toMatchObject({ title: "Throughline", version: productVersion });
  });

  test("passes a public linter, examples and all", async () => {
    const config = await createConfig({
      extends: ["recommended-strict"],
      // `GET /dead-letters/redrives/{id}` beside `POST /dead-letters/{id}/discard`: told apart by their methods.
      rules: {
        "no-ambiguous-paths": "off",
        "no-invalid-media-type-examples": "error",
        "no-invalid-schema-examples": "error",
      },
    });
    const found = await lintFromString({ source: JSON.stringify(document), absoluteRef: "/openapi.json", config });
    expect(found.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([]);
  });

  test("has a scope and a tag that is told for each operation, and no operation's name twice", () => {
    const tags = document.tags.map(({ name }) => name);
    expect(operations.filter(({ tags: [tag = ""] }) => !tags.includes(tag))).toEqual([]);
    const names = operations.map(({ operationId }) => operationId);
    expect(names).toEqual([...new Set(names)]);
    const scopes = new Set(operations.flatMap(({ security }) => security.flatMap(({ key = [] }) => key)));
    expect([...scopes].sort()).toEqual(["operate", "read", "submit"]);
    const open = operations.filter(({ security }) => security.length === 0).map(({ path }) => path);
    expect(open.filter((path) => path.startsWith("/v1/"))).toEqual([]);
  });

  test("has examples that fit", () => {
    const wrong = examplesIn(document.components.schemas, ["components", "schemas"]).filter(({ pointer, example }) => {
      return !validatorOf(...pointer)(example);
    });
    expect(wrong).toEqual([]);
  });
});

interface Example {
  /** Of its schema. */
  pointer: string[];
  example: unknown;
}

function examplesIn(part: unknown, pointer: string[]): Example[] {
  if (typeof part !== "object" || part === null) return [];
  const within = Object.entries(part).flatMap(([name, value]) => {
    return name === "examples" ? [] : examplesIn(value, [...pointer, name]);
  });
  const own = "examples" in part && Array.isArray(part.examples) ? part.examples : [];
  return [...own.map((example: unknown) => ({ pointer, example })), ...within];
}

describe("every operation that is told", () => {
  test.each(operations.map(({ method, path }) => [method, path]))("is served: %s %s", async (method, path) => {
    for (const told of path.startsWith("/v1/") ? [path, path.slice("/v1".length)] : [path]) {
      const asked = told.replace("{id}", newTaskId());
      // What `fetch` gets is held against the document, see `startTestSystem`.
      const answer = await fetch(`${running.url}${asked}`, { method: method.toUpperCase() });
      expect([asked, answer.status]).not.toEqual([asked, 405]);
      expect(await answer.text()).not.toContain("there is nothing at");
    }
  });
});

describe("an answer that is not as the document says", () => {
  const id = newTaskId();
  const headers = { "x-request-id": "r", "x-correlation-id": "c", traceresponse: "t" };
  const problem = { type: "about:blank", title: "t", status: 404, detail: "d", code: "not_found", trace_id: "t" };
  const cases: [what: string, answer: Response, found: RegExp[]][] = [
    ["none", problemAnswer(problem), []],
    ["a status that is not told", Response.json({}, { status: 201, headers }), [/201 is not told of getTask/]],
    [
      "another kind of content",
      new Response("x", { headers: { ...headers, "content-type": "text/html" } }),
      [/200 came as "text\/html"/],
    ],
    [
      "a header that is missing",
      problemAnswer(problem, { "x-request-id": "r" }),
      [/x-correlation-id/, /traceresponse/],
    ],
    ["a field more", problemAnswer({ ...problem, stack: "at" }), [/additional properties.*"stack"/]],
    ["a field less", problemAnswer({ ...problem, code: undefined }), [/required property 'code'/]],
    ["a field of another type", problemAnswer({ ...problem, status: "404" }), [/status must be integer/]],
  ];

  function problemAnswer(body: object, own: Record<string, string> = headers): Response {
    const type = { "content-type": "application/problem+json" };
    return new Response(JSON.stringify(body), { status: 404, headers: { ...own, ...type } });
  }

  test.each(cases)("is found by the tests: %s", async (_what, answer, found) => {
    const wrong = await contradictions("GET", `/v1/tasks/${id}`, answer);
    expect(wrong).toEqual(found.map((pattern) => expect.stringMatching(pattern)));
  });
});
