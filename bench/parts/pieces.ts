/** The pieces of a task's path, each alone in this process: what a task costs there in CPU, all its threads together. */

import { type Context, ROOT_CONTEXT, SpanKind, type Tracer, trace } from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { type Config, readConfig, withOtlpEndpoint } from "../../src/config.ts";
import { listen } from "../../src/http/listen.ts";
import { createBreaker } from "../../src/limits/breaker.ts";
import { openQueues } from "../../src/queue/sqs.ts";
import { createCalls, type RpcHandlers } from "../../src/rpc/call.ts";
import { createTaskServiceClient } from "../../src/rpc/client.ts";
import { createConnectTransport } from "../../src/rpc/connect/client.ts";
import { createConnectHandler } from "../../src/rpc/connect/server.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { onlyValue } from "../../src/words/entry-result.ts";
import { openSqliteStore } from "../../tests/support/sqlite-store.ts";
import { actorAt, newTask } from "../../tests/support/stored-tasks.ts";
import { startTestPool } from "../../tests/support/test-pool.ts";
import { startEmbeddedBroker, startOtlpSink } from "../contestants.ts";
import type { Part } from "../section.ts";
import { summary } from "../statistics.ts";

/** So many calls are under way at once, as with as many callers. */
const lanes = 32;

/** Entries of a call to the store: alone, and what a receive brings. */
const batchSizes = [1, 10];

const spansOfTask = 9;
const attributesOfSpan = 8;
/** Of one export: OpenTelemetry's default. */
const spansOfExport = 512;

/** CPU microseconds of a task, for each round. */
type Costs = Map<string, number[]>;

export const pieces: Part = {
  name: "pieces",
  run: async ({ plan, say }) => {
    const costs: Costs = new Map();
    for (let round = 0; round <= plan.rounds; round++) {
      // The first one warms up.
      const counted = round === 0 ? new Map<string, number[]>() : costs;
      say(round === 0 ? "warms up" : `round ${round}`);
      await measureCall(counted, plan.accepts);
      for (const size of batchSizes) await measureStore(counted, plan.accepts, size);
      await measureQueue(counted, plan.accepts);
      await measureHandOver(counted, plan.accepts);
      await measureSpans(counted, plan.accepts);
      await measureEncoding(counted, plan.accepts);
    }
    const rows = [...costs].map(([name, micros]) => [name, summary(micros)]);
    return {
      title: "The pieces of the path",
      how: `Each piece alone, ${plan.accepts} calls a round with ${lanes} under way at once; CPU of the measuring process with all its threads, for a task of those that a call takes. The broker and the receiver of spans are processes of their own, and not among it.`,
      tables: [{ columns: ["piece", "CPU µs a task"], rows }],
      targets: [],
    };
  },
};

/** Calls `call` with the first of each `size` of `tasks` numbers, and notes what one number has cost. */
async function cost(
  costs: Costs,
  name: string,
  tasks: number,
  call: (first: number) => Promise<unknown>,
  size = 1,
): Promise<void> {
  const before = process.cpuUsage();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < tasks) {
      const first = next;
      next += size;
      await call(first);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const { user, system } = process.cpuUsage(before);
  costs.set(name, [...(costs.get(name) ?? []), (user + system) / tasks]);
}

/** Both sides of a call that is answered at once. */
async function measureCall(costs: Costs, calls: number): Promise<void> {
  const { config } = readConfig({ handlers: "" }, {});
  const { tracer, log } = startTelemetry("bench", config, () => {});
  // Nothing else is asked here.
  const handlers = { GetTask: async () => ({}) } as unknown as RpcHandlers;
  const answerCall = createCalls(handlers, { tracer, log, newCorrelationId: () => "c-1" });
  const server = await listen(
    { host: "127.0.0.1", port: 0 },
    createConnectHandler(answerCall, () => server),
  );
  const breaker = createBreaker({ name: "bench", side: "the bench" });
  const client = createTaskServiceClient({
    url: server.url,
    transport: createConnectTransport(server.url),
    tracer,
    breaker,
  });
  await cost(costs, "RPC: a call, both sides", calls, () =>
    client.call("GetTask", { id: "t-1" }, ROOT_CONTEXT, { timeoutMs: 10_000, correlationId: "c-1", requestId: "r-1" }),
  );
  client.close();
  await server.stop();
}

