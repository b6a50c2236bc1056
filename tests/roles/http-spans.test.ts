/** The spans of HTTP, of requests that come in and of calls that handlers make, as a collector gets them. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { sendRequest } from "../support/raw-request.ts";
import { type RecordingServer, startRecordingServer } from "../support/recording-server.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 60_000;

let running: TestSystem;
let server: RecordingServer;
const spans: ReceivedSpan[] = [];
const stack = new AsyncDisposableStack();
beforeAll(async () => {
  const receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (more) => spans.push(...more) });
  stack.defer(() => receiver.stop());
  server = stack.use(await startRecordingServer(answerOf));
  const handlers = join(projectFolder, "tests/fixtures/trace-handlers");
  running = stack.use(await startTestSystem({ handlers }, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }));
}, startingMs);
afterAll(() => stack.disposeAsync(), startingMs);

function answerOf(request: Request): Response | Promise<Response> | undefined {
  const { pathname } = new URL(request.url);
  if (pathname === "/moved") return new Response(null, { status: 302, headers: { location: "/there" } });
  if (pathname === "/silent") return new Promise(() => {});
  const status = Number(/^\/status-(\d+)/.exec(pathname)?.[1] ?? 200);
  return status === 200 ? undefined : new Response("no", { status });
}

function spanOf(traceId: string | undefined, kind: string, isOne: (span: ReceivedSpan) => boolean = () => true) {
  return eventually(() => spans.find((span) => span.traceId === traceId && span.kind === kind && isOne(span)));
}

const isHttp = ({ attributes }: ReceivedSpan): boolean => "http.request.method" in attributes;

// Each waits for an export, which comes once a second: they wait together.
describe.concurrent("the span of a request", () => {
  /** Sends it, and gives its span. */
  async function requested(start: string, lines: [string, string][], body = "") {
    const answer = await sendRequest(running.url, start, lines, body);
    const [, traceId] = answer.headers.get("traceresponse")?.split("-") ?? [];
    return { answer, span: await spanOf(traceId, "SERVER", isHttp) };
  }

  test("carries everything of its kind", async () => {
    const lines: [string, string][] = [
      ["host", "shop.example:8443"],
      ["user-agent", "curl/8"],
    ];
    const { answer, span } = await requested("GET /v1/tasks/none?wait=1s&x=1 HTTP/1.1", lines);
    expect(answer.status).toBe(400);
    expect([span.name, span.status.code]).toEqual(["GET /v1/tasks/{id}", "UNSET"]);
    expect(span.attributes).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 400,
      "http.route": "/v1/tasks/{id}",
      "url.path": "/v1/tasks/none",
      "url.query": "wait=1s&x=1",
      "url.scheme": "http",
      "server.address": "shop.example",
      "server.port": 8443,
      "client.address": "127.0.0.1",
      "network.protocol.version": "1.1",
      "user_agent.original": "curl/8",
      correlation_id: answer.headers.get("x-correlation-id") ?? "none",
    });
  });

  test("has no secrets, and no text without a bound", async () => {
    const lines: [string, string][] = [
      ["host", "shop.example"],
      ["user-agent", "u".repeat(5000)],
    ];
    const { span } = await requested(`GET /v1/${"p".repeat(5000)}?access_token=hunter2&a=1 HTTP/1.1`, lines);
    const { attributes } = span;
    expect(span.name).toBe("GET");
    expect(attributes["url.query"]).toBe("access_token=REDACTED&a=1");
    expect(attributes["user_agent.original"]).toBe("u".repeat(256));
    expect(String(attributes["url.path"]).length).toBe(2048);
    expect([attributes["server.address"], attributes["server.port"]]).toEqual(["shop.example", 80]);
  });

  test("names no method that a stranger made up", async () => {
    const { answer, span } = await requested("PROPFIND /v1/tasks HTTP/1.1", [["host", "shop.example"]]);
    expect([answer.status, span.name]).toEqual([405, "HTTP"]);
    expect(span.attributes).toMatchObject({
      "http.request.method": "_OTHER",
      "http.request.method_original": "PROPFIND",
    });
  });

  const hosts: [host: string | undefined, address: string, port: number | "own"][] = [
    ["[::1]:99", "::1", 99],
    ["two words", "127.0.0.1", "own"],
    ["evil.example/path?query", "127.0.0.1", "own"],
    ["user:password@evil.example:99999", "127.0.0.1", "own"],
    ["", "127.0.0.1", "own"],
    [undefined, "127.0.0.1", "own"],
  ];
  test.each(hosts)("is there, and the request answered, when its Host is %p", async (host, address, port) => {
    // Only HTTP/1.0 may do without a host.
    const version = host === undefined ? "1.0" : "1.1";
    const lines: [string, string][] = host === undefined ? [] : [["host", host]];
    const task = JSON.stringify({ type: "echo", payload: 1 });
    const { answer, span } = await requested(`POST /v1/tasks HTTP/${version}`, lines, task);
    expect([answer.status, JSON.parse(answer.body).payload]).toEqual([202, 1]);
    const { "server.address": toldAddress, "server.port": toldPort, "http.route": route } = span.attributes;
    expect([toldAddress, route]).toEqual([address, "/v1/tasks"]);
    expect(toldPort).toBe(port === "own" ? Number(new URL(running.url).port) : port);
  });
});

