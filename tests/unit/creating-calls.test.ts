/** How calls that create tasks travel together, asked of task services of this build and of an older one. */

import { describe, expect, test } from "bun:test";
import { propagation, ROOT_CONTEXT, SpanStatusCode } from "@opentelemetry/api";
import { createBreaker } from "../../src/limits/breaker.ts";
import { createTaskServiceClient } from "../../src/rpc/client.ts";
import { createConnectTransport } from "../../src/rpc/connect/client.ts";
import type { RpcAnswer } from "../../src/rpc/transport.ts";
import { JsonText } from "../../src/words/json-text.ts";
import { eventually } from "../support/eventually.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestTracing } from "../support/test-tracing.ts";

const limitMs = 30_000;

interface Sent {
  method: string;
  body: { type?: string; tasks?: { type: string }[]; contexts?: Record<string, string>[] };
  headers: Headers;
  answer(response: Response): void;
}

/** A server of this test: each call is answered when, and as, the test says. */
function startService() {
  const sent: Sent[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const { promise, resolve } = Promise.withResolvers<Response>();
      const method = new URL(request.url).pathname.split("/").at(-1) ?? "";
      sent.push({ method, body: JSON.parse(await request.text()), headers: request.headers, answer: resolve });
      return promise;
    },
  });
  const nth = (n: number): Promise<Sent> => eventually(() => sent[n], { timeoutMs: limitMs });
  return { url: server.url.origin, sent, nth, [Symbol.asyncDispose]: () => server.stop(true) };
}

function startCalling(url: string) {
  const tracing = startTestTracing();
  const breaker = createBreaker({ name: "task-service", side: "the task service" });
  const transport = createConnectTransport(url);
  const client = createTaskServiceClient({ url, transport, tracer: tracing.tracer, breaker });
  const create = (type: string, options: { timeoutMs?: number; signal?: AbortSignal; payload?: string } = {}) => {
    const { payload = "null", ...others } = options;
    const context = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage({ of: { value: type } }));
    const ids = { correlationId: `c-${type}`, requestId: `r-${type}` };
    const request = { type, payload: new JsonText(payload) };
    const answer = client.call("CreateTask", request, context, { timeoutMs: limitMs, ...ids, ...others });
    // Some are still under way when their test ends.
    answer.catch(() => {});
    return answer;
  };
  return { ...tracing, breaker, create };
}

function taskOf(type: string): Response {
  const headers = { "content-type": "application/json", "throughline-id": type, "throughline-contexts": "true" };
  return new Response(recordOf(type), { headers });
}

function recordOf(type: string): string {
  return `{"id":"${type}","payload":{"of":1e400,"text":"\\"}]{\\\\"},"attempts":[]}`;
}

function seenIn({ json, metadata }: RpcAnswer): unknown {
  return [json, metadata("throughline-id"), metadata("idempotent-replayed")];
}

/** One call that was answered, and two that are under way. */
async function startBusy(service: ReturnType<typeof startService>, calling: ReturnType<typeof startCalling>) {
  const first = calling.create("first");
  (await service.nth(0)).answer(taskOf("first"));
  await first;
  void calling.create("busy-1");
  void calling.create("busy-2");
  await service.nth(2);
}

