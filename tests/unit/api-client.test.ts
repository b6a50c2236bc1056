/** The HTTP API as the command line calls it: what it sends, and what it says when something is not well. */

import { describe, expect, test } from "bun:test";
import { connectApi } from "../../src/cli/api-client.ts";
import { readRemote } from "../../src/config.ts";
import { TaskError } from "../../src/words/errors.ts";
import { writeJson } from "../../src/words/json-text.ts";

const key = "tl_4fzzzxjylrx0wq8hj5s7";
const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** A server that gives one answer to everything, and keeps what it was asked. */
function startAnswer(answer: () => Response): Disposable & { url: string; asked: Request[] } {
  const asked: Request[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      asked.push(new Request(request, { body: await request.text() }));
      return answer();
    },
  });
  return { url: server.url.href.slice(0, -1), asked, [Symbol.dispose]: () => void server.stop(true) };
}

function problem(status: number, fields: Record<string, unknown>, headers: Record<string, string> = {}): Response {
  const init = { status, headers: { "content-type": "application/problem+json", ...headers } };
  return new Response(JSON.stringify({ type: "about:blank", title: "T", status, trace_id: "4bf9", ...fields }), init);
}

describe("where the API is", () => {
  const told: [flag: string | undefined, env: Record<string, string>, url: string][] = [
    [undefined, {}, "http://127.0.0.1:8080"],
    [undefined, { THROUGHLINE_URL: "" }, "http://127.0.0.1:8080"],
    [undefined, { THROUGHLINE_URL: "https://tasks.example" }, "https://tasks.example"],
    ["http://[::1]:9000/", { THROUGHLINE_URL: "https://tasks.example" }, "http://[::1]:9000"],
    ["https://example.org/tools/throughline/", {}, "https://example.org/tools/throughline"],
    ["http://127.0.0.1:8080/v1/", {}, "http://127.0.0.1:8080"],
  ];
  test.each(told)("%p and %p: %s", (flag, env, url) => {
    expect(readRemote(flag, env)).toEqual({ url, apiKey: undefined, traceHeaders: {} });
  });

  test("is refused with every problem at once, and none tells a secret", () => {
    const env = { THROUGHLINE_URI: "x", THROUGHLINE_API_KEY: "sec ret", THROUGHLINE_URL: "127.0.0.1:8080" };
    expect(() => readRemote(undefined, env)).toThrow(
      [
        "unknown variable THROUGHLINE_URI",
        'THROUGHLINE_URL: "127.0.0.1:8080": expected an http(s) URL, such as http://127.0.0.1:8080',
        "THROUGHLINE_API_KEY: expected a key as `throughline key create` prints it, without spaces",
      ].join("\n"),
    );
    expect(() => readRemote("http://me:secret@127.0.0.1", {})).toThrow(/^--url: expected a URL without a user/);
  });
});

describe("a call", () => {
  test("gives payloads and results with every digit", async () => {
    const text = '{"items":[{"payload":[9007199254740993,1e400],"result":1.50}],"next_cursor":null}';
    using server = startAnswer(() => new Response(text, { headers: { "content-type": "application/json" } }));
    const answer = await connectApi(server.url, {}).call("GET", "/tasks");
    expect([writeJson(answer.body), answer.text]).toEqual([text, text]);
  });

  test("carries the key, the caller's trace, its own name and its body", async () => {
    using server = startAnswer(() => Response.json({ id: "1" }, { status: 202 }));
    const env = { THROUGHLINE_API_KEY: key, TRACEPARENT: traceparent, TRACESTATE: "a=b", BAGGAGE: "tenant=blue" };
    const { call } = connectApi(server.url, env);
    const answer = await call("POST", "/tasks", { body: { type: "echo" }, query: { a: "b c", none: undefined } });
    expect([answer.status, answer.body, answer.text]).toEqual([202, { id: "1" }, '{"id":"1"}']);
    const [asked] = server.asked;
    expect(asked?.url).toBe(`${server.url}/v1/tasks?a=b+c`);
    expect(await asked?.json()).toEqual({ type: "echo" });
    expect(Object.fromEntries(asked?.headers ?? [])).toMatchObject({
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      traceparent,
      tracestate: "a=b",
      baggage: "tenant=blue",
      "user-agent": expect.stringMatching(/^throughline\/\d/),
    });
  });

  test("does not carry its key to where it is sent on to", async () => {
    using other = startAnswer(() => Response.json({}));
    using server = startAnswer(() => Response.redirect(other.url, 307));
    const { call } = connectApi(server.url, { THROUGHLINE_API_KEY: key });
    await expect(call("GET", "/tasks")).rejects.toThrow(/answered 307 .* is the address right\?$/);
    expect(other.asked).toEqual([]);
  });
});

describe("what is not well", () => {
  const answers: [what: string, answer: () => Response, code: string, lines: string[]][] = [
    [
      "a body that does not fit: each field once",
      () =>
        problem(400, {
          code: "invalid_argument",
          detail: "/delay: expected a duration",
          errors: [
            { pointer: "/delay", detail: "expected a duration" },
            { pointer: "/color", detail: "unknown field" },
          ],
        }),
      "invalid_argument",
      ["/delay: expected a duration", "/color: unknown field"],
    ],
    [
      "a task that is not there",
      () => problem(404, { code: "not_found", detail: 'there is no task "x"' }),
      "not_found",
      ['there is no task "x"'],
    ],
    [
      "no key",
      () => problem(401, { code: "unauthenticated", detail: "a key is needed" }),
      expect.any(String),
      ["a key is needed", "set THROUGHLINE_API_KEY to a key of this system"],
    ],
    [
      "too much at once",
      () => problem(429, { code: "resource_exhausted", detail: "too many" }, { "retry-after": "7" }),
      "resource_exhausted",
      ["too many", "try again in 7 s"],
    ],
    [
      "a fault of the server",
      () => problem(500, { code: "internal", detail: "the fault is logged under this trace_id" }),
      "internal",
      ["the fault is logged under this trace_id", "look for the trace 4bf9 in its log"],
    ],
  ];
  test.each(answers)("%s", async (_, answer, code, lines) => {
    using server = startAnswer(answer);
    const failed = await connectApi(server.url, {}).call("GET", "/tasks").catch(asTaskError);
    expect(failed).toMatchObject({ code, message: lines.join("\n"), isRemote: true });
  });

  test("another program at that address", async () => {
    using server = startAnswer(() => new Response("<html>", { headers: { "content-type": "text/html" } }));
    await expect(connectApi(server.url, {}).call("GET", "/tasks")).rejects.toThrow(
      `${server.url} answered 200 (text/html), which is not Throughline's API: is the address right?`,
    );
  });

  test("nobody at that address", async () => {
    const closed = startAnswer(() => new Response());
    closed[Symbol.dispose]();
    await expect(connectApi(closed.url, {}).call("GET", "/tasks")).rejects.toThrow(
      `nothing answers at ${closed.url}: is it running? name another address with --url or THROUGHLINE_URL`,
    );
  });

  test("somebody who did not want to wait", async () => {
    using server = startAnswer(() => Response.json({}));
    const failed = await connectApi(server.url, {})
      .call("GET", "/tasks", { signal: AbortSignal.abort() })
      .catch(asTaskError);
    expect(failed).toMatchObject({ code: "canceled", message: "interrupted" });
  });
});

function asTaskError(thrown: unknown): TaskError {
  if (thrown instanceof TaskError) return thrown;
  throw thrown;
}
