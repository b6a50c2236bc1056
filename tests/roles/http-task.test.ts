/** The task type `http` against real servers: where it connects, what it follows, what it takes. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { join } from "node:path";
import { SpanKind } from "@opentelemetry/api";
import { writeJson } from "../../src/words/json-text.ts";
import type { HandlerContext } from "../../src/worker/handlers/handler.ts";
import { toResultText } from "../../src/worker/handlers/result.ts";
import type { Resolve } from "../../src/worker/http/allow.ts";
import { maxAnswerBytes } from "../../src/worker/http/body.ts";
import { createHttpHandler } from "../../src/worker/http/task.ts";
import { startBlackHole } from "../support/black-hole.ts";
import { projectFolder } from "../support/executable.ts";
import { startRecordingProxy } from "../support/recording-proxy.ts";
import { type RecordingServer, startRecordingServer } from "../support/recording-server.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestTracing } from "../support/test-tracing.ts";

class Fatal extends Error {}

class Later extends Error {
  readonly delay: unknown;
  constructor(delay: unknown, message: string | undefined) {
    super(message);
    this.delay = delay;
  }
}

let server: RecordingServer;
let port: string;
beforeAll(async () => {
  server = await startRecordingServer(answerOf);
  port = new URL(server.url).port;
});
afterAll(() => server?.[Symbol.asyncDispose]());

function answerOf(request: Request): Response | Promise<Response> | undefined {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === "/moved") {
    return new Response(null, { status: 307, headers: { location: searchParams.get("to") ?? "" } });
  }
  if (pathname === "/packed") return packed(new URL(request.url).search.slice(1));
  if (pathname === "/failing") {
    const body = searchParams.has("large") ? "x".repeat(maxAnswerBytes + 1) : "x";
    return new Response(body, {
      status: 500,
      headers: { "content-encoding": searchParams.has("large") ? "identity" : "none" },
    });
  }
  if (pathname === "/busy") {
    return new Response(null, { status: 503, headers: { "retry-after": searchParams.get("after") ?? "" } });
  }
  if (pathname === "/loop") return new Response(null, { status: 302, headers: { location: "/loop" } });
  if (pathname === "/json") {
    return new Response(searchParams.get("text"), { headers: { "content-type": "application/json" } });
  }
  if (pathname === "/large") return new Response("x".repeat(maxAnswerBytes + 1));
  if (pathname === "/silent") return new Promise(() => {});
  if (pathname === "/echo") return request.text().then((body) => Response.json({ method: request.method, body }));
  return undefined;
}

function packed(how: string): Response {
  if (how === "latin1") {
    return new Response(Buffer.from("für", "latin1"), { headers: { "content-type": "text/html; charset=ISO-8859-1" } });
  }
  if (how === "picture") {
    return new Response(new Uint8Array([0x89, 0x50, 0x4e, 0x47]), { headers: { "content-type": "image/png" } });
  }
  return new Response(Bun.gzipSync(JSON.stringify({ hello: "wörld" })), { headers: { "content-encoding": "gzip" } });
}

interface Called {
  /** The result as JSON text. */
  text: Promise<string>;
  result: Promise<unknown>;
  /** The names that were looked up, in order. */
  asked: string[];
  spans: ReturnType<ReturnType<typeof startTestTracing>["spans"]>;
}

