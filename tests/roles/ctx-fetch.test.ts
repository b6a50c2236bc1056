/** `ctx.fetch` takes what `fetch` takes: by itself, and as the `fetch` of libraries. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import ky from "ky";
import createClient from "openapi-fetch";
import type { HandlerContext } from "throughline";
import { testTask } from "throughline/testing";
import type { TestedTask } from "../../src/testing/tested-task.ts";
import { toFailure } from "../../src/words/errors.ts";
import { type RecordingServer, startRecordingServer } from "../support/recording-server.ts";
import { rejectionOf } from "../support/rejection.ts";

let server: RecordingServer;
beforeAll(async () => {
  server = await startRecordingServer(echo);
});
afterAll(() => server?.[Symbol.asyncDispose]());

async function echo(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const { headers, method } = request;
  if (pathname === "/moved") return new Response(null, { status: 307, headers: { location: "/echo" } });
  if (pathname === "/busy" && headers.get("x-again") === null) return new Response("busy", { status: 503 });
  return Response.json({
    method,
    body: await request.text(),
    x: headers.get("x-own"),
    type: headers.get("content-type")?.split(";")[0] ?? null,
    isTraced: /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/.test(headers.get("traceparent") ?? ""),
    correlationId: headers.get("x-correlation-id"),
  });
}

/** What a server saw of the call that `use` makes with `ctx.fetch`. */
async function seen(use: (fetch: HandlerContext["fetch"], url: string) => Promise<unknown>): Promise<TestedTask> {
  return testTask({ run: (_, ctx) => use(ctx.fetch, `${server.url}/echo`) }, { correlationId: "order-7" });
}

const own = { "x-own": "1" };
const traced = { isTraced: true, correlationId: "order-7" };

