/** Every error that the HTTP API promises, as a caller meets it: its status, its code, and when to come back. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type KeyEntry, toFileText } from "../../src/access/api-key-file.ts";
import { hashApiKey, newApiKey } from "../../src/access/api-keys.ts";
import { type ErrorCode, meanings } from "../../src/words/errors.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { type HeldServer, startHeldServer } from "../support/held-server.ts";
import { sendRequest } from "../support/raw-request.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const startingMs = 60_000;

let running: TestSystem;
/** Its task service takes every call, and never answers. */
let held: HeldServer;
let stuck: TestSystem;
/** Its task service cannot be reached: port 1 of loopback, where nobody listens. */
let alone: TestSystem;
/** It asks for keys, and there is one, which may look and no more, twice an hour. */
let guarded: TestSystem;
const readKey = newApiKey();
const folder = await tempFolder();
beforeAll(async () => {
  const entry: KeyEntry = { id: "reader", sha256: hashApiKey(readKey).toString("hex"), scopes: ["read"], rate: "2/h" };
  const apiKeysFile = join(folder.path, "keys.json");
  await writeFile(apiKeysFile, toFileText([entry]));
  guarded = await startTestSystem({ apiKeysFile });
  held = startHeldServer(() => new Response());
  running = await startTestSystem();
  stuck = await startTestSystem({ taskServiceUrl: held.url });
  alone = await startTestSystem({ taskServiceUrl: "http://127.0.0.1:1" });
}, startingMs);
afterAll(async () => {
  await Promise.all([running, stuck, alone, guarded].map((system) => system?.[Symbol.asyncDispose]()));
  await held?.[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
}, startingMs);

function post(body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${running.url}/v1/tasks`, { method: "POST", body, headers });
}

async function endedTask(): Promise<string> {
  const { id } = await running.accept({ type: "echo" });
  await running.task(id, "20s");
  return id;
}

/** The metadata of a stored task is no JSON any more: what only a fault of ours could have made of it. */
async function spoiledTask(): Promise<Response> {
  const id = await endedTask();
  running.write(`UPDATE tasks SET metadata = '{"secret' WHERE id = '${id}'`);
  return fetch(`${running.url}/v1/tasks/${id}`);
}

/** One more request than the gateway has places for. */
async function oneTooMany(): Promise<Response> {
  const sockets: Socket[] = [];
  try {
    const refused = Promise.withResolvers<void>();
    for (let count = 0; count < 1100; count++) {
      const socket = connect(Number(new URL(stuck.url).port), "127.0.0.1");
      socket.on("error", refused.reject);
      socket.once("data", () => refused.resolve());
      socket.write(`GET /v1/tasks/${newTaskId()} HTTP/1.1\r\nhost: gateway\r\n\r\n`);
      sockets.push(socket);
    }
    await refused.promise;
    // By hand: `fetch` has 256 requests at once in a process, and the gateway's calls are of the same one.
    const start = `GET /v1/tasks/${newTaskId()} HTTP/1.1`;
    const { status, headers, body } = await sendRequest(stuck.url, start, [["host", "gateway"]]);
    return new Response(body, { status, headers });
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

const bearer = { authorization: `Bearer ${readKey}` };
const deep = `{"type":"echo","payload":${"[".repeat(64)}${"]".repeat(64)}}`;
const large = JSON.stringify({ type: "echo", payload: "x".repeat(256 * 1024) });

const rows: [what: string, code: ErrorCode, ask: () => Promise<Response>, detail: RegExp][] = [
  ["a body that is not JSON", "invalid_argument", () => post('{"type":'), /not JSON/],
  ["a body that is too deep", "invalid_argument", () => post(deep), /64 levels/],
  ["a body of a wrong type", "invalid_argument", () => post('{"type":7}'), /\/type/],
  ["an unknown field", "invalid_argument", () => post('{"type":"echo","payloat":1}'), /\/payloat/],
  ["an unknown query parameter", "invalid_argument", () => fetch(`${running.url}/v1/dead-letters?sort=id`), /"sort"/],
  ["a body over 256 KiB", "payload_too_large", () => post(large), /262144 bytes/],
  ["no key", "unauthenticated", () => guarded.submit({ type: "echo" }), /API key/],
  ["a key that may not", "permission_denied", () => guarded.submit({ type: "echo" }, bearer), /submit/],
  ["a caller that asks too much", "resource_exhausted", asksTooMuch, /2 in 3600 s/],
  ["no task of that id", "not_found", () => fetch(`${running.url}/v1/tasks/${newTaskId()}`), /no task/],
  ["no such path", "not_found", () => fetch(`${running.url}/v1/task`), /nothing at/],
  ["a path that only looks like one", "not_found", () => fetch(`${running.url}/openapi_json`), /nothing at/],
  ["no such method", "method_not_allowed", () => fetch(`${running.url}/v1/tasks`, { method: "PUT" }), /takes GET/],
  ["cancel after the end", "conflict", async () => control(await endedTask(), "/cancel"), /succeeded already/],
  ["a discard of what is not dead", "conflict", async () => discard(await endedTask()), /not dead/],
  ["a redrive of what is not dead", "conflict", async () => redrive(await endedTask()), /succeeded, not dead/],
  [
    "a redrive of several that are not",
    "conflict",
    async () => redrive(await endedTask(), newTaskId()),
    /none of the 2/,
  ],
  ["a redrive of no task", "not_found", () => redrive(newTaskId()), /no task/],
  ["the same idempotency key, other body", "idempotency_mismatch", otherBody, /./],
  ["the task service away", "unavailable", () => alone.submit({ type: "echo" }), /./],
  ["the breaker open", "unavailable", breakerOpen, /refused for now/],
  ["a fault of ours", "internal", spoiledTask, /^the fault is logged under this trace_id$/],
  ["what took too long", "deadline_exceeded", () => stuck.submit({ type: "echo" }), /./],
  // What it leaves unanswered opens the breaker of that system.
  ["too many in progress", "resource_exhausted", oneTooMany, /1024 requests/],
];

async function asksTooMuch(): Promise<Response> {
  const ask = (): Promise<Response> => fetch(`${guarded.url}/v1/tasks/${newTaskId()}`, { headers: bearer });
  return eventually(async () => {
    const answer = await ask();
    return answer.status !== 404 && answer;
  });
}

function control(id: string, command: string): Promise<Response> {
  return fetch(`${running.url}/v1/tasks/${id}${command}`, { method: "POST" });
}

function redrive(...ids: string[]): Promise<Response> {
  return fetch(`${running.url}/v1/dead-letters/redrive`, { method: "POST", body: JSON.stringify({ ids }) });
}

function discard(id: string): Promise<Response> {
  return fetch(`${running.url}/v1/dead-letters/${id}/discard`, { method: "POST", body: '{"reason":"seen"}' });
}

async function otherBody(): Promise<Response> {
  const key = { "idempotency-key": newTaskId() };
  await post('{"type":"echo","payload":1}', key);
  return post('{"type":"echo","payload":2}', key);
}

function breakerOpen(): Promise<Response> {
  return eventually(async () => {
    const answer = await alone.submit({ type: "echo" });
    return (await answer.clone().text()).includes("refused for now") && answer;
  });
}

describe("the table of errors", () => {
  test.each(rows)(
    "%s: %s",
    async (_what, code, ask, detail) => {
      const answer = await ask();
      const { httpStatus: status, title } = meanings[code];
      const traceId = answer.headers.get("traceresponse")?.split("-")[1] ?? "none";
      const { detail: told, errors: _, ...problem } = await answer.json();
      expect(problem).toEqual({ type: "about:blank", title, status, code, trace_id: traceId });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([status, "application/problem+json"]);
      expect(told).toMatch(detail);
      // Nothing of how it is made, and of nobody's task.
      expect(told).not.toMatch(/secret|SELECT|\bat \S+:\d+|node_modules|\.ts\b/);
      const isPassing = status === 429 || status === 503;
      expect([answer.headers.has("retry-after"), Number(answer.headers.get("retry-after")) > 0]).toEqual([
        isPassing,
        isPassing,
      ]);
    },
    startingMs,
  );

  test("has a row for each code that a caller may meet", () => {
    const met = rows.map(([, code]) => code);
    // Told to nobody: the caller is gone; and what a task service of another version does not know.
    const never: ErrorCode[] = ["canceled", "unimplemented"];
    expect(new Set<string>([...met, ...never])).toEqual(new Set(Object.keys(meanings)));
  });
});
