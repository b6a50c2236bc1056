/** The page at `/docs`: whole, safe, and for a browser that has nothing but this server. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { docsPolicy, writeDocsPage } from "../../src/gateway/docs/page.ts";
import { document, operations } from "../support/openapi.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 30_000;

let running: TestSystem;
let page: string;
beforeAll(async () => {
  running = await startTestSystem();
  page = await (await fetch(`${running.url}/docs`)).text();
}, startingMs);
afterAll(() => running?.[Symbol.asyncDispose](), startingMs);

/** The first group of each match. */
function all(pattern: RegExp, text = page): string[] {
  return [...text.matchAll(pattern)].map(([, found = ""]) => found);
}

describe("/docs", () => {
  test("has every operation and every shape, each in one place, and all links lead there", () => {
    const ids = all(/ id="([^"]+)"/g);
    const shapes = Object.keys(document.components.schemas).map((name) => `schema-${name}`);
    expect(ids.toSorted()).toEqual(["top", ...operations.map(({ operationId }) => operationId), ...shapes].toSorted());
    const links = all(/ href="([^"]+)"/g);
    expect(links.filter((link) => !ids.includes(link.replace(/^#/, "")))).toEqual(["openapi.json"]);
    for (const { path } of operations) expect(page).toContain(`<code>${path}</code>`);
  });

  test("loads nothing, runs nothing, and has a policy that allows its own style sheet alone", async () => {
    const { headers } = await fetch(`${running.url}/docs`, { method: "HEAD" });
    expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
    const [style = ""] = all(/<style>(.*?)<\/style>/gs);
    const hash = createHash("sha256").update(style).digest("base64");
    expect(headers.get("content-security-policy")).toBe(docsPolicy);
    expect(docsPolicy).toStartWith(`default-src 'none'; style-src 'sha256-${hash}';`);
    expect(all(/<(script|link|img|iframe|form)\b/gi)).toEqual([]);
    expect(all(/ (style|src|on\w+)=/gi)).toEqual([]);
    expect(style).not.toMatch(/@import|url\(/);
  });

  test("shows requests that are taken as they stand there", async () => {
    const [command = ""] = all(/<pre>(curl [^<]*\/v1\/tasks&quot;[^<]*)<\/pre>/g);
    const [, body = ""] = /--json '(.*)'$/.exec(command.replaceAll("&quot;", '"').replaceAll("&#39;", "'")) ?? [];
    const answer = await fetch(`${running.url}/v1/tasks`, { method: "POST", body });
    expect(answer.status).toBe(202);
  });

  test("is written without what a document could smuggle in", async () => {
    const evil = "<script>alert(1)</script>\"'";
    const written = await writeDocsPage({ ...document, info: { title: evil, version: evil, description: evil } });
    expect(all(/<(script)/g, written)).toEqual([]);
    expect(written).toContain("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;");
  });
});