describe("ctx.fetch", () => {
  const form = new FormData();
  form.set("a", "b");
  const calls: [what: string, args: (url: string) => Parameters<typeof fetch>, arrives: object][] = [
    ["a text", (url) => [url], { method: "GET", body: "", x: null }],
    ["a URL", (url) => [new URL(url), { method: "put", body: "1" }], { method: "PUT", body: "1" }],
    ["what has the URL as its text", (url) => [{ toString: () => url } as URL], { method: "GET" }],
    [
      "a Request",
      (url) => [new Request(url, { method: "POST", body: "1", headers: own })],
      { method: "POST", body: "1", x: "1" },
    ],
    [
      "a Request whose body is a stream",
      (url) => [new Request(url, { method: "POST", body: streamOf("a", "b"), headers: own })],
      { method: "POST", body: "ab", x: "1" },
    ],
    [
      "a Request whose body is a form",
      (url) => [new Request(url, { method: "POST", body: form })],
      { type: "multipart/form-data", body: expect.stringContaining('name="a"') },
    ],
    [
      "a Request and a second argument, which wins",
      (url) => [
        new Request(url, { method: "POST", body: "1", headers: own }),
        { method: "PUT", headers: { "x-own": "2" } },
      ],
      { method: "PUT", body: "1", x: "2" },
    ],
    [
      "a Request and another body",
      (url) => [new Request(url, { method: "POST", body: "1", headers: own }), { body: "2" }],
      { method: "POST", body: "2", x: "1" },
    ],
    [
      "a form",
      (url) => [url, { method: "POST", body: new URLSearchParams({ a: "b c" }) }],
      { type: "application/x-www-form-urlencoded", body: "a=b+c" },
    ],
    ["a stream", (url) => [url, { method: "POST", body: streamOf("a", "b") }], { method: "POST", body: "ab" }],
    ["bytes", (url) => [url, { method: "POST", body: new Uint8Array([97]) }], { method: "POST", body: "a" }],
    [
      "a Blob, by its type",
      (url) => [url, { method: "POST", body: new Blob(["a"], { type: "text/csv" }) }],
      { type: "text/csv", body: "a" },
    ],
    [
      "what is redirected",
      (url) => [new Request(url.replace("/echo", "/moved"), { method: "POST", body: "1", headers: own })],
      { method: "POST", body: "1", x: "1" },
    ],
  ];

  test.each(calls)("takes %s as fetch does, and carries the trace on", async (_, args, arrives) => {
    const { status, result, spans } = await seen(async (fetch, url) => (await fetch(...args(url))).json());
    expect({ status, result }).toMatchObject({ status: "succeeded", result: { ...arrives, ...traced } });
    expect(spans[0]?.children).toMatchObject([{ kind: "client", attributes: { "http.response.status_code": 200 } }]);
  });

  test("ends by the signal of a Request, and by that of the second argument", async () => {
    const signal = AbortSignal.abort(new RangeError("enough"));
    for (const use of [
      (fetch: HandlerContext["fetch"], url: string) => fetch(new Request(url, { signal })),
      (fetch: HandlerContext["fetch"], url: string) => fetch(new Request(url), { signal }),
    ]) {
      expect((await seen(use)).error).toMatchObject({ type: "RangeError", message: "enough" });
    }
  });

  test("takes no Request twice, and says so as fetch does", async () => {
    const { error } = await seen(async (fetch, url) => {
      const request = new Request(url, { method: "POST", body: "1" });
      await fetch(request);
      return fetch(request);
    });
    expect(error?.message).toContain("already used");
  });

  test("takes addresses that are not HTTP's, and refuses what is no address", async () => {
    const { result, spans } = await seen(async (fetch) => (await fetch("data:text/plain,hello")).text());
    expect([result, spans[0]?.children]).toEqual(["hello", []]);
    expect((await seen((fetch) => fetch("/relative"))).status).toBe("dead");
  });

  test("fails as fetch does for what is no call", async () => {
    const fail = (): never => {
      throw new RangeError("not to be read");
    };
    const calls: [input: unknown, init?: unknown][] = [
      [null],
      [undefined],
      [{}],
      [Symbol("a")],
      [Object.create(null)],
      [{ toString: fail }],
      [{ url: null }],
      [Object.defineProperty({}, "url", { get: fail })],
      ["http://127.0.0.1:1/", { headers: { "a b": "1" } }],
      ["http://127.0.0.1:1/", { headers: 5 }],
    ];
    for (const [input, init] of calls) {
      // As a handler without types has it.
      const use = (take: typeof fetch): Promise<Response> => take(input as string, init as RequestInit);
      const plain = await rejectionOf((async () => use(fetch))());
      const ours = await rejectionOf(
        testTask({ run: (_, ctx) => use(ctx.fetch) }, {}).then(({ error }) => Promise.reject(error)),
      );
      expect(ours).toMatchObject({ message: toFailure(plain).message });
    }
  });

  test("is the fetch of openapi-fetch", async () => {
    interface Paths {
      "/echo": {
        post: {
          requestBody: { content: { "application/json": { n: number } } };
          responses: { 200: { content: { "application/json": { body: string } } } };
        };
      };
    }
    const { result } = await seen(async (fetch) => {
      const client = createClient<Paths>({ baseUrl: server.url, fetch, headers: own });
      return (await client.POST("/echo", { body: { n: 1 } })).data;
    });
    expect(result).toMatchObject({ method: "POST", body: '{"n":1}', x: "1", type: "application/json", ...traced });
  });

  test("is the fetch of ky, which tries again and has hooks", async () => {
    const { result, spans } = await seen(async (fetch) => {
      const client = ky.create({
        fetch,
        headers: own,
        retry: { limit: 1, methods: ["post"], delay: () => 0 },
        hooks: { beforeRetry: [({ request }) => request.headers.set("x-again", "1")] },
      });
      return client.post(`${server.url}/busy`, { json: { n: 1 } }).json();
    });
    expect(result).toMatchObject({ method: "POST", body: '{"n":1}', x: "1", type: "application/json", ...traced });
    expect(spans[0]?.children.map(({ attributes }) => attributes["http.response.status_code"])).toEqual([503, 200]);
  });

  test("is a fetch by its type", () => {
    const take = ({ fetch: given }: HandlerContext): typeof fetch => given;
    expect(take).toBeFunction();
  });
});

function streamOf(...parts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });
}
