/** Keys at the HTTP edge of the real system: who gets in, to what, how often, and what is told of it. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type KeyEntry, type Scope, toFileText } from "../../src/access/api-key-file.ts";
import { hashApiKey, newApiKey } from "../../src/access/api-keys.ts";
import { allRoutes } from "../../src/gateway/routes.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { eventually } from "../support/eventually.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const startingMs = 60_000;

const keys = {
  submit: newApiKey(),
  read: newApiKey(),
  operate: newApiKey(),
  partner: newApiKey(),
  slow: newApiKey(),
  over: newApiKey(),
};
const unlisted = newApiKey();

const entries: KeyEntry[] = [
  entryOf("submit", ["submit"]),
  entryOf("read", ["read"]),
  entryOf("operate", ["submit", "read", "operate"]),
  entryOf("partner", ["submit"], { trust_trace_context: false }),
  entryOf("slow", ["read"], { rate: "2/h" }),
  entryOf("over", ["submit", "read", "operate"], { expires_at: "2026-01-01T00:00:00Z" }),
];

function entryOf(id: keyof typeof keys, scopes: Scope[], more: Partial<KeyEntry> = {}): KeyEntry {
  return { id, sha256: hashApiKey(keys[id]).toString("hex"), scopes, ...more };
}

let running: TestSystem;
let keyFile: string;
const spans: ReceivedSpan[] = [];
const stack = new AsyncDisposableStack();
beforeAll(async () => {
  const receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (more) => spans.push(...more) });
  stack.defer(() => receiver.stop());
  const folder = stack.use(await tempFolder());
  keyFile = join(folder.path, "keys.json");
  await writeFile(keyFile, toFileText(entries));
  running = stack.use(
    await startTestSystem(
      { apiKeysFile: keyFile, corsOrigins: "https://shop.example" },
      { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url },
    ),
  );
}, startingMs);
afterAll(() => stack.disposeAsync(), startingMs);

type Ask = { key?: string; method?: string; body?: unknown; headers?: Record<string, string> };

function ask(path: string, { key, method = "GET", body, headers = {} }: Ask = {}): Promise<Response> {
  return fetch(`${running.url}${path}`, {
    method,
    headers: { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

async function problemOf(answer: Response): Promise<unknown> {
  const { code, detail }: { code: string; detail: string } = await answer.json();
  return [answer.status, code, detail, answer.headers.get("www-authenticate")];
}

const noTask = "01a1fdf4-cd76-7699-a1ab-314869020050";
const bearer = 'Bearer realm="throughline"';

describe("whoever brings no key that is good", () => {
  const needed = "send an API key as Authorization: Bearer tl_…";
  const wrong: [what: string, headers: Record<string, string>, detail: string][] = [
    ["none", {}, `authentication is required: ${needed}`],
    ["one as a password", { authorization: "Basic dGw6dGw=" }, `the Authorization is no Bearer key: ${needed}`],
    ["an empty one", { authorization: "Bearer" }, `the Authorization is no Bearer key: ${needed}`],
    ["two", { authorization: `Bearer ${keys.read} ${keys.read}` }, `the Authorization is no Bearer key: ${needed}`],
    ["one that nobody knows", { authorization: `Bearer ${unlisted}` }, "there is no such API key, or not any more"],
    ["the hash of one", { authorization: `Bearer ${entries[1]?.sha256}` }, "there is no such API key, or not any more"],
    ["the name of one", { authorization: "Bearer operate" }, "there is no such API key, or not any more"],
    [
      "one that is over",
      { authorization: `Bearer ${keys.over}` },
      'the API key "over" was good until 2026-01-01T00:00:00.000Z',
    ],
    ["a good one in another header", { "x-api-key": keys.operate }, `authentication is required: ${needed}`],
  ];
  test.each(wrong)("but %s is not served", async (_, headers, detail) => {
    const answers = await Promise.all([
      ask(`/v1/tasks/${noTask}`, { headers }),
      ask("/tasks", { method: "POST", body: { type: "echo" }, headers }),
    ]);
    for (const answer of answers) {
      expect(await problemOf(answer)).toEqual([401, "unauthenticated", detail, bearer]);
    }
  });

  test("may ask whether the system is well, and what there is", async () => {
    const paths = allRoutes.filter(({ scope }) => scope === null).map(({ path }) => path);
    expect(paths).toContain("/health/ready");
    const answers = await Promise.all([...paths, "/nothing"].map((path) => ask(path)));
    expect(answers.map(({ status }) => status)).toEqual([...paths.map(() => 200), 404]);
  });
});

describe("a page of another origin", () => {
  const origin = { origin: "https://shop.example" };

  test("may ask whether it may send a key, before it has sent one", async () => {
    const headers = {
      ...origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    };
    const asked = await ask("/v1/tasks", { method: "OPTIONS", headers });
    expect([asked.status, asked.headers.get("access-control-allow-origin")]).toEqual([204, origin.origin]);
    expect(asked.headers.get("access-control-allow-headers")).toContain("authorization");
  });

  test("may read why it was refused", async () => {
    const answer = await ask(`/v1/tasks/${noTask}`, { headers: origin });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([401, origin.origin]);
    expect(answer.headers.get("access-control-expose-headers")).toContain("www-authenticate");
  });
});

describe("a key", () => {
  const guarded = allRoutes.filter(({ scope }) => scope !== null);

  test.each(guarded.map((route) => [route.operationId, route] as const))(
    "opens %s with the scope of that route, and with no other",
    async (_, { method, path, scope }) => {
      const asked = path.replace("{id}", noTask);
      const statusWith = async (name: Scope): Promise<number> => {
        const key = newKeyOf[name];
        return (await ask(asked, { key, method: method.toUpperCase() })).status;
      };
      const others = (["submit", "read"] as const).filter((name) => name !== scope);
      expect(await Promise.all(others.map(statusWith))).toEqual(others.map(() => 403));
      if (scope !== null) expect([401, 403]).not.toContain(await statusWith(scope));
    },
  );
  const newKeyOf: Record<Scope, string> = { submit: keys.submit, read: keys.read, operate: keys.operate };

  test("that may not do this is told what it may", async () => {
    const answer = await ask("/v1/tasks", { key: keys.read, method: "POST", body: { type: "echo" } });
    expect(await problemOf(answer)).toEqual([
      403,
      "permission_denied",
      'this needs a key with the scope "submit"; "read" has read',
      `${bearer}, error="insufficient_scope"`,
    ]);
  });

  test("submits a task and, with another scope, sees it", async () => {
    const made = await ask("/v1/tasks", { key: keys.submit, method: "POST", body: { type: "echo", payload: 1 } });
    expect(made.status).toBe(202);
    const seen = await ask(`${made.headers.get("location")}?wait=20s`, { key: keys.read });
    expect(await seen.json()).toMatchObject({ status: "succeeded", result: 1 });
  });

  test("is taken whatever the case of its scheme", async () => {
    const headers = { authorization: `bearer  ${keys.read}` };
    expect((await ask(`/v1/tasks/${noTask}`, { headers })).status).toBe(404);
  });

  test("has a rate of its own, and is told when it may ask again", async () => {
    const answers = [];
    for (let asked = 0; asked < 3; asked++) answers.push(await ask(`/v1/tasks/${noTask}`, { key: keys.slow }));
    expect(answers.map(({ status, headers }) => [status, headers.get("ratelimit-policy")])).toEqual([
      [404, '"key";q=2;w=3600'],
      [404, '"key";q=2;w=3600'],
      [429, '"key";q=2;w=3600'],
    ]);
    expect(answers.map(({ headers }) => headers.get("ratelimit")?.replace(/\d+$/, "…"))).toEqual([
      '"key";r=1;t=…',
      '"key";r=0;t=…',
      '"key";r=0;t=…',
    ]);
    const last = answers.at(-1);
    expect(Number(last?.headers.get("retry-after"))).toBeGreaterThan(3500);
    expect(await last?.json()).toMatchObject({
      code: "resource_exhausted",
      detail: "too many requests: allowed are 2 in 3600 s for each API key",
    });
    const other = await ask(`/v1/tasks/${noTask}`, { key: keys.read });
    expect([other.status, other.headers.get("ratelimit")]).toEqual([404, null]);
  });

  test("that is taken out of the file is refused soon, without a start", async () => {
    const gone = newApiKey();
    const entry: KeyEntry = { id: "gone", sha256: hashApiKey(gone).toString("hex"), scopes: ["read"] };
    const statusIs = (status: number) =>
      eventually(async () => (await ask(`/v1/tasks/${noTask}`, { key: gone })).status === status);
    expect((await ask(`/v1/tasks/${noTask}`, { key: gone })).status).toBe(401);
    await writeFile(keyFile, toFileText([...entries, entry]));
    await statusIs(404);
    await writeFile(keyFile, toFileText(entries));
    await statusIs(401);
  }, 30_000);
});

describe("the trace of a request", () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const traceOf = (answer: Response): string | undefined => answer.headers.get("traceresponse")?.split("-")[1];
  const submitAs = (key: string | undefined, headers: Record<string, string>): Promise<Response> =>
    ask("/v1/tasks", { ...(key !== undefined && { key }), method: "POST", body: { type: "echo" }, headers });

  test("goes on for a key that is trusted, and for nobody else", async () => {
    const caller = "0af7651916cd43dd8448eb211c80319c";
    expect(traceOf(await submitAs(keys.submit, { traceparent }))).toBe(caller);
    for (const key of [keys.partner, unlisted, keys.over, undefined]) {
      expect(traceOf(await submitAs(key, { traceparent }))).not.toBe(caller);
    }
  });

  test("carries the baggage of one who is trusted into the task, and of nobody else", async () => {
    const headers = { traceparent, baggage: "tenant=blue" };
    const made = await Promise.all([keys.submit, keys.partner].map((key) => submitAs(key, headers)));
    const ids = await Promise.all(made.map(async (answer) => (await answer.json()).id));
    const kept = ids
      .map((id) => running.rows(`SELECT * FROM tasks WHERE id = '${id}'`))
      .map((rows) => JSON.stringify(rows));
    expect(kept.map((text) => text.includes("tenant=blue"))).toEqual([true, false]);
  });

  test("has the name of the key, also of one that is over, and of none that is not known", async () => {
    const callerOf = async (key: string | undefined): Promise<unknown> => {
      const traceId = traceOf(await submitAs(key, {}));
      const isIt = (span: ReceivedSpan): boolean => span.traceId === traceId && "http.route" in span.attributes;
      const span = await eventually(() => spans.find(isIt));
      return span.attributes["throughline.caller"];
    };
    expect(await Promise.all([keys.submit, keys.over, unlisted, undefined].map(callerOf))).toEqual([
      "submit",
      "over",
      undefined,
      undefined,
    ]);
  });

  test("is forced by a key that operates, and by no other", async () => {
    // Denied by its caller, so that nothing but force has it sampled.
    const headers = { "x-force-trace": "true", traceparent: traceparent.replace(/01$/, "00") };
    const isForced = async (key: string | undefined): Promise<boolean> => {
      const answer = await submitAs(key, headers);
      return answer.headers.get("traceresponse")?.endsWith("-01") ?? false;
    };
    expect(await isForced(keys.operate)).toBe(true);
    expect(await isForced(keys.submit)).toBe(false);
  });
});

describe("what is told of refusals", () => {
  test("is a line with the reason and the name, and a count", async () => {
    await ask(`/v1/tasks/${noTask}`, { key: keys.over });
    const line = await eventually(() =>
      running.lines.find(({ msg, caller }) => msg === "a request was refused" && caller === "over"),
    );
    expect(line).toMatchObject({ level: "warn", reason: "unauthenticated", client_address: "127.0.0.1" });
    const metrics = await (await fetch(`${running.adminUrl}/metrics`)).text();
    for (const reason of ["unauthenticated", "permission_denied", "rate_limited"]) {
      expect(metrics).toMatch(new RegExp(`^requests_refused_total\\{.*reason="${reason}".*\\} [1-9]`, "m"));
    }
  });

  test("holds no key, nor do all other lines, spans, metrics and answers", async () => {
    const secrets = [...Object.values(keys), unlisted];
    const answers = await Promise.all(
      secrets.flatMap((key) => [
        ask("/v1/tasks", { key, method: "POST", body: { type: "fail", payload: { fatal: true } } }),
        ask(`/v1/tasks/${noTask}?api_key=${key}`, { key }),
        ask("/v1/nothing", { key }),
      ]),
    );
    const traceIds = answers.map((answer) => answer.headers.get("traceresponse")?.split("-")[1]);
    await eventually(() => traceIds.every((id) => spans.some(({ traceId }) => traceId === id)));
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    const telemetryText = JSON.stringify([
      running.lines,
      spans,
      await (await fetch(`${running.adminUrl}/metrics`)).text(),
    ]);
    // The one who sent a parameter is told its name, not its value.
    const told = [telemetryText, ...bodies].join("\n");
    expect(secrets.filter((key) => told.includes(key) || told.includes(key.slice(3, 43)))).toEqual([]);
    expect(told).toContain("throughline.caller");
  });
});
