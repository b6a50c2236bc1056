/** The gRPC port of the compiled executable, asked by grpcurl, which knows nothing but what reflection tells it. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { type GrpcurlRun, grpcurl } from "../parts/grpcurl.ts";
import { compiledExecutable } from "../support/executable.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 90_000;

describeWith("grpcurl")("grpcurl", () => {
  let stack: AsyncDisposableStack;
  let running: ThroughlineProcess;
  beforeAll(async () => {
    await compiledExecutable();
    stack = new AsyncDisposableStack();
    const { path } = stack.use(await tempFolder());
    running = stack.use(await startThroughline([`--data-dir=${path}`, ...freePorts]));
  }, 180_000);
  afterAll(() => stack.disposeAsync(), limitMs);

  const ask = (flags: readonly string[], ...words: string[]): Promise<GrpcurlRun> =>
    grpcurl(running.addresses.grpc_url ?? "", flags, ...words);

  /** The answer, as JSON. */
  const call = async (method: string, request: unknown, ...flags: string[]): Promise<Record<string, unknown>> => {
    const { exitCode, out, err } = await ask(["-d", JSON.stringify(request), ...flags], method);
    if (exitCode !== 0) throw new Error(`${method} failed: ${err}`);
    return JSON.parse(out);
  };

  test(
    "lists the services and their methods",
    async () => {
      const { out } = await ask([], "list");
      const services = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "tasks.TaskService"];
      expect(out.trim().split("\n")).toEqual(services);
      const methods = await ask([], "list", "tasks.TaskService");
      expect(methods.out.trim().split("\n")).toContain("tasks.TaskService.CreateTask");
    },
    limitMs,
  );

  test.each([
    ["tasks.TaskService.GetTask", "rpc GetTask ( .tasks.GetTaskRequest ) returns ( .tasks.Task );"],
    ["tasks.CreateTaskRequest", ".google.protobuf.Value payload = 2;"],
    ["tasks.Task.correlation_id", "string correlation_id = 9"],
    ["google.protobuf.Timestamp", "int64 seconds = 1;"],
    ["grpc.health.v1.HealthCheckResponse.ServingStatus", "SERVICE_UNKNOWN = 3;"],
  ])(
    "describes %s",
    async (symbol, line) => {
      expect((await ask([], "describe", symbol)).out).toContain(line);
    },
    limitMs,
  );

  test(
    "is told when there is no such symbol",
    async () => {
      const { exitCode, err } = await ask([], "describe", "tasks.Nothing");
      expect(exitCode).not.toBe(0);
      expect(err).toContain("not found");
    },
    limitMs,
  );

  test(
    "creates a task in the trace that it names, and sees it end",
    async () => {
      const traceId = crypto.randomUUID().replaceAll("-", "");
      const headers = ["-H", `traceparent: 00-${traceId}-00f067aa0ba902b7-01`, "-H", "x-correlation-id: by-hand"];
      const request = { type: "echo", payload: { order: 7 } };
      const task = await call("tasks.TaskService/CreateTask", request, ...headers);
      expect(task).toMatchObject({ type: "echo", traceId, correlationId: "by-hand" });
      const { id } = task;
      const ended = await call("tasks.TaskService/GetTask", { id, wait: "20s" });
      expect(ended).toMatchObject({ id, status: "succeeded", result: { order: 7 }, traceId });
    },
    limitMs,
  );

  test(
    "is told by a standard code what was wrong",
    async () => {
      const { err, exitCode } = await ask(["-d", '{"id":"none"}'], "tasks.TaskService/GetTask");
      expect(err).toContain("Code: NotFound");
      expect(err).toContain('there is no task "none"');
      // 64 and the number of the status.
      expect(exitCode).toBe(64 + 5);
    },
    limitMs,
  );

  test(
    "hears that the service is there",
    async () => {
      expect(await call("grpc.health.v1.Health/Check", {})).toEqual({ status: "SERVING" });
    },
    limitMs,
  );
});
