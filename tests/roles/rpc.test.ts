/** The task service, asked by the Connect library's own clients: we speak its protocols, not what only looks like them. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createConnectTransport } from "@connectrpc/connect-web";
import { TaskService } from "../../src/gen/tasks_pb.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 30_000;

let running: TestSystem;
let url: string;
let grpcUrl: string;
beforeAll(async () => {
  running = await startTestSystem({ grpcListen: "127.0.0.1:0" });
  ({ task_service_url: url = "", grpc_url: grpcUrl = "" } = running.system.addresses);
}, startingMs);
afterAll(() => running?.[Symbol.asyncDispose](), startingMs);

const transports: [what: string, create: () => Transport][] = [
  ["Connect with JSON", () => createConnectTransport({ baseUrl: url, useBinaryFormat: false })],
  ["Connect with binary messages", () => createConnectTransport({ baseUrl: url, useBinaryFormat: true })],
  ["gRPC", () => createGrpcTransport({ baseUrl: grpcUrl })],
];

describe.each(transports)("a client that speaks %s", (_what, createTransport) => {
  let client: Client<typeof TaskService>;
  beforeAll(() => {
    client = createClient(TaskService, createTransport());
  });

  test("creates a task, waits for its end and reads how it came to that", async () => {
    const payload = fromJson(ValueSchema, { order: [1, "ü", null] });
    const request = { type: "echo", payload, metadata: { shop: "7" }, maxAttempts: 2 };
    const { id } = await client.createTask(request, { headers: { "x-correlation-id": "over-rpc" } });

    const task = await client.getTask({ id, wait: "20s" });
    expect(task).toMatchObject({
      id,
      type: "echo",
      status: "succeeded",
      payload,
      result: payload,
      attempt: 1,
      maxAttempts: 2,
      correlationId: "over-rpc",
      metadata: { shop: "7" },
    });
    expect(task.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([[1, "succeeded"]]);

    const { items: entries } = await client.getTimeline({ id });
    expect(entries.map(({ from, to, service }) => [from, to, service])).toEqual([
      ["", "queued", "task-service"],
      ["queued", "running", "worker"],
      ["running", "succeeded", "worker"],
    ]);
    expect(entries.map(({ at }) => at)).toEqual([task.createdAt, task.startedAt, task.endedAt]);
  });

  test("has durations and times understood", async () => {
    const delayed = await client.createTask({ type: "echo", delay: "3600.5s" });
    const { createdAt, runAt, status } = delayed;
    expect(status).toBe("scheduled");
    expect(Number((runAt?.seconds ?? 0n) - (createdAt?.seconds ?? 0n))).toBeWithin(3600, 3602);

    const at = { seconds: 4_922_000_000n, nanos: 250_000_000 };
    const timed = await client.createTask({ type: "echo", runAt: at });
    expect(timed).toMatchObject({ status: "scheduled", runAt: at });
  });

  test("gets the task made first under the same idempotency key, and ALREADY_EXISTS for another request", async () => {
    const idempotencyKey = crypto.randomUUID();
    const first = await client.createTask({ type: "echo", maxAttempts: 1, idempotencyKey });
    let headers = new Headers();
    const onHeader = (received: Headers): void => {
      headers = received;
    };
    const again = await client.createTask({ type: "echo", maxAttempts: 1, idempotencyKey }, { onHeader });
    expect([headers.get("idempotent-replayed"), again.id]).toEqual(["true", first.id]);
    expect(await codeOf(client.createTask({ type: "echo", maxAttempts: 2, idempotencyKey }))).toBe("AlreadyExists");
  });

  test("is told by the standard codes what was wrong, and nothing is stored", async () => {
    const before = running.rows("SELECT count(*) AS count FROM tasks");
    const id = newTaskId();
    const runAt = { seconds: 4_922_000_000n };
    const codes = await Promise.all(
      [
        client.createTask({}),
        client.createTask({ type: "send-fax" }),
        client.createTask({ type: "echo", maxAttempts: -1 }),
        client.createTask({ type: "echo", delay: "-1s" }),
        client.createTask({ type: "echo", delay: "315576000000s" }),
        client.createTask({ type: "echo", delay: "1s", runAt }),
        client.createTask({ type: "echo", payload: fromJson(ValueSchema, "x".repeat(1024 * 1024)) }),
        client.getTask({ id }),
        client.getTask({ id: "none" }),
        client.getTimeline({ id }),
      ].map(codeOf),
    );
    expect(codes).toEqual([...Array(6).fill("InvalidArgument"), "OutOfRange", ...Array(3).fill("NotFound")]);
    expect(running.rows("SELECT count(*) AS count FROM tasks")).toEqual(before);
  });

  test("a task goes on in the trace of its call", async () => {
    const traceId = crypto.randomUUID().replaceAll("-", "");
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const task = await client.createTask({ type: "echo" }, { headers });
    expect(task.traceId).toBe(traceId);
    const started = await eventually(() =>
      running.lines.find((line) => line.task_id === task.id && line.attempt === 1),
    );
    expect(started.trace_id).toBe(traceId);
  });

  test("a caller's correlation id is kept when it is harmless, and made anew when it is not", async () => {
    const idOf = async (sent: string): Promise<string | undefined> => {
      const task = await client.createTask({ type: "echo" }, { headers: { "x-correlation-id": sent } });
      return task.correlationId;
    };
    expect(await idOf("c".repeat(64))).toBe("c".repeat(64));
    for (const sent of ["c".repeat(65), "two words", ""]) expect(await idOf(sent)).toMatch(/^[0-9a-f-]{36}$/);
  });
});

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );
  return error ? (Code[error.code] ?? String(error.code)) : "ok";
}

test("every spelling that protobuf's JSON allows is understood", async () => {
  const body = '{"type":"echo","maxAttempts":"3","run_at":"2126-01-01T02:00:00.000000000+02:00","payload":{"a":1}}';
  const answer = await call("CreateTask", { body });
  expect(await answer.json()).toMatchObject({ max_attempts: 3, run_at: "2126-01-01T00:00:00.000Z", payload: { a: 1 } });
});

test.each([
  ["a method that is not there", "DeleteEverything", {}, 404],
  ["a method that every object has", "toString", {}, 404],
  ["another service", "../tasks.Other/GetTask", {}, 404],
  ["reading where a call is meant", "GetTask", { method: "GET", body: null }, 405],
  ["a content type that is not Connect's", "GetTask", { headers: { "content-type": "text/plain" } }, 415],
  ["gRPC's content type, which needs HTTP/2", "GetTask", { headers: { "content-type": "application/grpc" } }, 415],
  ["a message that is not JSON", "GetTask", { body: "{" }, 400],
  ["a field that is not there", "GetTask", { body: '{"name":1}' }, 400],
  ["gRPC-Web, which is not spoken", "GetTask", { headers: { "content-type": "application/grpc-web+proto" } }, 415],
  [
    "a compressed message",
    "GetTask",
    { headers: { "content-type": "application/json", "content-encoding": "gzip" } },
    501,
  ],
])("a call is refused as the protocol says: %s", async (_what, method, init: RequestInit, status) => {
  const answer = await call(method, init);
  expect(answer.status).toBe(status);
  if (status === 415) expect(answer.headers.get("accept-post")).toBe("application/json, application/proto");
});

function call(method: string, init: RequestInit): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${url}/tasks.TaskService/${method}`, { method: "POST", headers, body: "{}", ...init });
}
