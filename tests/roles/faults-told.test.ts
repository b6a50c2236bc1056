/** A fault of ours is recorded once, where it happened: on that span, and in one log line. */

import { expect, test } from "bun:test";
import { readConfig } from "../../src/config.ts";
import { createGateway } from "../../src/gateway.ts";
import { listen } from "../../src/http/listen.ts";
import { createBreaker } from "../../src/limits/breaker.ts";
import { systemClock } from "../../src/limits/clock.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { createCalls } from "../../src/rpc/call.ts";
import { createTaskServiceClient } from "../../src/rpc/client.ts";
import { createConnectTransport } from "../../src/rpc/connect/client.ts";
import { createConnectHandler } from "../../src/rpc/connect/server.ts";
import { type RpcMethod, rpcSchemas } from "../../src/rpc/methods.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import type { LogLine } from "../support/system.ts";

const anyPort = { host: "127.0.0.1", port: 0 };

/** A gateway in front of a task service whose every method fails as `fail` does. */
async function startFaulty(fail: () => never) {
  await using stack = new AsyncDisposableStack();
  const spans: ReceivedSpan[] = [];
  const lines: LogLine[] = [];
  const sink = { spans: (some: ReceivedSpan[]) => spans.push(...some), logs: () => {}, metrics: () => {} };
  const receiver = await startReceiver(anyPort, sink);
  stack.defer(() => receiver.stop());
  const { config } = readConfig({ handlers: "" }, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
  const [edge, inner] = ["api-gateway", "task-service"].map((service) => {
    const telemetry = startTelemetry(service, config, (line) => lines.push(JSON.parse(line)));
    stack.defer(() => telemetry.stop());
    return telemetry;
  });
  if (!edge || !inner) throw new Error("two were made");
  const answer = async (): Promise<never> => fail();
  // Every method has the same answer.
  const handlers = Object.fromEntries(Object.keys(rpcSchemas).map((method) => [method, answer])) as Record<
    RpcMethod,
    typeof answer
  >;
  const { tracer, log } = inner;
  const address = () => ({ host: "127.0.0.1", port: 1 });
  const taskService = await listen(
    anyPort,
    createConnectHandler(createCalls(handlers, { tracer, log, newCorrelationId: newTaskId }), address),
  );
  stack.defer(() => taskService.stop(0));
  const breaker = createBreaker({ name: "task-service", side: "the task service" });
  const gateway = await listen(
    anyPort,
    createGateway({
      taskService: createTaskServiceClient({
        url: taskService.url,
        transport: createConnectTransport(taskService.url),
        tracer: edge.tracer,
        breaker,
      }),
      telemetry: edge,
      processState: {
        isReady: async () => true,
        health: async () => ({ status: "healthy", checks: {}, uptime_seconds: 0 }),
      },
      trustTraceContext: true,
      apiKeys: () => undefined,
      rateLimit: undefined,
      corsOrigins: [],
      clock: systemClock,
      draining: new AbortController().signal,
    }),
  );
  stack.defer(() => gateway.stop(0));
  const owned = stack.move();
  return {
    url: gateway.url,
    spans,
    lines,
    flush: () => Promise.all([edge.flush(), inner.flush()]),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test("a fault in the task service marks every span above it, and is recorded on its own alone", async () => {
  await using faulty = await startFaulty(() => {
    throw new TypeError("x is not a function", { cause: new RangeError("too far") });
  });
  const answer = await fetch(`${faulty.url}/v1/tasks/${newTaskId()}`);
  expect(answer.status).toBe(500);
  await faulty.flush();
  const told = faulty.spans
    .filter(({ name }) => !name.startsWith("start "))
    .map(({ service, kind, status, attributes, events }) => [
      `${service} ${kind} ${status.code} ${attributes["error.type"]}`,
      events.map(({ name, attributes: of }) => [name, of["exception.type"], of["throughline.error.cause_chain"]]),
    ]);
  expect(told.toSorted()).toEqual([
    ["api-gateway CLIENT ERROR internal", []],
    ["api-gateway SERVER ERROR internal", []],
    ["task-service SERVER ERROR internal", [["exception", "TypeError", ["RangeError: too far"]]]],
  ]);
  const problem = await answer.json();
  expect(faulty.lines.filter(({ level }) => level === "error")).toMatchObject([
    { service: "task-service", msg: "call failed", trace_id: problem.trace_id, error: { type: "TypeError" } },
  ]);
});
