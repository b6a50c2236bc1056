/** What browsers, and whoever looks at headers, get from the gateway of the real system. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 30_000;
const shop = "https://shop.example";

let closed: TestSystem;
let shared: TestSystem;
const stack = new AsyncDisposableStack();
beforeAll(async () => {
  closed = stack.use(await startTestSystem());
  shared = stack.use(await startTestSystem({ corsOrigins: `${shop}, http://localhost:3000`, rateLimit: "10000/s" }));
}, startingMs);
afterAll(() => stack.disposeAsync(), startingMs);

function preflight(url: string, origin: string, method = "POST"): Promise<Response> {
  return fetch(`${url}/v1/tasks`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      "access-control-request-headers": "authorization,content-type,traceparent",
    },
  });
}

function submit({ url }: TestSystem, headers: Record<string, string>, body = '{"type":"echo"}'): Promise<Response> {
  return fetch(`${url}/v1/tasks`, { method: "POST", headers, body });
}

function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"));
}

describe("pages of other origins", () => {
  test("are told nothing by default", async () => {
    const asked = await preflight(closed.url, shop);
    const answer = await submit(closed, { origin: shop });
    expect([asked.status, corsOf(asked), answer.status, corsOf(answer)]).toEqual([204, {}, 202, {}]);
  });

  test.each([shop, "http://localhost:3000"])("may call when they are named: %s", async (origin) => {
    const asked = await preflight(shared.url, origin);
    expect(asked.status).toBe(204);
    const { "access-control-allow-headers": allowed = "", ...rest } = corsOf(asked);
    expect(rest).toMatchObject({ "access-control-allow-origin": origin, "access-control-max-age": "600" });
    expect(rest["access-control-allow-methods"]?.split(",")).toContain("POST");
    expect(rest.vary).toContain("Origin");
    expect(allowed.split(",")).toEqual(
      expect.arrayContaining(["authorization", "content-type", "traceparent", "idempotency-key", "x-request-id"]),
    );
    expect(rest["access-control-allow-credentials"]).toBeUndefined();
  });

  test("may read what an answer says beside its body, errors included", async () => {
    for (const answer of [await submit(shared, { origin: shop }), await submit(shared, { origin: shop }, "{")]) {
      const told = corsOf(answer);
      expect(told["access-control-allow-origin"]).toBe(shop);
      const exposed = told["access-control-expose-headers"]?.split(",");
      const own = ["traceresponse", "x-request-id", "x-correlation-id", "ratelimit", "ratelimit-policy"];
      expect(exposed).toEqual(expect.arrayContaining(own));
      expect(own.filter((name) => !answer.headers.has(name))).toEqual([]);
      expect(told.vary).toBe("Origin");
    }
  });

  test.each(["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"])(
    "may not when they are not: %s",
    async (origin) => {
      for (const answer of [await preflight(shared.url, origin), await submit(shared, { origin })]) {
        expect(answer.headers.get("access-control-allow-origin")).toBeNull();
      }
    },
  );

  test("do not change what OPTIONS answers to anybody else", async () => {
    const asked = async ({ url }: TestSystem) =>
      (await fetch(`${url}/v1/tasks`, { method: "OPTIONS" })).headers.get("allow");
    expect(await asked(shared)).toContain("POST");
    expect(await asked(shared)).toBe(await asked(closed));
  });
});

describe("every answer", () => {
  const asks: [what: string, path: string, init: RequestInit][] = [
    ["an accepted task", "/v1/tasks", { method: "POST", body: '{"type":"echo"}' }],
    ["a problem", "/v1/tasks", { method: "POST", body: "{" }],
    ["nothing", "/v1/nothing", {}],
    ["a wrong method", "/v1/tasks", { method: "DELETE" }],
    ["OPTIONS", "/v1/tasks", { method: "OPTIONS" }],
    ["the health", "/health", {}],
    ["a body that is too large", "/v1/tasks", { method: "POST", body: "x".repeat(300_000) }],
  ];
  test.each(asks)("to %s is data, is kept by nobody, and does not say who made it", async (_, path, init) => {
    const { headers } = await fetch(`${closed.url}${path}`, init);
    expect(Object.fromEntries(headers)).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "cache-control": "no-store",
    });
    expect(["server", "x-powered-by", "strict-transport-security"].filter((name) => headers.has(name))).toEqual([]);
  });
});

describe("a limit without keys", () => {
  test(
    "counts each task of a batch, and takes a batch as a whole or not at all",
    async () => {
      await using limited = await startTestSystem({ rateLimit: "10/h" });
      const batch = async (count: number): Promise<unknown[]> => {
        const body = JSON.stringify(new Array(count).fill({ type: "echo" }));
        const { status, headers } = await fetch(`${limited.url}/v1/tasks/batch`, { method: "POST", body });
        return [status, headers.get("ratelimit")?.split(";")[1]];
      };
      expect(await batch(6)).toEqual([207, "r=4"]);
      expect(await batch(6)).toEqual([429, "r=3"]);
      expect(await batch(3)).toEqual([207, "r=0"]);
      expect(limited.rows("SELECT count(*) AS tasks FROM tasks")).toEqual([{ tasks: 9 }]);
    },
    startingMs,
  );

  test(
    "is one for each client address, and never for the health",
    async () => {
      await using limited = await startTestSystem({ rateLimit: "2/h" });
      const answers = [];
      for (let asked = 0; asked < 3; asked++) answers.push(await submit(limited, {}));
      expect(answers.map(({ status }) => status)).toEqual([202, 202, 429]);
      expect(answers.map(({ headers }) => headers.get("ratelimit-policy"))).toEqual(
        new Array(3).fill('"address";q=2;w=3600'),
      );
      expect(answers[2]?.headers.get("retry-after")).toMatch(/^3[56]\d\d$/);
      const health = await fetch(`${limited.url}/health/live`);
      expect([health.status, health.headers.get("ratelimit")]).toEqual([200, null]);
    },
    startingMs,
  );
});