/** Runs the task as a thread would. Every name resolves to the next of `answers`, then to the last. */
async function call(payload: unknown, allow: string[], answers = ["127.0.0.1"], signal?: AbortSignal): Promise<Called> {
  const asked: string[] = [];
  const resolve: Resolve = async (host) => {
    asked.push(host);
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (answer === undefined) throw new Error(`ENOTFOUND ${host}`);
    return [answer];
  };
  const { tracer, spans } = startTestTracing();
  const ctx: HandlerContext = {
    signal: signal ?? AbortSignal.timeout(20_000),
    log: { trace: () => {}, debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    span: tracer.startSpan("run http"),
    tracer,
    fetch: Object.assign(() => Promise.reject(new Error("not asked for here")), { preconnect: fetch.preconnect }),
    progress: async () => {},
    fatal: (message) => new Fatal(message),
    retryAfter: (delay, message) => new Later(delay, message),
  };
  const payloadText = JSON.stringify(payload);
  const task = { id: "a", type: "http", payload, payloadText, attempt: 1, correlationId: "order-7", metadata: {} };
  const returned = Promise.resolve(createHttpHandler(allow, resolve).run(task, ctx));
  const text = returned.then((value) => toResultText(value, 2 * maxAnswerBytes).text);
  const result = text.then((json): unknown => JSON.parse(json));
  await Promise.allSettled([text, result]);
  return { result, text, asked, spans: spans() };
}

describe("a call by name", () => {
  test("connects to the address that was looked at, and says the name", async () => {
    const { result, asked } = await call({ url: `http://shop.example:${port}/named` }, ["loopback"]);
    expect(await result).toEqual({ status: 200, body: {} });
    expect(asked).toEqual(["shop.example"]);
    expect(await server.headersAt("/named")).toMatchObject({ host: `shop.example:${port}` });
  });

  test("whose name means another address by the next hop is refused there, and nothing is sent", async () => {
    const url = `http://rebound.example:${port}/moved?to=/rebound`;
    const { result, asked } = await call({ url }, ["loopback"], ["127.0.0.1", "10.0.0.1"]);
    expect(await rejectionOf(result)).toEqual(
      new Fatal("calls to private addresses are not allowed (rebound.example); --http-allow says which are"),
    );
    expect(asked).toEqual(["rebound.example", "rebound.example"]);
    expect(server.requestsAt("/rebound")).toEqual([]);
  });

  test("that means nothing good is refused before a socket is opened", async () => {
    const url = `http://inner.example:${port}/inner`;
    const { result } = await call({ url }, ["public"], ["127.0.0.1", "8.8.8.8"]);
    expect(await rejectionOf(result)).toBeInstanceOf(Fatal);
    expect(server.requestsAt("/inner")).toEqual([]);
  });

  test("by TLS is one to whom the certificate names, and to nobody else", async () => {
    const at = (file: string): string => join(projectFolder, "tests/fixtures", file);
    const [key, cert] = await Promise.all(
      ["tls/key.pem", "tls/certificate.pem"].map((file) => Bun.file(at(file)).text()),
    );
    const tls = createTlsServer({ key: key ?? "", cert: cert ?? "" }, (_, answer) => answer.end("welcome"));
    tls.listen(0, "127.0.0.1");
    await once(tls, "listening");
    // A server on a port that is not a pipe's has such an address.
    const { port: tlsPort } = tls.address() as AddressInfo;
    const run = async (env: Record<string, string>): Promise<unknown> => {
      const args = ["bun", at("call-by-tls.ts"), String(tlsPort), "shop.example", "other.example", "127.0.0.1"];
      const child = Bun.spawn(args, { env: { PATH: process.env.PATH, ...env }, stdout: "pipe" });
      return JSON.parse(await new Response(child.stdout).text());
    };
    try {
      const trusted = await run({ NODE_EXTRA_CA_CERTS: at("tls/certificate.pem") });
      expect(trusted).toEqual(["welcome", "ERR_TLS_CERT_ALTNAME_INVALID", "ERR_TLS_CERT_ALTNAME_INVALID"]);
      expect(await run({})).toEqual(new Array(3).fill("DEPTH_ZERO_SELF_SIGNED_CERT"));
    } finally {
      tls.close();
      tls.closeAllConnections();
    }
  });
});

describe("a redirect", () => {
  const inner = ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "http://[::ffff:10.0.0.1]/"];

  test.each(inner)("to %s is not followed", async (to) => {
    const { result, asked } = await call({ url: `${server.url}/moved?to=${encodeURIComponent(to)}` }, ["loopback"]);
    expect(String(await rejectionOf(result))).toMatch(/calls to (private|reserved) addresses are not allowed/);
    expect(asked).toEqual([]);
  });

  test.each(["file:///etc/passwd", "gopher://127.0.0.1/", "http://me:secret@127.0.0.1/"])(
    "to %s is not followed",
    async (to) => {
      const { result } = await call({ url: `${server.url}/moved?to=${encodeURIComponent(to)}` }, ["loopback"]);
      expect(await rejectionOf(result)).toBeInstanceOf(Fatal);
    },
  );

  test("is followed with method and body, in a span that counts it, with the trace and the correlation id", async () => {
    const { result, spans } = await call({ url: `${server.url}/moved?to=/echo`, method: "PUT", body: [1] }, [
      "loopback",
    ]);
    expect(await result).toEqual({ status: 200, body: { method: "PUT", body: "[1]" } });
    const told = spans
      .filter(({ kind }) => kind === SpanKind.CLIENT)
      .map(({ attributes }) => [
        attributes["url.full"],
        attributes["http.response.status_code"],
        attributes["http.request.resend_count"],
      ]);
    expect(told).toEqual([
      [`${server.url}/moved?to=/echo`, 307, undefined],
      [`${server.url}/echo`, 200, 1],
    ]);
    const [moved, echo] = [await server.headersAt("/moved"), await server.headersAt("/echo")];
    expect(echo).toMatchObject({ "x-correlation-id": "order-7", "content-type": "application/json" });
    expect(echo.traceparent).toMatch(/^00-/);
    expect(echo.traceparent).not.toBe(moved.traceparent ?? "none");
  });

  test("to another origin takes no credentials along", async () => {
    const to = `http://other.example:${port}/elsewhere`;
    const headers = { authorization: "Bearer hunter2", cookie: "a=b", "x-api-key": "hunter2" };
    const { result } = await call({ url: `${server.url}/moved?to=${encodeURIComponent(to)}`, headers }, ["loopback"]);
    expect(await result).toEqual({ status: 200, body: {} });
    const sent = await server.headersAt("/elsewhere");
    expect(Object.keys(headers).filter((name) => name in sent)).toEqual([]);
    expect(sent).toMatchObject({ host: `other.example:${port}`, "x-correlation-id": "order-7" });
  });

  test("that leads on for ever ends after five", async () => {
    const { result } = await call({ url: `${server.url}/loop` }, ["loopback"]);
    expect(await rejectionOf(result)).toEqual(new Fatal(`127.0.0.1:${port} redirects more than 5 times`));
    expect(server.requestsAt("/loop").length).toBe(6);
  });
});

