/** How deep a payload may nest: the same by HTTP and by every protocol of the task service, and never without a bound. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createConnectTransport } from "@connectrpc/connect-web";
import { TaskService } from "../../src/gen/tasks_pb.ts";
import { maxMessageDepth } from "../../src/rpc/methods.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 30_000;

let running: TestSystem;
beforeAll(async () => {
  running = await startTestSystem({ grpcListen: "127.0.0.1:0" });
}, startingMs);
afterAll(() => running?.[Symbol.asyncDispose](), startingMs);

function nested(levels: number): JsonValue {
  let value: JsonValue = [];
  for (let level = 1; level < levels; level++) value = [value];
  return value;
}

describe.each(["connect", "grpc"] as const)("a gateway that speaks %s", (rpc) => {
  test(
    "accepts the deepest payload that HTTP takes, runs it and shows it",
    async () => {
      await using system = await startTestSystem({ rpc });
      // The 64th level is the body itself.
      const payload = nested(63);
      const { id } = await system.accept({ type: "echo", payload });
      expect(await system.task(id, "20s")).toMatchObject({ status: "succeeded", payload, result: payload });
    },
    startingMs,
  );
});

describe("a task service", () => {
  const address = (name: string): string => running.system.addresses[name] ?? "";
  const transports: [what: string, create: () => Transport][] = [
    [
      "Connect with JSON",
      () => createConnectTransport({ baseUrl: address("task_service_url"), useBinaryFormat: false }),
    ],
    ["Connect", () => createConnectTransport({ baseUrl: address("task_service_url"), useBinaryFormat: true })],
    ["gRPC", () => createGrpcTransport({ baseUrl: address("grpc_url") })],
  ];

  test.each(transports)("refuses a payload that is too deep, by %s", async (_, create) => {
    const client = createClient(TaskService, create());
    const payload = fromJson(ValueSchema, nested(maxMessageDepth + 5));
    const error = ConnectError.from(await rejectionOf(client.createTask({ type: "echo", payload })));
    expect(error.code).toBe(Code.InvalidArgument);
  });

  test.each([maxMessageDepth, 100_000])("refuses JSON of %d levels more before it is parsed", async (levels) => {
    const body = `{"type":"echo","payload":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    const headers = { "content-type": "application/json" };
    const url = `${address("task_service_url")}/tasks.TaskService/CreateTask`;
    const answer = await fetch(url, { method: "POST", headers, body });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { code: "invalid_argument", message: `the request message nests deeper than ${maxMessageDepth} levels` },
    ]);
  });
});
