/** Handlers on the compiled executable, alone in a folder with them: nothing is installed beside it. */

import { beforeAll, expect, test } from "bun:test";
import { copyFile, cp } from "node:fs/promises";
import { join } from "node:path";
import { listen } from "../../src/http/listen.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { compiledExecutable, projectFolder } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { codeBlocks, readDoc } from "../support/markdown.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { freePorts, type LogLine, startThroughline } from "../support/process.ts";
import { rejectionOf } from "../support/rejection.ts";
import type { HttpTask } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { expectedTree } from "../support/ten-tasks.ts";
import { faultsOf, type TraceNode, toTraceTrees } from "../support/trace-tree.ts";
import {
  commonJsHandlers,
  passedOver,
  plainHandlers,
  projectHandlers,
  resultsOf,
  writtenProject,
} from "../support/written-handlers.ts";

const timeoutMs = 120_000;

interface Run {
  /** Ended. */
  price: HttpTask;
  spin: HttpTask;
  beside: HttpTask[];
  crash: HttpTask;
  /** What the server was sent as `traceparent`. */
  traceparents: (string | null)[];
  spans: ReceivedSpan[];
  logs: LogLine[];
  exitCode: number;
}

let run: Run;
beforeAll(async () => {
  run = await runHandlers();
}, timeoutMs);

async function runHandlers(): Promise<Run> {
  await using stack = new AsyncDisposableStack();
  const spans: ReceivedSpan[] = [];
  const anyPort = { host: "127.0.0.1", port: 0 };
  const receiver = await startReceiver(anyPort, { spans: (more) => spans.push(...more) });
  stack.defer(() => receiver.stop());
  const traceparents: Run["traceparents"] = [];
  const shop = await listen(anyPort, ({ headers }) => {
    traceparents.push(headers.get("traceparent"));
    return Response.json({ cents: 995 });
  });
  stack.defer(() => shop.stop());

  const folder = stack.use(await tempFolder());
  const executable = join(folder.path, "throughline");
  await copyFile(await compiledExecutable(), executable);
  await cp(join(projectFolder, "tests/fixtures/handlers"), join(folder.path, "handlers"), { recursive: true });
  // One task at a time on each thread: what spins has its thread to itself.
  const args = ["--threads=2", "--thread-concurrency=1", ...freePorts];
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
  const options = { cwd: folder.path, command: { executable }, env };
  const process = stack.use(await startThroughline(args, options));
  const api = httpApi(process.addresses.gateway_url);
  const toEnd = async (body: unknown): Promise<HttpTask> => api.ended((await api.submit(body)).id);

  const price = await toEnd({ type: "look-up-price", payload: { url: `${shop.url}/price` } });
  const spinning = toEnd({ type: "spin", timeout: "500ms", max_attempts: 1 });
  const beside = await Promise.all([1, 2, 3, 4].map((payload) => toEnd({ type: "echo", payload })));
  const spin = await spinning;
  const crash = await toEnd({ type: "crash", max_attempts: 1 });
  const exitCode = await process.stop();
  return { price, spin, beside, crash, traceparents, spans, logs: process.logs(), exitCode };
}

test(
  "files as people write them run, and those that are passed over are told",
  async () => {
    const handlers = { ...plainHandlers, ...projectHandlers, ...commonJsHandlers };
    await using project = await writtenProject(handlers);
    await using away = await tempFolder();
    const flags = ["--threads=1", `--handlers=${join(project.path, "handlers")}`, ...freePorts];
    await using running = await startThroughline(flags, { cwd: away.path });
    const api = httpApi(running.addresses.gateway_url);
    const right = resultsOf(handlers);
    const ends = Object.keys(right).map(async (type) => {
      const task = await api.ended((await api.submit({ type, payload: "Ada", max_attempts: 1 })).id);
      return [type, task.status === "succeeded" ? task.result : task.error];
    });
    expect(Object.fromEntries(await Promise.all(ends))).toEqual(right);
    const told = running.logs().filter(({ msg }) => msg === "files in the handlers' folder are not handlers");
    expect(told).toMatchObject([{ files: passedOver, file_count: passedOver.length }]);
  },
  timeoutMs,
);

