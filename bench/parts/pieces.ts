/** The pieces of a task's path, each alone in this process: what one call of it costs in CPU, all its threads together. */

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
import { deleteOne, sendOne } from "../../tests/support/queue-calls.ts";
import { openSqliteStore } from "../../tests/support/sqlite-store.ts";
import { claimOne, createOne, finishOne } from "../../tests/support/store-entries.ts";
import { actorAt, newTask } from "../../tests/support/stored-tasks.ts";
import { startTestPool } from "../../tests/support/test-pool.ts";
import { startEmbeddedBroker, startOtlpSink } from "../contestants.ts";
import type { Part } from "../section.ts";
import { summary } from "../statistics.ts";

/** So many calls are under way at once, as with as many callers. */
const lanes = 32;

const spansOfTask = 9;
const attributesOfSpan = 8;
/** Of one export: OpenTelemetry's default. */
const spansOfExport = 512;

/** CPU microseconds of a call, for each round. */
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
      await measureStore(counted, plan.accepts);
      await measureQueue(counted, plan.accepts);
      await measureHandOver(counted, plan.accepts);
      await measureSpans(counted, plan.accepts);
      await measureEncoding(counted, plan.accepts);
    }
    const rows = [...costs].map(([name, micros]) => [name, summary(micros)]);
    return {
      title: "The pieces of the path",
      how: `Each piece alone, ${plan.accepts} calls a round with ${lanes} under way at once; CPU of the measuring process with all its threads. The broker and the receiver of spans are processes of their own, and not among it.`,
      tables: [{ columns: ["piece", "CPU µs a call"], rows }],
      targets: [],
    };
  },
};

/** Calls `call` with 0 to `calls` - 1, and notes what one has cost. */
async function cost(costs: Costs, name: string, calls: number, call: (n: number) => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < calls) await call(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const { user, system } = process.cpuUsage(before);
  costs.set(name, [...(costs.get(name) ?? []), (user + system) / calls]);
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

async function measureStore(costs: Costs, calls: number): Promise<void> {
  await using opened = await openSqliteStore();
  const { store } = opened;
  const atMs = Date.now();
  const [actor, leaseMs, worker] = [actorAt(atMs), 30_000, "bench"];
  const tasks = Array.from({ length: calls }, () => newTask({ runAtMs: atMs, sendAtMs: atMs + leaseMs }));
  const claims: number[] = [];
  await cost(costs, "store: create", calls, async (n) => {
    const { id, ...rest } = tasks[n] ?? newTask();
    await createOne(store, { id, ...rest }, actor, ROOT_CONTEXT);
  });
  await cost(costs, "store: claim", calls, async (n) => {
    const result = await claimOne(store, { id: tasks[n]?.id ?? "", worker, leaseMs, actor }, ROOT_CONTEXT);
    if (result.kind !== "won") throw new Error(`claiming a task: "${result.kind}"`);
    claims[n] = result.claim;
  });
  await cost(costs, "store: outcome", calls, async (n) => {
    const ending = { to: "succeeded", result: "null" } as const;
    const id = tasks[n]?.id ?? "";
    const state = await finishOne(store, { id, claim: claims[n] ?? 0, ending, actor }, ROOT_CONTEXT);
    if (state !== "succeeded") throw new Error(`finishing a task: "${state}"`);
  });
}

async function measureQueue(costs: Costs, calls: number): Promise<void> {
  await using broker = await startEmbeddedBroker();
  const config: Config = { ...readConfig({ handlers: "" }, {}).config, queueEndpoint: broker.url };
  const queues = await openQueues(config, trace.getTracer("bench"));
  try {
    const { tasks } = queues;
    await cost(costs, "queue: send", calls, (n) =>
      sendOne(tasks, { body: `{"n":${n}}`, attributes: {}, correlationId: "c-1" }),
    );
    let received = 0;
    const { signal } = new AbortController();
    await cost(costs, "queue: receive and delete", calls, async (n) => {
      // One poll for ten, as long as there are any.
      for (let got = 0; n % 10 === 0 && got < 10 && received < calls; ) {
        const messages = await tasks.receive({ max: 10, waitMs: 1000, visibilityMs: 30_000, signal });
        got += messages.length;
        received += messages.length;
        await Promise.all(messages.map((message) => deleteOne(tasks, message)));
      }
    });
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
