/** What handlers start and register beside Throughline: child processes, threads, and OpenTelemetry of their own. */

import { expect, test } from "bun:test";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;

const spanOfOwn = `trace.getTracer("mine").startActiveSpan("my work", (span) => {
  span.end();
  return span.spanContext().traceId;
})`;

const telemetry = {
  "a-disables.ts": `import { context, propagation, trace } from "@opentelemetry/api";
trace.disable();
context.disable();
propagation.disable();
export default { run: () => { trace.disable(); context.disable(); return 1; } };`,
  "b-registers.ts": `import { context, propagation, trace } from "@opentelemetry/api";
const none = () => undefined;
const span = { end: none, spanContext: () => ({ traceId: "of another SDK" }) };
const tracer = { startSpan: () => span, startActiveSpan: (_, work) => work(span) };
trace.setGlobalTracerProvider({ getTracer: () => tracer });
context.setGlobalContextManager({ active: none, with: (_, work) => work(), bind: none, enable: none, disable: none });
propagation.setGlobalPropagator({ inject: none, extract: none, fields: () => [] });
export default { run: () => 1 };`,
  "spans.ts": `import { trace } from "@opentelemetry/api";
export default { run: () => ${spanOfOwn} };`,
  "spans-later.ts": `import { trace } from "@opentelemetry/api";
export default { run: async () => { await new Promise((resolve) => setTimeout(resolve, 5)); return ${spanOfOwn}; } };`,
};

/** A copy of the carried API beside the handlers that says to be of another version. */
async function installApi(folder: string, version: string): Promise<void> {
  const copy = join(folder, "node_modules/@opentelemetry/api");
  await cp(join(projectFolder, "node_modules/@opentelemetry/api"), copy, { recursive: true });
  for (const file of await readdir(copy, { recursive: true })) {
    if (!/\.(cjs|mjs|json)$/.test(file)) continue;
    const text = await readFile(join(copy, file), "utf8");
    await writeFile(join(copy, file), text.replaceAll('"1.10.0"', JSON.stringify(version)));
  }
}

test.each([
  ["no", undefined],
  ["an older", "1.9.0"],
  ["a newer", "1.12.3"],
])(
  "spans of handlers are in the task's trace with %s copy of the OpenTelemetry API, whatever another file registers",
  async (_, version) => {
    await using folder = await tempFolder();
    await mkdir(join(folder.path, "handlers"));
    for (const [file, text] of Object.entries(telemetry)) await writeFile(join(folder.path, "handlers", file), text);
    if (version !== undefined) await installApi(folder.path, version);
    const spans: ReceivedSpan[] = [];
    await using stack = new AsyncDisposableStack();
    const receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (more) => spans.push(...more) });
    stack.defer(() => receiver.stop());
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    await using running = await startThroughline(["--threads=1", ...freePorts], { cwd: folder.path, env });
    const api = httpApi(running.addresses.gateway_url);
    const endOf = async (type: string) => api.ended((await api.submit({ type, max_attempts: 1 })).id);
    await endOf("a-disables");
    const [spans1, spans2] = [await endOf("spans"), await endOf("spans-later")];
    expect([spans1.result, spans2.result]).toEqual([spans1.trace_id, spans2.trace_id]);
    await eventually(() => spans.filter(({ name }) => name === "my work").length === 2, { timeoutMs: 30_000 });
    const runs = new Set(spans.filter(({ name }) => name.startsWith("run ")).map(({ spanId }) => spanId));
    const own = spans.filter(({ name }) => name === "my work");
    expect(own.map(({ parentSpanId }) => runs.has(parentSpanId ?? ""))).toEqual([true, true]);
  },
  limitMs,
);

const answer = (of: string) => `(await new Promise((done, failed) => {
  const peer = ${of};
  peer.on("message", (message) => { done(message); peer.disconnect?.(); });
  peer.on("exit", (code) => failed(new Error("exit " + code)));
}))`;

const started = {
  "_child.mjs": `process.send("child " + process.argv.slice(2).join());`,
  "_thread.mjs": `postMessage("thread");`,
  "_worker.mjs": `import { parentPort } from "node:worker_threads"; parentPort.postMessage("worker");`,
  "starts.ts": `import * as every from "child_process";
import whole, { fork } from "node:child_process";
import { Worker as NodeWorker } from "node:worker_threads";
const child = new URL("./_child.mjs", import.meta.url).pathname;
export default { timeout: "60s", run: async () => [
  ${answer("fork(child)")},
  ${answer('fork(child, ["a"], { silent: true, execArgv: ["--max-old-space-size=256"] })')},
  ${answer("whole.fork(child, { env: {} })")},
  ${answer('every.fork(child, ["b"])')},
  ${answer('require("child_process").fork(child, ["c"])')},
  await new Promise((done) => Bun.spawn({ cmd: [process.execPath, child, "d"], ipc: done })),
  ${answer('new NodeWorker(new URL("./_worker.mjs", import.meta.url))')},
  await new Promise((done) => {
    const thread = new Worker(new URL("./_thread.mjs", import.meta.url));
    thread.onmessage = ({ data }) => { done(data); thread.terminate(); };
  }),
] };`,
  "spawns.ts": `import { spawnSync } from "node:child_process";
const child = new URL("./_child.mjs", import.meta.url).pathname;
export default { run: () => spawnSync(process.execPath, ["--expose-gc", child], { encoding: "utf8" }).stderr };`,
};

test(
  "fork and Worker run the file, and what takes the executable for a runtime is told what to do",
  async () => {
    await using folder = await tempFolder();
    await mkdir(join(folder.path, "handlers"));
    for (const [file, text] of Object.entries(started)) await writeFile(join(folder.path, "handlers", file), text);
    await using running = await startThroughline(["--threads=1", ...freePorts], { cwd: folder.path });
    const api = httpApi(running.addresses.gateway_url);
    const endOf = async (type: string) => api.ended((await api.submit({ type, max_attempts: 1 })).id);
    const { result, error } = await endOf("starts");
    expect({ result, error }).toEqual({
      result: ["child ", "child a", "child ", "child b", "child c", "child d", "worker", "thread"],
      error: null,
    });
    expect((await endOf("spawns")).result).toContain(
      '_child.mjs" runs by the Bun in this executable with BUN_BE_BUN=1',
    );
  },
  limitMs,
);