describe("a call", () => {
  test.each(["host", "Content-Length", "transfer-encoding", "connection", "proxy-authorization"])(
    "does not let the task frame or readdress it by %s",
    async (name) => {
      const { result } = await call({ url: `${server.url}/framed`, headers: { [name]: "1" } }, ["loopback"]);
      expect(String(await rejectionOf(result))).toContain(`the header "${name}" is the call's own`);
      expect(server.requestsAt("/framed")).toEqual([]);
    },
  );

  test.each(["CONNECT", "trace", "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET"])(
    "by the method %p is none",
    async (method) => {
      const { result } = await call({ url: `${server.url}/framed`, method }, ["loopback"]);
      expect(await rejectionOf(result)).toBeInstanceOf(Fatal);
      expect(server.requestsAt("/framed")).toEqual([]);
    },
  );

  test.each([{ "x-a": "1\r\nx-b: 2" }, { "x a": "1" }])("with headers that are none (%p) is none", async (headers) => {
    const { result } = await call({ url: `${server.url}/framed`, headers }, ["loopback"]);
    expect(String(await rejectionOf(result))).toContain("names and values of HTTP headers");
  });

  test("waits as long as the answer asks for, in seconds or until a date", async () => {
    const date = (inSeconds: number): string => new Date(Date.now() + inSeconds * 1000).toUTCString();
    const asked = async (after: string): Promise<unknown> => {
      const url = `${server.url}/busy?after=${encodeURIComponent(after)}`;
      const error = await rejectionOf((await call({ url }, ["loopback"])).result);
      expect(error).toMatchObject({ message: `POST 127.0.0.1:${port} answered 503` });
      return error instanceof Later ? error.delay : undefined;
    };
    expect(await asked("120")).toBe(120_000);
    for (const text of [date(3600), date(3600).replace("GMT", "UTC")])
      expect(await asked(text)).toBeWithin(3_500_000, 3_600_001);
    for (const text of ["", "0", "soon", "-1", date(-60)]) expect(await asked(text)).toBeUndefined();
  });

  test("takes no answer without a bound", async () => {
    const { result } = await call({ url: `${server.url}/large` }, ["loopback"]);
    expect(await rejectionOf(result)).toEqual(
      new Fatal(`127.0.0.1:${port} answered with more than ${maxAnswerBytes} bytes`),
    );
  });

  test("ends with its signal, for the signal's reason", async () => {
    const deadline = new AbortController();
    const ended = call({ url: `${server.url}/silent` }, ["loopback"], undefined, deadline.signal);
    await server.headersAt("/silent");
    deadline.abort(new DOMException("over", "TimeoutError"));
    expect(await rejectionOf((await ended).result)).toMatchObject({ name: "TimeoutError", message: "over" });
  });

  test("to one who closes in the middle of the answer fails, and may be tried again", async () => {
    const cut = createSocketServer((socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"));
    });
    cut.listen(0, "127.0.0.1");
    await once(cut, "listening");
    // A server on a port that is not a pipe's has such an address.
    const { port: cutPort } = cut.address() as AddressInfo;
    try {
      const { result } = await call({ url: `http://127.0.0.1:${cutPort}/` }, ["loopback"]);
      const error = await rejectionOf(result);
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toBeInstanceOf(Fatal);
    } finally {
      cut.close();
    }
  });

  test("is not disturbed by headers that are none", async () => {
    const odd = createSocketServer((socket) => {
      const head =
        "HTTP/1.1 200 OK\r\nx-odd: \xff\xfe\x80\r\nlocation: \xff\r\nretry-after: never\r\ncontent-length: 2\r\n\r\n";
      socket.once("data", () => socket.end(Buffer.from(`${head}{}`, "latin1")));
    });
    odd.listen(0, "127.0.0.1");
    await once(odd, "listening");
    // A server on a port that is not a pipe's has such an address.
    const { port: oddPort } = odd.address() as AddressInfo;
    try {
      const { result } = await call({ url: `http://127.0.0.1:${oddPort}/` }, ["loopback"]);
      expect(await result).toEqual({ status: 200, body: {} });
    } finally {
      odd.close();
    }
  });

  const empty: [what: string, addresses: string[]][] = [
    ["nobody is at the first", ["127.0.0.9", "127.0.0.1"]],
    ["nobody is at the first two, of another family", ["::1", "127.0.0.9", "127.0.0.1"]],
    ["the first has no route", ["2001:db8::1", "127.0.0.1"]],
  ];
  test.each(empty)("to a name tries its next address when %s", async (_, addresses) => {
    const before = server.requestsAt("/two").length;
    expect(await callByName(`http://two.example:${port}/two`, addresses)).toEqual({ status: 200, body: {} });
    expect(server.requestsAt("/two").length).toBe(before + 1);
  });

  test.each(["127.0.0.2", "::1"])(
    "to a name tries its next address when the first (%s) does not answer",
    async (silent) => {
      await using hole = await startBlackHole(silent);
      const host = "127.0.0.3";
      const answering = createServer((_, answer) => answer.end("here"));
      answering.listen(hole.port, host);
      await once(answering, "listening");
      try {
        const result = await callByName(`http://two.example:${hole.port}/`, [silent, silent, host]);
        expect(result).toEqual({ status: 200, body: "here" });
      } finally {
        answering.close();
      }
    },
  );

  test("that is answered packed, by a charset, or with what is no text has the result that it means", async () => {
    const results = await Promise.all(
      ["gzip", "latin1", "picture"].map(
        async (how) => (await call({ url: `${server.url}/packed?${how}` }, ["loopback"])).result,
      ),
    );
    expect(results).toEqual([
      { status: 200, body: { hello: "wörld" } },
      { status: 200, body: "für" },
      { status: 200, body: "iVBORw==", encoding: "base64" },
    ]);
  });

  const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
  const bodies: [what: string, text: string, isKept: boolean][] = [
    ["a number that JavaScript cannot hold", '{"id":12345678901234567890}', true],
    ["such a number alone", "9007199254740993", true],
    ["such a number below others", '[1,{"a":[-9007199254740993]}]', true],
    ["a number beyond all", '{"n":1e400}', true],
    ["more digits than a double has", '{"pi":3.141592653589793238}', true],
    ["64 levels", nested(64), false],
    ["5,000 levels that do not end", "[".repeat(5000), false],
    ["63 levels", nested(63), true],
    ["digits in a string", '{"id":"12345678901234567890"}', true],
    ["numbers that stay what they are", "[9007199254740991,0.1,1.50,1e2,0.10000000000000001]", true],
  ];

  test.each(bodies)("that is answered with JSON has it with every digit: %s", async (_, text, isKept) => {
    const url = `${server.url}/json?text=${encodeURIComponent(text)}`;
    const shown = isKept ? text : JSON.stringify(text);
    expect(await (await call({ url }, ["loopback"])).text).toBe(`{"status":200,"body":${shown}}`);
  });

  test("that is answered with half a surrogate pair has U+FFFD, and no result where it is in a name", async () => {
    const answered = (text: string) =>
      call({ url: `${server.url}/json?text=${encodeURIComponent(text)}` }, ["loopback"]);
    expect(await (await answered('["\\ud800","\\ud83d\\ude00",1.50]')).text).toBe(
      '{"status":200,"body":["\ufffd","\u{1f600}",1.5]}',
    );
    const { text } = await answered('{"\\ud800":1}');
    expect(await rejectionOf(text)).toMatchObject({ code: "invalid_result" });
  });

  test("that fails says its status, however its answer is packed and how large it is", async () => {
    for (const how of ["unknown", "large"]) {
      const { result } = await call({ url: `${server.url}/failing?${how}` }, ["loopback"]);
      expect(await rejectionOf(result)).toEqual(new Error(`POST 127.0.0.1:${port} answered 500`));
    }
  });

  test("sends its body as the content type says, and refuses one that has no form in it", async () => {
    const sent = async (body: unknown, type: string) => {
      const { result } = await call({ url: `${server.url}/echo`, headers: { "Content-Type": type }, body }, [
        "loopback",
      ]);
      return result;
    };
    expect(await sent("a b", "text/plain")).toMatchObject({ body: { body: "a b" } });
    expect(await sent({ a: "b c" }, "application/x-www-form-urlencoded")).toMatchObject({ body: { body: "a=b+c" } });
    expect(await rejectionOf(sent({ a: 1 }, "application/xml"))).toBeInstanceOf(Fatal);
  });
});