test(
  "the documentation's handlers run with the packages that they import beside them",
  async () => {
    await using folder = await tempFolder();
    const blocks = codeBlocks(await readDoc("docs/handlers.md"), "ts");
    for (const block of blocks) {
      const [, name = ""] = /^\/\/ (handlers\/[\w.-]+)\n/.exec(block) ?? [];
      await Bun.write(join(folder.path, name), block);
    }
    for (const name of ["valibot", "@valibot", "arktype", "@ark", "arkregex"]) {
      const installed = join(projectFolder, "node_modules", name);
      await cp(installed, join(folder.path, "node_modules", name), { recursive: true, dereference: true });
    }
    await using running = await startThroughline(["--threads=1", ...freePorts], { cwd: folder.path });
    const api = httpApi(running.addresses.gateway_url);
    const end = async (type: string, payload: unknown): Promise<unknown> => {
      return (await api.ended((await api.submit({ type, payload, max_attempts: 1 })).id)).result;
    };
    expect(await end("weigh-parcel", { grams: 1500 })).toEqual({ kilograms: 1.5 });
    expect(await end("book-seat", { row: 7, name: "Ada" })).toEqual({ seat: "Ada in row 7" });
    for (const task of [
      { type: "weigh-parcel", payload: { grams: 0 } },
      { type: "book-seat", payload: { row: 7, name: 7 } },
      { type: "charge-card", payload: { customer: "c-7", cents: 0 } },
    ]) {
      expect(String(await rejectionOf(api.submit(task)))).toMatch(/answered 400: .*"\/payload\//);
    }
  },
  timeoutMs,
);

test("every task ends as its handler made it end", () => {
  const ends = [run.price, run.spin, ...run.beside, run.crash].map(({ type, status, result, attempts }) => {
    return { type, status, result, outcomes: attempts.map(({ outcome }) => outcome) };
  });
  expect(ends).toEqual([
    { type: "look-up-price", status: "succeeded", result: { cents: 995 }, outcomes: ["succeeded"] },
    { type: "spin", status: "dead", result: null, outcomes: ["timed_out"] },
    ...[1, 2, 3, 4].map((result) => ({ type: "echo", status: "succeeded", result, outcomes: ["succeeded"] })),
    { type: "crash", status: "dead", result: null, outcomes: ["crashed"] },
  ]);
  expect(run.exitCode).toBe(0);
});

test("a handler's own span lies below its run, and its call below that", () => {
  const trace = traceOf(run.price);
  expect(faultsOf(trace)).toEqual([]);
  const call: TraceNode = { service: "worker", kind: "CLIENT", name: "GET", children: [] };
  const own: TraceNode = { service: "worker", kind: "INTERNAL", name: "look up price", children: [call] };
  expect(nodesNamed("run look-up-price", toTraceTrees(trace))).toEqual([
    { service: "worker", kind: "INTERNAL", name: "run look-up-price", attempt: 1, children: [own] },
  ]);
});

test("the called server gets the task's trace, with the call's span as its parent", () => {
  const { traceId, spanId } = spanOf(run.price, "GET");
  expect(run.traceparents.map((traceparent) => traceparent?.split("-").slice(0, 3))).toEqual([["00", traceId, spanId]]);
  expect(traceId).toBe(run.price.trace_id);
});

test("the span of a handler's call carries the attributes of its kind", () => {
  const { attributes } = spanOf(run.price, "GET");
  const { host, hostname, port, href } = new URL(String(attributes["url.full"]));
  expect(attributes).toEqual({
    "http.request.method": "GET",
    "http.response.status_code": 200,
    "url.full": href,
    "server.address": hostname,
    "server.port": Number(port),
  });
  expect(href).toBe(`http://${host}/price`);
});

test("a handler's log line carries its task and the span that it was written in", () => {
  const { id, trace_id, correlation_id, type } = run.price;
  const lines = run.logs.filter(({ msg }) => msg === "the price is known");
  expect(lines.map(({ time: _, ...line }) => line)).toEqual([
    {
      level: "info",
      severity_number: 9,
      service: "worker",
      module: "handler",
      trace_id,
      span_id: spanOf(run.price, "look up price").spanId,
      trace_flags: 3,
      correlation_id,
      task_id: id,
      task_type: type,
      attempt: 1,
      status: 200,
      msg: "the price is known",
    },
  ]);
});

test("a handler that never yields times out and dies, its run in the trace although its thread was ended", () => {
  expectDeath(run.spin, "timed_out");
});

test("tasks on the other thread end while one spins", () => {
  const spunUntil = run.spin.attempts[0]?.ended_at ?? "";
  expect(run.beside.filter(({ ended_at }) => ended_at === null || ended_at > spunUntil)).toEqual([]);
});

test("a handler that ends its thread has crashed and dies, its run in the trace", () => {
  expectDeath(run.crash, "crashed");
});

function expectDeath(task: HttpTask, outcome: "timed_out" | "crashed"): void {
  const { type, payload } = task;
  const trace = traceOf(task);
  expect(faultsOf(trace)).toEqual([]);
  expect(toTraceTrees(trace)).toEqual([expectedTree({ body: { type, payload }, attempts: [outcome], status: "dead" })]);
  const { attributes, status } = spanOf(task, "process task-events");
  expect([attributes["throughline.outcome"], attributes["error.type"], status]).toEqual([
    outcome,
    outcome,
    { code: "ERROR", message: task.error?.message ?? "" },
  ]);
}

function traceOf({ trace_id }: HttpTask): ReceivedSpan[] {
  return run.spans.filter(({ traceId }) => traceId === trace_id);
}

function spanOf(task: HttpTask, name: string): ReceivedSpan {
  const found = traceOf(task).filter((span) => span.name === name);
  const [only] = found;
  if (only === undefined || found.length > 1) throw new Error(`${found.length} spans "${name}"`);
  return only;
}

/** The nodes of this name, wherever they are in the trees. */
function nodesNamed(name: string, trees: readonly TraceNode[]): TraceNode[] {
  return trees.flatMap((node) => (node.name === name ? [node] : nodesNamed(name, node.children)));
}
