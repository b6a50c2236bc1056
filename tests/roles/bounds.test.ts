/** As many as there is room for wait at once; whoever comes then is refused, and told when to come back. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { readConfig } from "../../src/config.ts";
import { createGateway, startGateway } from "../../src/gateway.ts";
import type { HttpHandler } from "../../src/http/listen.ts";
import { createBreaker } from "../../src/limits/breaker.ts";
import { systemClock } from "../../src/limits/clock.ts";
import { type Answer, createCalls, type RpcHandlers } from "../../src/rpc/call.ts";
import { createTaskServiceClient } from "../../src/rpc/client.ts";
import { createConnectTransport } from "../../src/rpc/connect/client.ts";
import { createConnectHandler } from "../../src/rpc/connect/server.ts";
import { rpcSchemas } from "../../src/rpc/methods.ts";
import { startTelemetry, type Telemetry } from "../../src/telemetry/telemetry.ts";
import { eventually } from "../support/eventually.ts";
import { startHeldServer } from "../support/held-server.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startStoreThread } from "../support/sqlite-store.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;
const peer = { address: "127.0.0.1" };
const healthy = { status: "healthy" as const, checks: {}, uptime_seconds: 0 };

const task = {
  id: "01920000-0000-7000-8000-000000000000",
  type: "echo",
  status: "TASK_STATUS_SUCCEEDED",
  createdAt: "2026-01-01T00:00:00Z",
  runAt: "2026-01-01T00:00:00Z",
};

function testTelemetry(): Telemetry {
  return startTelemetry("test", readConfig({ handlers: "" }, {}).config, () => {});
}

/** The gateway's routes in front of the task service at `url`; the breaker stays out of the way. */
function gatewayOf(url: string): HttpHandler {
  const telemetry = testTelemetry();
  const breaker = createBreaker({ name: "task-service", side: "the task service" });
  return createGateway({
    taskService: createTaskServiceClient({
      url,
      transport: createConnectTransport(url),
      tracer: telemetry.tracer,
      breaker,
    }),
    telemetry,
    processState: {
      isReady: async () => true,
      health: async () => healthy,
    },
    trustTraceContext: true,
    apiKeys: () => undefined,
    rateLimit: undefined,
    corsOrigins: [],
    clock: systemClock,
    draining: new AbortController().signal,
  });
}

/** As many requests at once, and what they are answered with. */
function askMany(handler: HttpHandler, count: number, url: string, init?: RequestInit): Promise<Response>[] {
  return Array.from({ length: count }, async () => handler(new Request(url, init), peer));
}

async function statusesOf(answers: readonly Promise<Response>[]): Promise<Set<number>> {
  return new Set((await Promise.all(answers)).map(({ status }) => status));
}

async function seenOf(answer: Promise<Response> | undefined): Promise<unknown> {
  const response = await answer;
  const { code, message, detail } = (await response?.json()) ?? {};
  return [response?.status, response?.headers.get("retry-after"), code, detail ?? message];
}

describe("the gateway", () => {
  const asking = `http://gateway/v1/tasks/${task.id}`;

  test(
    "has 1024 requests in progress to the task service, and refuses the next, but no request that waits",
    async () => {
      await using service = startHeldServer(() => Response.json({ task }));
      const gateway = gatewayOf(service.url);
      const inProgress = askMany(gateway, 1024, asking);
      await eventually(() => service.asked() > 0);
      const [refused] = askMany(gateway, 1, asking);
      const full = [429, "1", "resource_exhausted", "there are 1024 requests in progress already"];
      expect(await seenOf(refused)).toEqual(full);
      const waits = askMany(gateway, 2, `${asking}?wait=50s`);
      service.open();
      expect(await statusesOf([...waits, ...inProgress])).toEqual(new Set([200]));
      expect(await statusesOf(askMany(gateway, 1, asking))).toEqual(new Set([200]));
    },
    limitMs,
  );

  test(
    "has 4096 requests waiting for the end of a task, and refuses the next of them, but no other",
    async () => {
      await using service = startHeldServer(() => Response.json({ task }));
      const gateway = gatewayOf(service.url);
      const waits = askMany(gateway, 4096, `${asking}?wait=50s`);
      await eventually(() => service.asked() === 4096, { timeoutMs: limitMs });
      const [refused] = askMany(gateway, 1, `${asking}?wait=50s`);
      const full = [429, "1", "resource_exhausted", "there are 4096 requests that wait for a task already"];
      expect(await seenOf(refused)).toEqual(full);
      const others = askMany(gateway, 2, asking);
      await eventually(() => service.asked() === 4098);
      service.open();
      expect(await statusesOf([...others, ...waits])).toEqual(new Set([200]));
    },
    2 * limitMs,
  );
});

