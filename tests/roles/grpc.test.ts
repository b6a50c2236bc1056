/** What gRPC has beyond a call and its answer: deadlines, cancellation, compression, health, and callers who get it wrong. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { compressionGzip, createGrpcTransport } from "@connectrpc/connect-node";
import { status } from "@grpc/grpc-js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "../../src/gen/grpc/health/v1/health_pb.ts";
import { GetTaskRequestSchema, TaskService } from "../../src/gen/tasks_pb.ts";
import { eventually } from "../support/eventually.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { type RawGrpcCall, rawGrpcStatus } from "../support/raw-grpc.ts";
import { rejectionOf } from "../support/rejection.ts";
import { isTaskServiceWaiting } from "../support/store-wait.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 30_000;
/** The flag that switches it on. */
const on = { grpcListen: "127.0.0.1:0" };
const path = "/tasks.TaskService/GetTask";
/** Much longer than a test may take. */
const forever = "3600s";

function clientOf({ system }: TestSystem, options: { sendGzip?: boolean } = {}) {
  const compression = options.sendGzip ? { sendCompression: compressionGzip, compressMinBytes: 1 } : {};
  const transport = createGrpcTransport({ baseUrl: system.addresses.grpc_url ?? "", ...compression });
  return { tasks: createClient(TaskService, transport), health: createClient(Health, transport) };
}

/** How many calls of `GetTask` have ended with that status. */
async function countOf({ adminUrl }: TestSystem, statusCode: string): Promise<number> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  const counts = series.filter(
    ({ name, labels }) =>
      name === "rpc_server_call_duration_seconds_count" &&
      labels.rpc_system_name === "grpc" &&
      labels.rpc_method === "tasks.TaskService/GetTask" &&
      labels.rpc_status_code === statusCode,
  );
  return counts.reduce((sum, { value }) => sum + value, 0);
}

describe("a running server", () => {
  let running: TestSystem;
  /** Of a task that does not end. */
  let id: string;
  beforeAll(async () => {
    running = await startTestSystem(on);
    ({ id } = await running.accept({ type: "echo", delay: "1h" }));
  }, limitMs);
  afterAll(() => running?.[Symbol.asyncDispose](), limitMs);

  test(
    "ends a call that waits when its deadline is over",
    async () => {
      const grpcUrl = running.system.addresses.grpc_url ?? "";
      const body = toBinary(GetTaskRequestSchema, create(GetTaskRequestSchema, { id, wait: forever }));
      expect(await rawGrpcStatus(grpcUrl, { path, headers: { "grpc-timeout": "200m" }, body })).toBe(
        status.DEADLINE_EXCEEDED,
      );
      await eventually(async () => (await countOf(running, "DEADLINE_EXCEEDED")) === 1);
      await eventually(async () => !(await isTaskServiceWaiting(running.adminUrl)));
    },
    limitMs,
  );

  test(
    "ends a call that waits when its caller goes away",
    async () => {
      const caller = new AbortController();
      const call = rejectionOf(clientOf(running).tasks.getTask({ id, wait: forever }, { signal: caller.signal }));
      await eventually(() => isTaskServiceWaiting(running.adminUrl));
      caller.abort();
      expect(await call).toMatchObject({ code: Code.Canceled });
      await eventually(async () => (await countOf(running, "CANCELLED")) === 1);
      await eventually(async () => !(await isTaskServiceWaiting(running.adminUrl)));
    },
    limitMs,
  );

  test("understands gzip", async () => {
    const task = await clientOf(running, { sendGzip: true }).tasks.getTask({ id });
    expect(task.id).toBe(id);
  });

  test("tells by its health that it serves, as a whole and this service", async () => {
    const { health } = clientOf(running);
    expect(await health.check({})).toMatchObject({ status: Serving.SERVING });
    expect(await health.check({ service: "tasks.TaskService" })).toMatchObject({ status: Serving.SERVING });
    expect(await rejectionOf(health.check({ service: "tasks.Other" }))).toMatchObject({ code: Code.NotFound });
    expect(Object.keys((await health.list({})).statuses).toSorted()).toEqual(["", "tasks.TaskService"]);
  });

  const asked = (): Uint8Array => toBinary(GetTaskRequestSchema, create(GetTaskRequestSchema, { id }));
  const wrong: [what: string, call: () => RawGrpcCall, expected: status][] = [
    ["a method that is not there", () => ({ path: "/tasks.TaskService/Drop", body: asked() }), status.UNIMPLEMENTED],
    ["a service that is not there", () => ({ path: "/tasks.Other/GetTask", body: asked() }), status.UNIMPLEMENTED],
    ["a body that is no message", () => ({ path, body: Buffer.from('{"id":') }), status.INVALID_ARGUMENT],
    ["a message over a mebibyte", () => ({ path, body: new Uint8Array(1024 * 1024 + 1) }), status.OUT_OF_RANGE],
    [
      "a message over thirty-two",
      () => ({ path, body: new Uint8Array(32 * 1024 * 1024 + 1) }),
      status.RESOURCE_EXHAUSTED,
    ],
    [
      "one that becomes so large",
      () => ({
        path,
        headers: { "grpc-encoding": "gzip" },
        isCompressed: true,
        body: gzipSync(new Uint8Array(64 * 1024 * 1024)),
      }),
      status.RESOURCE_EXHAUSTED,
    ],
    [
      "a compression that nobody knows",
      () => ({ path, headers: { "grpc-encoding": "zip" }, isCompressed: true, body: asked() }),
      status.UNIMPLEMENTED,
    ],
    ["a timeout that is none", () => ({ path, headers: { "grpc-timeout": "soon" }, body: asked() }), status.INTERNAL],
  ];

  test.each(wrong)(
    "refuses %s, and serves the next call",
    async (_what, call, expected) => {
      const grpcUrl = running.system.addresses.grpc_url ?? "";
      expect(await rawGrpcStatus(grpcUrl, call())).toBe(expected);
      expect(await rawGrpcStatus(grpcUrl, { path, body: asked() })).toBe(status.OK);
    },
    limitMs,
  );
});

test(
  "a server that drains says so to those who watch, and lets nobody wait any longer",
  async () => {
    await using running = await startTestSystem(on);
    const { id } = await running.accept({ type: "echo", delay: "1h" });
    const { tasks, health } = clientOf(running);
    const seen: Serving[] = [];
    const watching = (async () => {
      for await (const { status: serving } of health.watch({})) seen.push(serving);
    })();
    await eventually(() => seen.length === 1);
    const held = tasks.getTask({ id, wait: forever });
    await eventually(() => isTaskServiceWaiting(running.adminUrl));
    await running.system.drain();
    await watching;
    expect(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING]);
    expect(await held).toMatchObject({ id, status: "scheduled" });
    expect(await rejectionOf(tasks.getTask({ id }))).toMatchObject({ code: Code.Unavailable });
  },
  limitMs,
);

test(
  "without --grpc-listen and --rpc=grpc there is no gRPC address",
  async () => {
    await using running = await startTestSystem();
    expect(Object.keys(running.system.addresses)).not.toContain("grpc_url");
    const { id } = await running.accept({ type: "echo" });
    expect(await running.task(id, "20s")).toMatchObject({ status: "succeeded" });
  },
  limitMs,
);
