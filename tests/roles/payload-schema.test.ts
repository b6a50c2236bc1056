/** Payloads that do not fit their handler's schema: refused with pointers where it is known, dead letters where not. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createConnectTransport } from "@connectrpc/connect-web";
import { TaskService } from "../../src/gen/tasks_pb.ts";
import { badRequestName, fromBadRequest } from "../../src/rpc/wire.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { deadLettersAt } from "../support/dead-letters.ts";
import { projectFolder } from "../support/executable.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const handlers = join(projectFolder, "tests/fixtures/schema-handlers");
const startingMs = 30_000;

let running: TestSystem;
afterAll(() => running?.[Symbol.asyncDispose](), startingMs);

describe.each(["connect", "grpc"])("with %s between gateway and task service", (rpc) => {
  beforeAll(async () => {
    await running?.[Symbol.asyncDispose]();
    running = await startTestSystem({ handlers, rpc, grpcListen: "127.0.0.1:0" });
  }, startingMs);

  const misfits: [what: string, payload: unknown, errors: object[]][] = [
    ["a field that is missing", { items: [] }, [{ pointer: "/payload/customer", detail: "is required" }]],
    [
      "fields far in, and one that nobody knows",
      { customer: "ada", items: [{ sku: "a" }, { sku: 5, count: 0 }], "a/b": 1 },
      [
        { pointer: "/payload/items/1/sku", detail: 'Instance type "number" is invalid. Expected "string"' },
        { pointer: "/payload/items/1/count", detail: "0 is less than 1" },
        { pointer: "/payload/a~1b", detail: "unknown field" },
      ],
    ],
    [
      "no object",
      "one pizza",
      [{ pointer: "/payload", detail: 'Instance type "string" is invalid. Expected "object"' }],
    ],
  ];

  test.each(misfits)("a payload with %s is refused with 400, and nothing is stored", async (_, payload, errors) => {
    const before = running.rows("SELECT count(*) AS count FROM tasks");
    const answer = await running.submit({ type: "order", payload });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "invalid_argument", errors });
    expect(running.rows("SELECT count(*) AS count FROM tasks")).toEqual(before);
  });

  test("one in a batch is refused by itself, with pointers into the batch", async () => {
    const items = [{ payload: { customer: "ada", items: [{ sku: "pen" }] } }, { payload: { items: [{}] } }];
    const body = JSON.stringify(items.map((item) => ({ type: "order", ...item })));
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${running.url}/v1/tasks/batch`, { method: "POST", headers, body });
    expect(await answer.json()).toMatchObject([
      { status: 202 },
      {
        status: 400,
        error: {
          code: "invalid_argument",
          errors: [
            { pointer: "/1/payload/customer", detail: "is required" },
            { pointer: "/1/payload/items/0/sku", detail: "is required" },
          ],
        },
      },
    ]);
  });

  test("one that fits is stored as it came, and reaches its handler as the schema makes it", async () => {
    const payload = { customer: "ada", items: [{ sku: "pen" }, { sku: "ink", count: 2 }] };
    const { id } = await running.accept({ type: "order", payload });
    const task = await running.task(id, "20s");
    expect(task).toMatchObject({ status: "succeeded", payload, result: ["1 pen", "2 ink"] });
  });
});

describe("what the JSON Schema does not say", () => {
  const dead: [type: string, payload: unknown, message: RegExp][] = [
    ["order", { customer: "ada", items: [] }, /^the payload does not fit: \/payload\/items: Invalid input$/],
    ["parcel", { grams: "many" }, /^the payload does not fit: \/payload\/grams: .*Expected number/],
  ];

  test.each(dead)(
    "is found before the handler of %s runs: dead at the first attempt",
    async (type, payload, message) => {
      const { id } = await running.accept({ type, payload });
      const task = await running.task(id, "20s");
      expect(task).toMatchObject({
        status: "dead",
        attempt: 1,
        error: { type: "invalid_payload", message: expect.stringMatching(message) },
      });
    },
  );
});

describe("a dead letter with a payload that did not fit", () => {
  const good = { customer: "ada", items: [{ sku: "pen" }] };

  test("comes back with one that does, is told of, and succeeds", async () => {
    const dead = deadLettersAt(running.url);
    const { id } = await running.accept({ type: "order", payload: { customer: "ada", items: [] } });
    expect((await running.task(id, "20s")).status).toBe("dead");
    const unfit = await dead.ask("POST", "/redrive", JSON.stringify({ ids: [id], payload: { customer: "ada" } }));
    expect(unfit.status).toBe(400);
    expect(await unfit.json()).toMatchObject({ errors: [{ pointer: "/payload/items", detail: "is required" }] });
    const redrive = await dead.redriven({ ids: [id], payload: good });
    expect(await running.task(id, "20s")).toMatchObject({ status: "succeeded", payload: good, result: ["1 pen"] });
    const told = await dead.ask("GET", `/redrives/${redrive.id}?outcome=true`);
    const outcome = { followed: 1, succeeded: 1, dead: 0, canceled: 0, discarded: 0 };
    expect(await told.json()).toEqual({ ...redrive, outcome });
  });

  test.each([
    ["several tasks", { ids: [newTaskId(), newTaskId()] }],
    ["whatever fits", { filter: {} }],
  ])("is the only one to get it: not %s", async (_, which) => {
    const body = JSON.stringify({ ...which, payload: good });
    const answer = await deadLettersAt(running.url).ask("POST", "/redrive", body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      errors: [{ pointer: "/payload", detail: "expected only with the id of one task" }],
    });
  });
});

/** By the Connect library's own clients, which know nothing of us. */
describe("the RPC's errors", () => {
  const transports: [what: string, create: () => Transport][] = [
    ["Connect", () => createConnectTransport({ baseUrl: running.system.addresses.task_service_url ?? "" })],
    ["gRPC", () => createGrpcTransport({ baseUrl: running.system.addresses.grpc_url ?? "" })],
  ];

  test.each(transports)("carry the pointers as google.rpc.BadRequest over %s", async (_, createTransport) => {
    const client = createClient(TaskService, createTransport());
    const error = ConnectError.from(await rejectionOf(client.createTask({ type: "order" })));
    expect(error.code).toBe(Code.InvalidArgument);
    const problems = error.details.map((detail) =>
      "type" in detail && detail.value instanceof Uint8Array ? [detail.type, fromBadRequest(detail.value)] : detail,
    );
    const detail = 'Instance type "null" is invalid. Expected "object"';
    expect<unknown>(problems).toEqual([[badRequestName, [{ pointer: "/payload", detail }]]]);
  });
});