describe("the calls of a gateway", () => {
  test(
    "take half of what `fetch` has under way in a process: others are still asked, and the rest have their turn",
    async () => {
      await using service = startHeldServer(() => Response.json({ task }));
      await using other = startHeldServer(() => new Response("here"));
      other.open();
      let ended = 0;
      const asked = askMany(gatewayOf(service.url), 900, `http://gateway/v1/tasks/${task.id}`);
      const answers = asked.map(async (answer) => {
        const response = await answer;
        ended += 1;
        return response;
      });
      await eventually(() => service.asked() >= 128);
      // With every place taken this would be answered only when calls have reached their deadline.
      expect(await (await fetch(other.url)).text()).toBe("here");
      expect([service.asked(), ended]).toEqual([128, 0]);
      service.open();
      expect(await statusesOf(answers)).toEqual(new Set([200]));
      expect(service.asked()).toBe(900);
    },
    limitMs,
  );
});

describe("a gateway in the process of its task service", () => {
  test(
    "has 48 calls under way, and the rest have their turn",
    async () => {
      await using service = startHeldServer(() => Response.json({ task }));
      const words = { handlers: "", gatewayListen: "127.0.0.1:0", taskServiceUrl: service.url };
      const { config } = readConfig(words, {});
      const processState = { isReady: async () => true, health: async () => healthy };
      const breaker = createBreaker({ name: "task-service", side: "the task service" });
      const gateway = await startGateway(config, testTelemetry(), { processState, breaker });
      const { gateway_url: url } = gateway.addresses;
      const answers = Array.from({ length: 60 }, () => fetch(`${url}/v1/tasks/${task.id}`));
      await eventually(() => service.asked() >= 48);
      // A gateway that had no such bound would have asked them all by now.
      await Bun.sleep(100);
      expect(service.asked()).toBe(48);
      service.open();
      expect(await statusesOf(answers)).toEqual(new Set([200]));
      await gateway.drain();
    },
    limitMs,
  );
});

describe("the RPC server", () => {
  test(
    "has 5120 calls in progress, and refuses the next as the protocol says",
    async () => {
      const held = Promise.withResolvers<void>();
      let asked = 0;
      const answer = async (): Promise<Answer> => {
        asked += 1;
        await held.promise;
        return { json: "{}" };
      };
      // Every method has the same answer.
      const handlers: Partial<RpcHandlers> = Object.fromEntries(
        Object.keys(rpcSchemas).map((method) => [method, answer]),
      );
      const { tracer, log } = testTelemetry();
      const answerCall = createCalls(handlers as RpcHandlers, { tracer, log, newCorrelationId: () => "c-1" });
      const handler = createConnectHandler(answerCall, () => ({ host: "127.0.0.1", port: 1 }));
      const url = "http://task-service/tasks.TaskService/GetTask";
      const init = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
      const inProgress = askMany(handler, 5120, url, init);
      await eventually(() => asked === 5120);
      const [refused] = askMany(handler, 1, url, init);
      expect(await seenOf(refused)).toEqual([
        429,
        "1",
        "resource_exhausted",
        "there are 5120 calls in progress already",
      ]);
      held.resolve();
      expect(await statusesOf(inProgress)).toEqual(new Set([200]));
      expect(await statusesOf(askMany(handler, 1, url, init))).toEqual(new Set([200]));
    },
    limitMs,
  );
});

describe("the line to the store", () => {
  test(
    "has 10,000 calls without an answer, and refuses the next",
    async () => {
      await using folder = await tempFolder();
      await using thread = await startStoreThread(folder.path);
      const store = await thread.connect();
      // None can be answered before this turn of the event loop is over.
      const waiting = Array.from({ length: 10_000 }, () => store.get(task.id, ROOT_CONTEXT));
      expect(await rejectionOf(store.get(task.id, ROOT_CONTEXT))).toMatchObject({
        code: "resource_exhausted",
        message: "there are 10000 calls that wait for the store already",
        retryAfterMs: 1000,
      });
      expect(new Set(await Promise.all(waiting))).toEqual(new Set([undefined]));
      expect(await store.get(task.id, ROOT_CONTEXT)).toBeUndefined();
    },
    limitMs,
  );
});
