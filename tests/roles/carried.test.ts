/**
 * Tasks that come in one call, because their callers came at once: each has its own fate, its own trace and ids, and nothing
 * shows that it did not come alone. The gateway's calls pass a proxy that tells which they were.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { replayedHeader } from "../../src/rpc/wire.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { freePort } from "../parts/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { type ObservedSystem, spansIn, startObservedSystem } from "../support/observed-system.ts";
import { type RecordingProxy, startRecordingProxy } from "../support/recording-proxy.ts";
import { type HttpTask, startTestSystem } from "../support/system.ts";

const limitMs = 120_000;
const handlers = join(projectFolder, "tests/fixtures/schema-handlers");

let proxy: RecordingProxy;
let running: ObservedSystem;
beforeAll(async () => {
  const port = await freePort();
  proxy = await startRecordingProxy(`http://127.0.0.1:${port}`);
  const taskServiceListen = `127.0.0.1:${port}`;
  running = await startObservedSystem({ handlers, taskServiceListen, taskServiceUrl: proxy.url });
}, limitMs);
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
}, limitMs);

function callsOf(method: string): number {
  return proxy.asked.filter((asked) => asked.endsWith(`/${method}`)).length;
}

function hex(length: number): string {
  return crypto.getRandomValues(new Uint8Array(length / 2)).toHex();
}

/** What a caller sends beside a task: all of it its own. */
function newCaller() {
  const traceId = hex(32);
  const [name, spanId] = [newTaskId(), hex(16)];
  const context = {
    traceparent: `00-${traceId}-${spanId}-01`,
    tracestate: `vendor=${name}`,
    baggage: `caller=${name}`,
  };
  return { name, traceId, context, headers: { ...context, "x-correlation-id": name, "x-request-id": name } };
}

interface CarriedResult {
  task?: HttpTask;
  replayed?: boolean;
  refusal?: { code: string; problems?: { pointer: string }[] };
}

describe("a call that carries others", () => {
  const entry = fc.oneof(
    fc.record({ kind: fc.constant("fits"), payload: fc.integer() }),
    fc.record({
      kind: fc.constant("keyed"),
      key: fc.integer({ min: 0, max: 2 }),
      payload: fc.integer({ min: 0, max: 1 }),
    }),
    fc.record({ kind: fc.constantFrom("unknown type", "malformed", "no object", "misfit", "too large") }),
  );

  function toTask({ kind, key, payload }: { kind: string; key?: number; payload?: number }, run: string): unknown {
    if (kind === "unknown type") return { type: "send-fax" };
    if (kind === "malformed") return { type: "echo", max_attempts: 1000 };
    if (kind === "no object") return 7;
    if (kind === "misfit") return { type: "order", payload: { items: [] } };
    if (kind === "too large") return { type: "echo", payload: "x".repeat(1024 * 1024) };
    return { type: "echo", payload, ...(key !== undefined && { idempotency_key: `${run}-${key}` }) };
  }

  async function carry(tasks: unknown[], contexts: object[]): Promise<CarriedResult[]> {
    const url = `${running.system.addresses.task_service_url}/tasks.TaskService/CreateTasks`;
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ tasks, contexts }) });
    expect(answer.status).toBe(200);
    return (await answer.json()).results;
  }

  test(
    "gives each its own fate, in its place",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 12 }), async (entries) => {
          const run = newTaskId();
          const callers = entries.map(newCaller);
          const contexts = callers.map(({ context, name }) => ({ ...context, correlation_id: name, request_id: name }));
          const tasks = entries.map((one) => toTask(one, run));
          const results = await carry(tasks, contexts);
          const first = new Map<number, { payload: number; at: number }>();
          const expected = entries.map((one, at) => {
            const own = { trace_id: callers[at]?.traceId, correlation_id: callers[at]?.name };
            if (one.kind === "fits") return { task: { ...own, payload: one.payload }, replayed: false };
            if (!("key" in one))
              return { refusal: { code: one.kind === "too large" ? "out_of_range" : "invalid_argument" } };
            const earlier = first.get(one.key);
            if (!earlier) {
              first.set(one.key, { payload: one.payload, at });
              return { task: { ...own, payload: one.payload }, replayed: false };
            }
            if (earlier.payload !== one.payload) return { refusal: { code: "already_exists" } };
            return { task: { id: results[earlier.at]?.task?.id }, replayed: true };
          });
          expect(results).toMatchObject(expected);
          expect(new Set(results.flatMap(({ task, replayed }) => (replayed ? [] : (task?.id ?? [])))).size).toBe(
            results.filter(({ task, replayed }) => task && !replayed).length,
          );
        }),
        { numRuns: 15 },
      );
    },
    limitMs,
  );

  test("is refused as a whole when it has not a context for each", async () => {
    const url = `${running.system.addresses.task_service_url}/tasks.TaskService/CreateTasks`;
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ tasks: [{ type: "echo" }, { type: "echo" }], contexts: [{}] });
    const answer = await fetch(url, { method: "POST", headers, body });
    expect([answer.status, (await answer.json()).code]).toEqual([400, "invalid_argument"]);
  });
});

type Shape = readonly { way: string; attributes: Record<string, unknown> }[];

/** Attributes that are measured, or of where a task came to run: two tasks that come alone may have the same by chance. */
const ofNoTask = new Set(["messaging.batch.message_count", "thread.id", "thread.name", "throughline.queue_wait_ms"]);