describe("a call by a proxy of the environment", () => {
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

  /** The environment is the process's own: nothing else runs in it meanwhile. */
  async function byProxy(payload: unknown, allow: string[], addresses: string[], noProxy = "") {
    await using proxy = await startRecordingProxy(server.url);
    const before = names.map((name) => process.env[name]);
    Object.assign(process.env, { HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url, NO_PROXY: noProxy });
    try {
      const { result } = await call(payload, allow, addresses);
      return { result: await result.catch((error: unknown) => error), asked: proxy.asked };
    } finally {
      for (const [n, name] of names.entries()) {
        if (before[n] === undefined) delete process.env[name];
        else process.env[name] = before[n];
      }
    }
  }

  const ok = { status: 200, body: {} };
  const passed: [what: string, url: string, allow: string[], addresses: string[], noProxy: string][] = [
    ["of a name whose addresses are allowed", "http://shop.example/a", ["public"], ["8.8.8.8"], ""],
    ["of a name that is allowed, unknown here", "http://shop.example/a", ["*.example"], [], ""],
    ["beside what NO_PROXY names", "http://shop.example/a", ["public"], ["8.8.8.8"], "other.example,10.0.0.0/8"],
  ];
  test.each(passed)("goes there by name: %s", async (_, url, allow, addresses, noProxy) => {
    expect(await byProxy({ url }, allow, addresses, noProxy)).toEqual({ result: ok, asked: [`POST ${url}`] });
  });

  test("looks at each hop, unpacks and decodes, and takes no more than its limit", async () => {
    const moved = await byProxy({ url: "http://shop.example/moved?to=http://10.0.0.1/" }, ["public"], ["8.8.8.8"]);
    expect(moved).toEqual({ result: expect.any(Fatal), asked: ["POST http://shop.example/moved?to=http://10.0.0.1/"] });
    const packed = await byProxy({ url: "http://shop.example/packed?gzip" }, ["public"], ["8.8.8.8"]);
    expect(packed.result).toEqual({ status: 200, body: { hello: "wörld" } });
    const large = await byProxy({ url: "http://shop.example/large" }, ["public"], ["8.8.8.8"]);
    expect(large.result).toEqual(new Fatal(`shop.example answered with more than ${maxAnswerBytes} bytes`));
  });

  test("by TLS asks for a tunnel", async () => {
    const { result, asked } = await byProxy({ url: "https://shop.example/" }, ["public"], ["8.8.8.8"]);
    expect([result instanceof Error, asked]).toEqual([true, ["CONNECT shop.example:443"]]);
  });

  const kept: [what: string, url: string, allow: string[], addresses: string[]][] = [
    ["of a name with an inner address", "http://shop.example/", ["public"], ["10.0.0.1"]],
    ["of an inner address", "http://10.0.0.1/", ["public"], []],
    ["of the metadata service", "http://169.254.169.254/", ["public", "private", "loopback"], []],
    ["of a name that is unknown here", "http://shop.example/", ["public"], []],
  ];
  test.each(kept)("does not reach the proxy: %s", async (_, url, allow, addresses) => {
    expect(await byProxy({ url }, allow, addresses)).toEqual({ result: expect.any(Error), asked: [] });
  });

  test("is none for this machine, and for what NO_PROXY has", async () => {
    const own = `http://shop.example:${port}/own`;
    expect(await byProxy({ url: own }, ["loopback"], ["127.0.0.1"])).toEqual({ result: ok, asked: [] });
    expect(await byProxy({ url: own }, ["shop.example"], ["127.0.0.1"], ".example")).toEqual({ result: ok, asked: [] });
  });
});

/** What a call to a name of these addresses gives, all of which are allowed. */
async function callByName(url: string, addresses: string[]): Promise<unknown> {
  const { tracer } = startTestTracing();
  const only: Partial<HandlerContext> = { signal: AbortSignal.timeout(20_000), tracer };
  // Nothing else of the context is asked for here.
  const ctx = only as HandlerContext;
  const payload = { url };
  const payloadText = JSON.stringify(payload);
  const task = { id: "a", type: "http", payload, payloadText, attempt: 1, correlationId: "c", metadata: {} };
  const result = await createHttpHandler(["two.example"], async () => addresses).run(task, ctx);
  return JSON.parse(writeJson(result));
}