/** Each task's way through the store, with `size` of them in a call. */
async function measureStore(costs: Costs, calls: number, size: number): Promise<void> {
  await using opened = await openSqliteStore();
  const { store } = opened;
  const atMs = Date.now();
  const [actor, leaseMs, worker, context] = [actorAt(atMs), 30_000, "bench", ROOT_CONTEXT];
  const tasks = Array.from({ length: calls }, () => newTask({ runAtMs: atMs, sendAtMs: atMs + leaseMs }));
  const claims = new Map<string, number>();
  const name = (what: string): string => `store: ${what}, ${size} in a call`;
  const from = (first: number) => tasks.slice(first, first + size);
  const create = async (first: number): Promise<void> => {
    for (const result of await store.create(from(first).map((task) => ({ task, actor, context })))) onlyValue([result]);
  };
  const claim = async (first: number): Promise<void> => {
    const requests = from(first).map(({ id }) => ({ id, worker, leaseMs, actor, context }));
    for (const [n, result] of (await store.claim(requests)).entries()) {
      const won = onlyValue([result]);
      if (won.kind !== "won") throw new Error(`claiming a task: "${won.kind}"`);
      claims.set(requests[n]?.id ?? "", won.claim);
    }
  };
  const finish = async (first: number): Promise<void> => {
    const ending = { to: "succeeded", result: "null" } as const;
    const requests = from(first).map(({ id }) => ({ id, claim: claims.get(id) ?? 0, ending, actor, context }));
    for (const result of await store.finish(requests)) {
      const state = onlyValue([result]);
      if (state !== "succeeded") throw new Error(`finishing a task: "${state}"`);
    }
  };
  await cost(costs, name("create"), calls, create, size);
  await cost(costs, name("claim"), calls, claim, size);
  await cost(costs, name("outcome"), calls, finish, size);
}

/** Messages of an SQS batch. */
const mostInBatch = 10;

async function measureQueue(costs: Costs, calls: number): Promise<void> {
  await using broker = await startEmbeddedBroker();
  const config: Config = { ...readConfig({ handlers: "" }, {}).config, queueEndpoint: broker.url };
  const queues = await openQueues(config, trace.getTracer("bench"));
  const { tasks } = queues;
  const { signal } = new AbortController();
  let received = 0;
  const send = async (first: number): Promise<void> => {
    const sendings = Array.from({ length: Math.min(mostInBatch, calls - first) }, (_, n) => ({
      message: { body: `{"n":${first + n}}`, attributes: {}, correlationId: "c-1" },
      context: ROOT_CONTEXT,
    }));
    for (const result of await tasks.send(sendings)) onlyValue([result]);
  };
  const receive = async (): Promise<void> => {
    for (let got = 0; got < mostInBatch && received < calls; ) {
      const messages = await tasks.receive({ max: mostInBatch, waitMs: 1000, visibilityMs: 30_000, signal });
      got += messages.length;
      received += messages.length;
      for (const result of await tasks.settle(messages.map((message) => ({ message, hideMs: null }))))
        onlyValue([result]);
    }
  };
  try {
    await cost(costs, `queue: send, ${mostInBatch} in a call`, calls, send, mostInBatch);
    await cost(costs, `queue: receive and delete, ${mostInBatch} in a call`, calls, receive, mostInBatch);
    if (received !== calls) throw new Error(`of ${calls} messages ${received} were received`);
  } finally {
    queues.close();
  }
}

async function measureHandOver(costs: Costs, calls: number): Promise<void> {
  await using pool = await startTestPool({ threads: "2" });
  await cost(costs, "to a handler's thread, and back", calls, async () => {
    const outcome = await pool.run({ type: "echo", payload: { n: 1 } }).outcome;
    if (outcome.kind !== "succeeded") throw new Error(`running a task: "${outcome.kind}"`);
  });
}

async function measureSpans(costs: Costs, calls: number): Promise<void> {
  await using sink = await startOtlpSink();
  const { config } = readConfig({ handlers: "" }, {});
  const name = `${spansOfTask} spans of ${attributesOfSpan} attributes`;
  for (const [what, settings] of [
    ["recorded", config],
    ["recorded, encoded and exported", withOtlpEndpoint(config, sink.url)],
  ] as const) {
    const telemetry = startTelemetry("bench", settings, () => {});
    await cost(costs, `${name}, ${what}`, calls, async () => recordTask(telemetry.tracer));
    const before = process.cpuUsage();
    await telemetry.stop();
    const { user, system } = process.cpuUsage(before);
    // What was still on its way belongs to its spans.
    const micros = costs.get(`${name}, ${what}`);
    if (micros) micros.push((micros.pop() ?? 0) + (user + system) / calls);
  }
}

async function measureEncoding(costs: Costs, calls: number): Promise<void> {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracer = provider.getTracer("bench");
  while (exporter.getFinishedSpans().length < spansOfExport) recordTask(tracer);
  const spans = exporter.getFinishedSpans().slice(0, spansOfExport);
  const exports = Math.ceil((calls * spansOfTask) / spansOfExport);
  const encoded: Costs = new Map();
  await cost(encoded, "an export", exports, async () => ProtobufTraceSerializer.serializeRequest(spans));
  const [micros = Number.NaN] = encoded.get("an export") ?? [];
  const name = `OTLP: ${spansOfTask} spans of ${attributesOfSpan} attributes, encoded alone`;
  costs.set(name, [...(costs.get(name) ?? []), (micros / spansOfExport) * spansOfTask]);
}

/** The spans of one task: each below the one before. */
function recordTask(tracer: Tracer): void {
  const attributes = Object.fromEntries(
    Array.from({ length: attributesOfSpan }, (_, n) => [`bench.key_${n}`, `v${n}`]),
  );
  let context: Context = ROOT_CONTEXT;
  const spans = Array.from({ length: spansOfTask }, (_, n) => {
    const span = tracer.startSpan(`span ${n}`, { kind: SpanKind.INTERNAL, attributes }, context);
    context = trace.setSpan(context, span);
    return span;
  });
  for (const span of spans.reverse()) span.end();
}
