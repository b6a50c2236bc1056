/** What the gateway's side of the RPC makes, by gRPC, of task services that answer, refuse, hang, or are not there. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT, SpanStatusCode } from "@opentelemetry/api";
import { readConfig } from "../../src/config.ts";
import type { Listener } from "../../src/http/listen.ts";
import { type Breaker, createBreaker } from "../../src/limits/breaker.ts";
import { type Answer, type Call, createCalls, type RpcHandlers } from "../../src/rpc/call.ts";
import { createTaskServiceClient } from "../../src/rpc/client.ts";
import { createGrpcTransport } from "../../src/rpc/grpc/client.ts";
import { listenGrpc } from "../../src/rpc/grpc/server.ts";
import { rpcSchemas } from "../../src/rpc/methods.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { TaskError } from "../../src/words/errors.ts";
import { eventually } from "../support/eventually.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestTracing, type TestTracing } from "../support/test-tracing.ts";

const limitMs = 30_000;

interface Calling extends TestTracing, Disposable {
  breaker: Breaker;
  call(timeoutMs?: number): Promise<unknown>;
  probe(): Promise<void>;
}

function startCalling(url: string): Calling {
  const tracing = startTestTracing();
  const breaker = createBreaker({ name: "task-service", side: "the task service" });
  const transport = createGrpcTransport(url);
  const client = createTaskServiceClient({ url, transport, tracer: tracing.tracer, breaker });
  return {
    ...tracing,
    breaker,
    call: async (timeoutMs = 10_000) => {
      const options = { timeoutMs, correlationId: "c-1", requestId: "r-1" };
      const { json, metadata } = await client.call("GetTask", { id: "7" }, ROOT_CONTEXT, options);
      return [json, metadata("throughline-id")];
    },
    probe: () => client.probe(),
    [Symbol.dispose]: () => client.close(),
  };
}

/** A server whose every method is answered by `answer`. */
async function startServing(answer: (request: unknown, call: Call) => Promise<Answer>, port = 0) {
  const { tracer, log } = startTelemetry("test", readConfig({ handlers: "" }, {}).config, () => {});
  // Every method has the same answer.
  const handlers = Object.fromEntries(Object.keys(rpcSchemas).map((method) => [method, answer]));
  const answerCall = createCalls(handlers as unknown as RpcHandlers, { tracer, log, newCorrelationId: () => "new" });
  const listener: Listener = await listenGrpc({ host: "127.0.0.1", port }, answerCall);
  return { ...listener, [Symbol.asyncDispose]: () => listener.stop(0) };
}

test("a call carries its request, its ids and its deadline, and gives the answer", async () => {
  const asked: unknown[] = [];
  await using server = await startServing(async (request, { correlationId, requestId }) => {
    asked.push([request, correlationId, requestId]);
    return { json: '{ "id": 7.0, "type": "ä" }', metadata: { "throughline-id": "7" } };
  });
  using calling = startCalling(server.url);
  expect(await calling.call()).toEqual(['{ "id": 7.0, "type": "ä" }', "7"]);
  expect(asked).toEqual([[{ id: "7" }, "c-1", "r-1"]]);
  const [span] = calling.spans();
  expect(span?.name).toBe("tasks.TaskService/GetTask");
  expect(span?.attributes).toEqual({
    "rpc.system.name": "grpc",
    "rpc.method": "tasks.TaskService/GetTask",
    "rpc.status_code": "OK",
    "server.address": "127.0.0.1",
    "server.port": server.port,
  });
});

describe("a task service that answers with an error of its own", () => {
  test.each([
    ["unavailable", "UNAVAILABLE"],
    ["deadline_exceeded", "DEADLINE_EXCEEDED"],
    ["resource_exhausted", "RESOURCE_EXHAUSTED"],
    ["not_found", "NOT_FOUND"],
    ["canceled", "CANCELLED"],
  ] as const)("is there, however often it does: %s", async (code, statusCode) => {
    await using server = await startServing(async () => {
      throw new TaskError(code, "not now ü", { retryAfterMs: 7000 });
    });
    using calling = startCalling(server.url);
    for (let n = 0; n < 6; n++) {
      const error = { code, message: "not now ü", retryAfterMs: 7000, isRemote: true };
      expect(await rejectionOf(calling.call())).toMatchObject(error);
    }
    expect(calling.breaker.state()).toBe("closed");
    const [span] = calling.spans();
    expect(span?.attributes).toMatchObject({ "rpc.status_code": statusCode, "error.type": statusCode });
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR, message: "not now ü" });
  });
});

