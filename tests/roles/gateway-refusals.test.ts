/** What the HTTP edge refuses, how it says so, and that nothing is stored. Long because its tables of bad input are. */

import { describe, expect, test } from "bun:test";
import { newTaskId } from "../../src/words/task-id.ts";
import { wholeProblemOf } from "../support/gateway-answer.ts";
import { sendBytes } from "../support/raw-request.ts";
import { sharedSystem } from "../support/shared-system.ts";
import { storedCounts } from "../support/stored-counts.ts";

const system = sharedSystem();
const stored = () => storedCounts(system());

describe("bad input", () => {
  const invalid = { status: 400, code: "invalid_argument" };
  const missing = newTaskId();
  const bodies: [what: string, body: string | Uint8Array<ArrayBuffer>, pointers: string[], detail: RegExp][] = [
    ["nothing", "", [], /not JSON/],
    ["what is not JSON", '{"type":', [], /not JSON/],
    ["what is not UTF-8", Uint8Array.from([0x22, 0xff, 0x22]), [], /not UTF-8/],
    ["a list", "[]", [""], /object/],
    ["no type", '{"payload":1}', ["/type"], /string/],
    ["an empty type", '{"type":""}', ["/type"], /./],
    ["an unknown field", '{"type":"echo","payloat":1}', ["/payloat"], /unknown field/],
    ["a field named __proto__", '{"type":"echo","__proto__":1}', ["/__proto__"], /unknown field/],
    [
      "wrong types, all of them told at once",
      '{"type":3,"delay":4,"run_at":"tomorrow","timeout":"5","max_attempts":"6","metadata":{"a/b":7}}',
      ["/type", "/delay", "/run_at", "/timeout", "/max_attempts", "/metadata/a~1b"],
      /string/,
    ],
    ["both delay and run_at", '{"type":"echo","delay":"1s","run_at":"2126-01-01T00:00:00Z"}', ["/run_at"], /not both/],
    ["a negative delay", '{"type":"echo","delay":"-1s"}', ["/delay"], /such as/],
    ["a delay beyond all dates", '{"type":"echo","delay":"100000000d"}', ["/delay"], /up to 9999d/],
    ["a deadline of 0", '{"type":"echo","timeout":"0s"}', ["/timeout"], /above 0/],
    ["no attempt", '{"type":"echo","max_attempts":0}', ["/max_attempts"], /./],
    ["101 attempts", '{"type":"echo","max_attempts":101}', ["/max_attempts"], /./],
    ["33 entries of metadata", metadata(33), ["/metadata"], /32/],
    ["65 levels", `{"type":"echo","payload":${"[".repeat(64)}${"]".repeat(64)}}`, [], /64 levels/],
    ["90,000 levels", "[".repeat(90_000), [], /64 levels/],
    ["a type that nobody runs", '{"type":"send-fax"}', [], /"send-fax"; known types are "crash", "echo", .*"spin"/],
  ];
  test.each(bodies)("in the body is refused: %s", async (_what, body, pointers, detail) => {
    const before = stored();
    const problem = await wholeProblemOf(await post(body));
    expect(problem).toMatchObject({ ...invalid, detail: expect.stringMatching(detail) });
    expect((problem.errors ?? []).map(({ pointer }) => pointer)).toEqual(pointers);
    expect(stored()).toEqual(before);
  });

  const requests: [what: string, method: string, path: string, status: number, code: string, detail: RegExp][] = [
    ["an unknown parameter", "POST", "/v1/tasks?force=1", 400, "invalid_argument", /"force"/],
    ["an unknown parameter", "GET", `/v1/tasks/${missing}?waits=1s`, 400, "invalid_argument", /"waits"/],
    ["an unknown parameter", "GET", `/tasks/${missing}/timeline?wait=1s`, 400, "invalid_argument", /"wait"/],
    ["a wait without a unit", "GET", `/v1/tasks/${missing}?wait=20`, 400, "invalid_argument", /"20"/],
    ["a wait over a minute", "GET", `/v1/tasks/${missing}?wait=61s`, 400, "invalid_argument", /60s/],
    ["a task that is not there", "GET", `/v1/tasks/${missing}`, 404, "not_found", new RegExp(missing)],
    ["a task that is not there, waited for", "GET", `/v1/tasks/${missing}?wait=20s`, 404, "not_found", /no task/],
    ["a task that is not there", "GET", `/v1/tasks/${missing}/timeline`, 404, "not_found", new RegExp(missing)],
    ["an id that is none", "GET", "/v1/tasks/1%27%20OR%201", 404, "not_found", /no task/],
    ["a path that is not there", "GET", "/v1/nothing", 404, "not_found", /GET \/v1\/nothing/],
    [
      "a parameter that is there twice",
      "GET",
      `/v1/tasks/${missing}?wait=1s&wait=2s`,
      400,
      "invalid_argument",
      /"wait"/,
    ],
    ["a path below another", "GET", `/v1/tasks/${missing}/timeline/1`, 404, "not_found", /nothing at GET/],
    ["health below /v1", "GET", "/v1/health", 404, "not_found", /nothing at GET/],
  ];
  test.each(requests)("is refused: %s (%s %s)", async (_what, method, path, status, code, detail) => {
    const before = stored();
    const answer = await fetch(`${system().url}${path}`, {
      method,
      body: method === "POST" ? '{"type":"echo"}' : null,
    });
    expect(await wholeProblemOf(answer)).toMatchObject({ status, code, detail: expect.stringMatching(detail) });
    expect(stored()).toEqual(before);
  });

  test.each([
    ["PUT", "/v1/tasks", "GET, HEAD, OPTIONS, POST"],
    ["DELETE", "/tasks", "GET, HEAD, OPTIONS, POST"],
    ["DELETE", `/v1/tasks/${missing}`, "GET, HEAD, OPTIONS"],
    ["POST", "/v1/dead-letters/unreadable", "GET, HEAD, OPTIONS"],
    ["POST", "/health", "GET, HEAD, OPTIONS"],
    ["GET", "/v1/tasks/batch", "OPTIONS, POST"],
    ["PROPFIND", "/v1/dead-letters", "GET, HEAD, OPTIONS"],
  ])("in the method is refused, and the methods of that path are told: %s %s", async (method, path, allow) => {
    const before = stored();
    const answer = await fetch(`${system().url}${path}`, { method });
    expect(answer.headers.get("allow")).toBe(allow);
    const detail = `${path} does not take ${method}; it takes ${allow}`;
    expect(await wholeProblemOf(answer)).toMatchObject({ status: 405, code: "method_not_allowed", detail });
    expect(stored()).toEqual(before);
  });

  test.each([[""], ["k".repeat(256)]])("in the Idempotency-Key is refused: %p", async (key) => {
    const before = stored();
    const problem = await wholeProblemOf(await system().submit({ type: "echo" }, { "idempotency-key": key }));
    expect(problem).toMatchObject({ ...invalid, detail: expect.stringContaining("Idempotency-Key") });
    expect(stored()).toEqual(before);
  });

  test("that is too large is refused, whether its length is announced or not", async () => {
    const before = stored();
    const large = JSON.stringify({ type: "echo", payload: "x".repeat(256 * 1024) });
    for (const body of [large, new Blob([large]).stream()]) {
      const problem = await wholeProblemOf(await post(body));
      expect(problem).toMatchObject({ status: 413, code: "payload_too_large" });
    }
    expect(stored()).toEqual(before);
  });

  test.each([
    ["is only announced", "content-length: 1000000000\r\n\r\n{"],
    ["never ends", `transfer-encoding: chunked\r\n\r\n${`4000\r\n${"x".repeat(0x4000)}\r\n`.repeat(20)}`],
  ])("that is too large is refused without waiting for the rest of it: the body %s", async (_how, rest) => {
    const answer = await sendBytes(system().url, `POST /v1/tasks HTTP/1.1\r\nhost: gateway\r\n${rest}`);
    expect(answer).toStartWith("HTTP/1.1 413 ");
    expect(answer).toMatch(/^content-type: application\/problem\+json\r$/im);
    for (const header of ["x-request-id", "x-correlation-id", "traceresponse"]) {
      expect(answer).toMatch(new RegExp(`^${header}: .+\r$`, "im"));
    }
    expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")))).toMatchObject({ code: "payload_too_large" });
  });
});

function metadata(entries: number): string {
  return JSON.stringify({
    type: "echo",
    metadata: Object.fromEntries(Array.from({ length: entries }, (_, n) => [n, "x"])),
  });
}

function post(body: BodyInit): Promise<Response> {
  return fetch(`${system().url}/v1/tasks`, { method: "POST", body });
}