describe("calls that create tasks", () => {
  test("leave alone while fewer than two are under way, and what waits leaves together, each with its own answer", async () => {
    await using service = startService();
    const calling = startCalling(service.url);
    await startBusy(service, calling);
    const types = ["done", "replayed", "refused", "missing"];
    const [done, replayed, refused, missing] = [
      calling.create("done"),
      calling.create("replayed"),
      calling.create("refused"),
      calling.create("missing"),
    ];
    (await service.nth(1)).answer(taskOf("busy-1"));
    const carrying = await service.nth(3);
    expect([carrying.method, carrying.body.tasks?.map(({ type }) => type)]).toEqual(["CreateTasks", types]);
    expect([carrying.headers.get("traceparent"), carrying.headers.get("x-correlation-id")]).toEqual([null, null]);
    const refusal = { code: "already_exists", message: "of another", problems: [{ pointer: "/a", detail: "b" }] };
    const results = [
      `{"task":${recordOf("done")},"replayed":false}`,
      ` { "replayed" : true , "task" : ${recordOf("replayed")} } `,
      JSON.stringify({ refusal: { ...refusal, retry_after: "1.5s" } }),
    ];
    const headers = { "content-type": "application/json" };
    carrying.answer(new Response(`{"results":[${results.join(",")}]}`, { headers }));
    expect([await done, await replayed].map(seenIn)).toEqual([
      [recordOf("done"), "done", undefined],
      [recordOf("replayed"), "replayed", "true"],
    ]);
    const error = { code: "idempotency_mismatch", message: "of another", problems: refusal.problems };
    expect(await rejectionOf(refused)).toMatchObject({ ...error, retryAfterMs: 1500, isRemote: true });
    expect(await rejectionOf(missing)).toMatchObject({ code: "internal" });
    const spans = calling.spans().filter(({ attributes }) => attributes["server.port"]);
    expect(new Set(spans.map(({ name }) => name))).toEqual(new Set(["tasks.TaskService/CreateTask"]));
    const statuses = spans.map(({ attributes, status }) => [attributes["rpc.status_code"], status.code]);
    const { UNSET, ERROR } = SpanStatusCode;
    expect(statuses.filter(([code]) => code === "ok")).toEqual(Array(4).fill(["ok", UNSET]));
    expect(statuses.filter(([code]) => code !== "ok").sort()).toEqual([
      ["already_exists", ERROR],
      ["internal", ERROR],
    ]);
    const contexts = carrying.body.contexts ?? [];
    expect(contexts.map(({ traceparent, ...others }) => others)).toEqual(
      types.map((type) => ({ baggage: `of=${type}`, correlation_id: `c-${type}`, request_id: `r-${type}` })),
    );
    const ids = spans.map((span) => span.spanContext()).map(({ traceId, spanId }) => `${traceId}-${spanId}`);
    for (const { traceparent = "" } of contexts) expect(ids).toContain(traceparent.slice(3, -3));
    expect(new Set(contexts.map(({ traceparent }) => traceparent)).size).toBe(4);
  });

  test("leave by 64, and by half a MiB", async () => {
    await using service = startService();
    const calling = startCalling(service.url);
    await startBusy(service, calling);
    const payload = `"${"x".repeat(255 * 1024)}"`;
    const large = Array.from({ length: 4 }, (_, n) => calling.create(`large-${n}`, { payload }));
    const small = Array.from({ length: 200 }, (_, n) => calling.create(`small-${n}`));
    const carried: string[][] = [];
    for (let n = 1; carried.flat().length < 204; n++) {
      const { body, answer } = await service.nth(n);
      const types = body.tasks?.map(({ type }) => type);
      if (types) carried.push(types);
      answer(types ? Response.json({ results: types.map((id) => ({ task: { id } })) }) : taskOf("alone"));
    }
    const answers = await Promise.all([...large, ...small]);
    expect(answers.map(({ metadata }) => metadata("throughline-id")).sort()).toEqual(carried.flat().sort());
    expect(carried.map((types) => types.filter((type) => type.startsWith("large")).length).sort()).toEqual([
      0, 0, 0, 2, 2,
    ]);
    expect(Math.max(...carried.map((types) => types.length))).toBe(64);
  });

  test("give their places up when their callers leave or their time is over", async () => {
    await using service = startService();
    const calling = startCalling(service.url);
    await startBusy(service, calling);
    const left = new AbortController();
    const gone = calling.create("gone", { signal: left.signal });
    const late = calling.create("late", { timeoutMs: 20 });
    const patient = calling.create("patient");
    left.abort();
    expect(await rejectionOf(gone)).toMatchObject({ code: "canceled" });
    expect(await rejectionOf(late)).toMatchObject({
      code: "deadline_exceeded",
      message: "tasks.TaskService/CreateTask took too long",
    });
    (await service.nth(1)).answer(taskOf("busy-1"));
    const next = await service.nth(3);
    expect([next.method, next.body.type]).toEqual(["CreateTask", "patient"]);
    next.answer(taskOf("patient"));
    expect((await patient).metadata("throughline-id")).toBe("patient");
  });

  test("do not wait for others that hang", async () => {
    await using service = startService();
    const calling = startCalling(service.url);
    await startBusy(service, calling);
    const next = calling.create("next");
    (await service.nth(3)).answer(taskOf("next"));
    expect((await next).metadata("throughline-id")).toBe("next");
  });

  test("fail together when the call that carries them does, which counts as one failure", async () => {
    await using service = startService();
    const calling = startCalling(service.url);
    await startBusy(service, calling);
    const carried = Array.from({ length: 10 }, (_, n) => rejectionOf(calling.create(`carried-${n}`)));
    (await service.nth(1)).answer(taskOf("busy-1"));
    (await service.nth(3)).answer(new Response("<h1>Bad Gateway</h1>", { status: 502 }));
    for (const error of await Promise.all(carried)) {
      expect(error).toMatchObject({ code: "unavailable", message: "the task service answered 502" });
    }
    expect(calling.breaker.state()).toBe("closed");
  });
});

describe("a task service of an older build", () => {
  test("is called for each task", async () => {
    await using service = startService();
    const calling = startCalling(service.url);
    const calls = Array.from({ length: 10 }, (_, n) => calling.create(`task-${n}`));
    for (let n = 0; n < 10; n++) {
      const { method, body, answer } = await service.nth(n);
      expect(method).toBe("CreateTask");
      answer(new Response(recordOf(body.type ?? ""), { headers: { "content-type": "application/json" } }));
    }
    expect((await Promise.all(calls)).length).toBe(10);
  });

  test("that takes the place of a newer one refuses the call as a whole, and gets each task alone", async () => {
    await using service = startService();
    const calling = startCalling(service.url);
    await startBusy(service, calling);
    const carried = Array.from({ length: 5 }, (_, n) => calling.create(`carried-${n}`));
    (await service.nth(1)).answer(taskOf("busy-1"));
    const body = { code: "invalid_argument", message: "/contexts: unknown field" };
    (await service.nth(3)).answer(Response.json(body, { status: 400 }));
    for (let n = 4; n < 9; n++) {
      const { method, body, answer } = await service.nth(n);
      expect(method).toBe("CreateTask");
      answer(new Response(recordOf(body.type ?? ""), { headers: { "content-type": "application/json" } }));
    }
    expect((await Promise.all(carried)).map(({ json }) => JSON.parse(json).id)).toEqual(
      Array.from({ length: 5 }, (_, n) => `carried-${n}`),
    );
  });
});