describe("a task service that gives no answer", () => {
  test(
    "because nobody listens there is not asked again after five calls",
    async () => {
      using calling = startCalling("http://127.0.0.1:1");
      for (let n = 0; n < 5; n++) {
        expect(await rejectionOf(calling.call())).toMatchObject({
          code: "unavailable",
          message: "the task service cannot be reached",
        });
      }
      expect(calling.breaker.state()).toBe("open");
    },
    limitMs,
  );

  test(
    "because it hangs is not asked again after five time-outs",
    async () => {
      await using server = await startServing((_request, { signal }) => whenAborted(signal));
      using calling = startCalling(server.url);
      const late = { code: "deadline_exceeded", message: "tasks.TaskService/GetTask took too long" };
      for (let n = 0; n < 5; n++) expect(await rejectionOf(calling.call(50))).toMatchObject(late);
      expect(calling.breaker.state()).toBe("open");
      const { attributes } = calling.spans()[0] ?? {};
      expect(attributes).toMatchObject({ "rpc.status_code": "DEADLINE_EXCEEDED", "error.type": "DEADLINE_EXCEEDED" });
    },
    limitMs,
  );

  test(
    "because something else answers in its place is not asked again after five answers",
    async () => {
      const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<h1>Hello</h1>") });
      using calling = startCalling(other.url.origin);
      for (let n = 0; n < 5; n++) expect(await rejectionOf(calling.call())).toMatchObject({ code: "unavailable" });
      expect(calling.breaker.state()).toBe("open");
      await other.stop(true);
    },
    limitMs,
  );
});

test(
  "a server that stops waits for its calls, until it is told to stop at once",
  async () => {
    let held = 0;
    await using server = await startServing((_request, { signal }) => {
      held += 1;
      return whenAborted(signal);
    });
    using calling = startCalling(server.url);
    const call = rejectionOf(calling.call());
    await eventually(() => held === 1);
    let isStopped = false;
    const stopping = server.stop(limitMs).then(() => {
      isStopped = true;
    });
    // A new connection is refused before the old one is gone.
    using late = startCalling(server.url);
    expect(await rejectionOf(late.call())).toMatchObject({ code: "unavailable" });
    expect(isStopped).toBe(false);
    await server.stop(0);
    expect(await call).toMatchObject({ code: "unavailable" });
    await stopping;
  },
  limitMs,
);

function whenAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
}

test(
  "a task service that is back is found by a probe, and by the same client",
  async () => {
    const answer = async (): Promise<Answer> => ({ json: '{"id":"7"}' });
    const first = await startServing(answer);
    using calling = startCalling(first.url);
    await calling.call();
    await first.stop(0);
    for (let n = 0; n < 5; n++) await rejectionOf(calling.call());
    expect(calling.breaker.state()).toBe("open");
    await using _second = await startServing(answer, first.port);
    await eventually(() => calling.probe().then(() => true));
    expect(calling.breaker.state()).toBe("closed");
    expect(await calling.call()).toEqual(['{"id":"7"}', undefined]);
  },
  limitMs,
);

test(
  "a thousand held calls keep no other waiting",
  async () => {
    const opened = Promise.withResolvers<void>();
    let held = 0;
    await using server = await startServing(async () => {
      held += 1;
      if (held <= 1000) await opened.promise;
      return { json: '{"id":"7"}' };
    });
    using calling = startCalling(server.url);
    const waits = Array.from({ length: 1000 }, () => calling.call(limitMs));
    await eventually(() => held === 1000, { timeoutMs: limitMs });
    expect(await calling.call()).toEqual(['{"id":"7"}', undefined]);
    opened.resolve();
    expect(await Promise.all(waits)).toEqual(Array(1000).fill(['{"id":"7"}', undefined]));
  },
  2 * limitMs,
);
