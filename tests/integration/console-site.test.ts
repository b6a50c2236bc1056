/** The console's address in a whole system: the page, what it passes on to the gateway, and whom it refuses. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { toFileText } from "../../src/access/api-key-file.ts";
import { hashApiKey, newApiKey } from "../../src/access/api-keys.ts";
import { startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;

function site({ system }: TestSystem, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${system.addresses.console_url}${path}`, init);
}

function post(running: TestSystem, path: string, body: unknown, headers: Record<string, string> = {}) {
  const init = { method: "POST", headers: { "content-type": "application/json", ...headers } };
  return site(running, path, { ...init, ...(body !== undefined && { body: JSON.stringify(body) }) });
}

const all: TestFlags = { role: "all" };

describe("the console's address", () => {
  test(
    "gives the same page at every path of it, with a policy, and its parts for ever",
    async () => {
      await using running = await startTestSystem(all);
      const page = await site(running, "/");
      const html = await page.text();
      for (const path of ["/tasks", "/tasks/1", "/traces/2?zoom=3", "/dead-letters", "/system"]) {
        expect(await (await site(running, path)).text()).toBe(html);
      }
      expect(page.headers.get("content-security-policy")).toStartWith("default-src 'none'; script-src 'self'");
      expect(page.headers.get("cache-control")).toBe("no-cache");
      const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
      expect(parts).toHaveLength(3);
      for (const path of parts) {
        const part = await site(running, path);
        expect([part.status, part.headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
        const etag = part.headers.get("etag") ?? "";
        expect((await site(running, path, { headers: { "if-none-match": etag } })).status).toBe(304);
      }
      expect((await site(running, "/assets/page-other.js")).status).toBe(404);
      expect((await site(running, "/secrets")).status).toBe(404);
    },
    limitMs,
  );

  test(
    "passes on what the page asks about tasks, streams as they come, and nothing else",
    async () => {
      await using running = await startTestSystem(all);
      const made = await post(running, "/v1/tasks", { type: "sleep", payload: { ms: 60_000 } });
      expect(made.status).toBe(202);
      const { id }: { id: string } = await made.json();
      const listed = await (await site(running, "/v1/tasks?limit=1")).json();
      expect(listed).toMatchObject({ items: [{ id }] });
      const events = await site(running, `/v1/tasks/${id}/events`);
      expect(events.headers.get("content-type")).toBe("text/event-stream");
      const reader = events.body?.getReader();
      // It is there while the stream is still open.
      const first = await reader?.read();
      expect(new TextDecoder().decode(first?.value)).toContain("retry:");
      await reader?.cancel();
      expect((await post(running, `/v1/tasks/${id}/cancel`, undefined)).status).toBe(202);
      expect((await running.task(id, "20s")).status).toBe("canceled");
      const wrong = await post(running, "/v1/tasks", { type: "echo", payloads: 1 });
      expect([wrong.status, (await wrong.json()).code]).toEqual([400, "invalid_argument"]);
      for (const path of ["/openapi.json", "/docs", "/health/ready"])
        expect((await site(running, path)).status).toBe(404);
      expect((await post(running, "/v1/tasks/batch", [{ type: "echo" }])).status).toBe(405);
    },
    limitMs,
  );

  test(
    "knows the types that workers run, with the schema of their payloads",
    async () => {
      const handlers = join(import.meta.dir, "../fixtures/schema-handlers");
      await using running = await startTestSystem({ ...all, handlers });
      const { items }: { items: Record<string, unknown>[] } = await (await site(running, "/v1/types")).json();
      expect(items.map(({ type }) => type)).toEqual(items.map(({ type }) => type).toSorted());
      const typeOf = (name: string) => items.find(({ type }) => type === name);
      expect(typeOf("order")).toEqual({
        type: "order",
        max_attempts: null,
        timeout: null,
        isolation: "shared",
        payload_schema: expect.objectContaining({ type: "object", required: ["customer", "items"] }),
      });
      expect(typeOf("parcel")).toMatchObject({ payload_schema: null });
    },
    limitMs,
  );

  test(
    "asks for the gateway's keys, and tells which scope is missing",
    async () => {
      await using folder = await tempFolder();
      const [reader, submitter] = [newApiKey(), newApiKey()];
      const entryOf = (id: string, key: string, scope: "read" | "submit") => {
        return { id, sha256: hashApiKey(key).toString("hex"), scopes: [scope] };
      };
      const path = join(folder.path, "keys.json");
      await Bun.write(path, toFileText([entryOf("eyes", reader, "read"), entryOf("hands", submitter, "submit")]));
      await using running = await startTestSystem({ ...all, apiKeysFile: path });
      const statusOf = async (asked: string, key?: string): Promise<number> => {
        const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
        return (await site(running, asked, { headers })).status;
      };
      expect(await statusOf("/tasks")).toBe(200);
      for (const asked of ["/v1/traces", "/v1/tasks"]) {
        expect(await statusOf(asked)).toBe(401);
        expect(await statusOf(asked, submitter)).toBe(403);
        expect(await statusOf(asked, reader)).toBe(200);
      }
      const refused = await post(running, "/v1/tasks", { type: "echo" }, { authorization: `Bearer ${reader}` });
      expect(refused.status).toBe(403);
    },
    limitMs,
  );

  test(
    "takes no more questions than its caller may ask, guesses at keys among them",
    async () => {
      await using folder = await tempFolder();
      const reader = newApiKey();
      const path = join(folder.path, "keys.json");
      await Bun.write(path, toFileText([{ id: "eyes", sha256: hashApiKey(reader).toString("hex"), scopes: ["read"] }]));
      await using running = await startTestSystem({ ...all, apiKeysFile: path, rateLimit: "3/h" });
      const ask = (key: string) => site(running, "/v1/traces", { headers: { authorization: `Bearer ${key}` } });
      for (let guess = 0; guess < 3; guess++) expect((await ask(newApiKey())).status).toBe(401);
      const refused = await ask(newApiKey());
      expect([refused.status, Number(refused.headers.get("retry-after"))]).toEqual([429, expect.any(Number)]);
      expect(await refused.json()).toMatchObject({ code: "resource_exhausted" });
      for (let question = 0; question < 3; question++) expect((await ask(reader)).status).toBe(200);
      expect((await ask(reader)).status).toBe(429);
      expect((await site(running, "/tasks")).status).toBe(200);
    },
    limitMs,
  );

  test(
    "says so when the gateway does not answer",
    async () => {
      await using running = await startTestSystem({ ...all, gatewayUrl: "http://127.0.0.1:1" });
      const answer = await site(running, "/v1/tasks");
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ code: "unavailable" });
    },
    limitMs,
  );
});