/** What a trace is but for ids and times: its spans, each with the way to it, and their attributes. */
async function shapeOf(traceId: string): Promise<Shape> {
  const whole = await eventually(
    () => {
      const spans = spansIn(running.received, traceId);
      const isOver = spans.some(({ name, kind }) => name.startsWith("process") && kind === "CONSUMER");
      return isOver && spans.some(({ kind, name }) => kind === "SERVER" && name.startsWith("POST")) && spans;
    },
    { timeoutMs: limitMs },
  );
  const byId = new Map(whole.map((span) => [span.spanId, span]));
  const wayTo = (id: string | undefined): string => {
    const span = byId.get(id ?? "");
    return span ? `${wayTo(span.parentSpanId)} > ${span.service} ${span.kind} ${span.name}` : "";
  };
  const shapes = whole.map((span) => ({ way: wayTo(span.spanId), attributes: span.attributes }));
  return shapes.toSorted((a, b) => (a.way < b.way ? -1 : 1));
}

async function submitAs(
  caller: ReturnType<typeof newCaller>,
  body: object,
): Promise<{ answer: Response; task: HttpTask }> {
  const answer = await running.submit(body, caller.headers);
  return { answer, task: await answer.json() };
}

describe("a hundred callers at once", () => {
  test(
    "have each a trace of the same shape as one that comes alone, and all that is their own",
    async () => {
      const alone = [newCaller(), newCaller()];
      for (const caller of alone) await running.task((await submitAs(caller, { type: "echo" })).task.id, "20s");
      const callers = Array.from({ length: 100 }, newCaller);
      const carriedBefore = callsOf("CreateTasks");
      const answers = await Promise.all(callers.map((caller) => submitAs(caller, { type: "echo" })));
      expect(callsOf("CreateTasks")).toBeGreaterThan(carriedBefore);
      for (const [at, { answer, task }] of answers.entries()) {
        const { name, traceId, context } = callers[at] ?? newCaller();
        expect([answer.status, answer.headers.get("x-request-id"), answer.headers.get(replayedHeader)]).toEqual([
          202,
          name,
          null,
        ]);
        expect(answer.headers.get("location")).toBe(`/v1/tasks/${task.id}`);
        expect([task.trace_id, task.correlation_id]).toEqual([traceId, name]);
        const [row] = running.rows(`SELECT origin FROM tasks WHERE id = '${task.id}'`);
        const origin = JSON.parse(String(row?.origin));
        expect([origin.baggage, origin.tracestate]).toEqual([context.baggage, context.tracestate]);
        await running.task(task.id, "20s");
      }
      const [one = [], other = []] = await Promise.all(alone.map(({ traceId }) => shapeOf(traceId)));
      expect(one.map(({ way }) => way)).toEqual(other.map(({ way }) => way));
      expect(one.length).toBeGreaterThan(8);
      const plain = (shape: Shape) =>
        shape.map(({ way, attributes }, at) => {
          const isOwn = (name: string): boolean =>
            ofNoTask.has(name) || one[at]?.attributes[name] !== other[at]?.attributes[name];
          const entries = Object.entries(attributes).map(([name, value]) => (isOwn(name) ? [name] : [name, value]));
          return { way, entries: entries.sort() };
        });
      for (const { traceId } of callers) expect(plain(await shapeOf(traceId))).toEqual(plain(one));
      const carrying = running.received.spans.filter(({ name }) => name === "tasks.TaskService/CreateTasks");
      expect(carrying.filter(({ attributes }) => attributes["rpc.status_code"] === "ok")).toEqual([]);
    },
    limitMs,
  );

  test(
    "get their own payloads back, of which some are large",
    async () => {
      const payloads = Array.from({ length: 60 }, (_, n) => (n % 15 === 0 ? `${n} ${"ü".repeat(127 * 1024)}` : `${n}`));
      const answers = await Promise.all(payloads.map((payload) => running.accept({ type: "echo", payload })));
      expect(answers.map(({ payload }) => payload)).toEqual(payloads);
    },
    limitMs,
  );

  test(
    "get each its own task by gRPC, too",
    async () => {
      await using system = await startTestSystem({ rpc: "grpc" });
      const callers = Array.from({ length: 60 }, newCaller);
      const tasks = await Promise.all(
        callers.map(({ name, headers }) => system.accept({ type: "echo", payload: name }, headers)),
      );
      const seen = tasks.map(({ payload, trace_id, correlation_id }) => [payload, trace_id, correlation_id]);
      expect(seen).toEqual(callers.map(({ name, traceId }) => [name, traceId, name]));
      expect(new Set(tasks.map(({ id }) => id)).size).toBe(60);
    },
    limitMs,
  );

  test(
    "get an answer to every task that was made, when the system drains meanwhile",
    async () => {
      const correlationId = newTaskId();
      const asked = Array.from({ length: 200 }, () =>
        running.submit({ type: "echo" }, { "x-correlation-id": correlationId }).then(
          async (answer) => (answer.status === 202 ? [(await answer.json()).id] : []),
          // The port is closed.
          () => [],
        ),
      );
      await Promise.race(asked);
      await running.stop();
      const accepted = (await Promise.all(asked)).flat();
      const made = running.rows(`SELECT id FROM tasks WHERE correlation_id = '${correlationId}'`);
      expect(made.map(({ id }) => id).sort()).toEqual(accepted.sort());
    },
    limitMs,
  );
});