describe.concurrent("the span of a handler's call", () => {
  /** Submits a call, and gives its span once the task has ended. */
  async function called(payload: Record<string, unknown>) {
    const { id, trace_id: traceId } = await running.accept({ type: "call-nested", payload, max_attempts: 1 });
    const task = await running.task(id, "20s");
    return { result: task.result, span: await spanOf(traceId, "CLIENT", isHttp), server: new URL(server.url) };
  }

  test("carries everything of its kind, and no secrets", async () => {
    const target = new URL(`${server.url}/found?token=hunter2&page=2#part`);
    target.username = "me";
    target.password = "hunter2";
    const { span, server: at } = await called({ url: target.href });
    expect([span.name, span.status]).toEqual(["GET", { code: "UNSET", message: "" }]);
    expect(span.attributes).toEqual({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.full": `http://REDACTED:REDACTED@${at.host}/found?token=REDACTED&page=2`,
      "server.address": at.hostname,
      "server.port": Number(at.port),
    });
  });

  test.each([400, 404, 429, 500, 503])("is an error when the answer is %d", async (status) => {
    const { span, result } = await called({ url: `${server.url}/status-${status}` });
    expect(result).toMatchObject({ status });
    expect(span.status).toEqual({ code: "ERROR", message: "" });
    expect(span.attributes).toMatchObject({ "http.response.status_code": status, "error.type": String(status) });
  });

  test("is none when the answer is a redirect, which is followed, in the same span", async () => {
    const { span, result } = await called({ url: `${server.url}/moved` });
    expect(result).toMatchObject({ status: 200 });
    expect(span.status.code).toBe("UNSET");
    expect(span.attributes).toMatchObject({ "url.full": `${server.url}/moved`, "http.response.status_code": 200 });
    const [moved, there] = [await server.headersAt("/moved"), await server.headersAt("/there")];
    expect(there.traceparent).toBe(moved.traceparent ?? "none");
  });

  test("names no method that a stranger made up", async () => {
    const { span } = await called({ url: `${server.url}/method`, method: "BREW" });
    expect(span.name).toBe("HTTP");
    expect(span.attributes).toMatchObject({
      "http.request.method": "_OTHER",
      "http.request.method_original": "BREW",
    });
  });

  test("is an error when nobody answers", async () => {
    // Port 1 of loopback: nobody listens there.
    const { span } = await called({ url: "http://127.0.0.1:1/" });
    expect(span.status.code).toBe("ERROR");
    expect(span.attributes["http.response.status_code"]).toBeUndefined();
    expect(span.attributes["error.type"]).toMatch(/^[A-Za-z]+$/);
  });

  test("is an error when the handler gives up waiting", async () => {
    const { span, result } = await called({ url: `${server.url}/silent`, timeoutMs: 50 });
    expect(result).toMatchObject({ status: "TimeoutError" });
    expect(span.status.code).toBe("ERROR");
    expect(span.attributes).toMatchObject({ "error.type": "TimeoutError" });
  });
});
