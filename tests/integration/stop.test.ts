/** SIGTERM under load: the compiled executable stops in time, loses nothing, runs nothing twice, and tells everything. */

import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { startElasticMq } from "../parts/elasticmq.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { type HttpApi, httpApi } from "../support/http-api.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import type { HttpTask } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { faultsOf } from "../support/trace-tree.ts";

const timeoutMs = 120_000;
const handlers = join(projectFolder, "tests/fixtures/lease-handlers");
const submitters = 8;

/** Submits one task after another until it is stopped or refused; gives what was accepted. */
async function submitUntil(api: HttpApi, body: unknown, stopped: AbortSignal, accepted: string[]): Promise<void> {
  while (!stopped.aborted) {
    const task = await api.submit(body).catch(() => undefined);
    if (task) accepted.push(task.id);
    else return;
  }
}

test(
  "SIGTERM under load loses no task, runs none twice, and sends every span",
  async () => {
    await using stack = new AsyncDisposableStack();
    const spans: ReceivedSpan[] = [];
    const receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, { spans: (more) => spans.push(...more) });
    stack.defer(() => receiver.stop());
    const { path } = stack.use(await tempFolder());
    const file = join(path, "runs");
    const args = [`--data-dir=${path}`, `--handlers=${handlers}`, "--threads=2", ...freePorts];
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    const first = stack.use(await startThroughline(args, { env }));
    const accepted: string[] = [];
    const never = new AbortController().signal;
    const body = { type: "note", payload: { ms: 5, file } };
    const api = httpApi(first.addresses.gateway_url);
    const submitting = Array.from({ length: submitters }, () => submitUntil(api, body, never, accepted));
    await eventually(() => accepted.length > 300, { timeoutMs: 60_000 });
    expect(await first.stop()).toBe(0);
    await Promise.all(submitting);

    const second = stack.use(await startThroughline(args, { env }));
    const after = httpApi(second.addresses.gateway_url);
    const ended: HttpTask[] = [];
    for (const id of accepted) ended.push(await after.ended(id));
    expect(await second.stop()).toBe(0);

    expect(ended.filter(({ status, attempt }) => status !== "succeeded" || attempt !== 1)).toEqual([]);
    const runs = (await readFile(file, "utf8")).trimEnd().split("\n").toSorted();
    expect(runs).toEqual(accepted.toSorted());
    const traces = new Map(ended.map(({ trace_id: traceId, id }) => [traceId, id]));
    const ofTasks = spans.filter(({ traceId }) => traces.has(traceId));
    const faults = [...traces.keys()].flatMap((id) => faultsOf(ofTasks.filter(({ traceId }) => traceId === id)));
    expect(faults).toEqual([]);
    const ran = ofTasks.filter(({ name }) => name === "run note").map(({ traceId }) => traces.get(traceId));
    expect(ran.toSorted()).toEqual(accepted.toSorted());
  },
  timeoutMs,
);

describeWith("elasticmq")("a worker that stops", () => {
  test(
    "gives what it has not started back to the others at once, and finishes what runs",
    async () => {
      await using stack = new AsyncDisposableStack();
      const { path } = stack.use(await tempFolder());
      const elasticMq = stack.use(await startElasticMq());
      const env = {
        AWS_ENDPOINT_URL_SQS: elasticMq.url,
        AWS_REGION: "elasticmq",
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
      };
      // Long enough that no lease runs out here: what is handed on was given back.
      const shared = ["--queue=sqs", `--data-dir=${path}`, "--visibility-timeout=10m", "--threads=1", ...freePorts];
      const start = async (role: string, ...flags: string[]) =>
        stack.use(await startThroughline([`--role=${role}`, ...shared, ...flags], { env }));
      const taskService = await start("task-service,dlq");
      const gateway = await start("gateway", `--task-service-url=${taskService.addresses.task_service_url}`);
      const api = httpApi(gateway.addresses.gateway_url);
      // Exclusive ones run one at a time: of those that come with one receive, the others wait in the worker. The first
      // runs for longer than another worker needs to start.
      const tasks: HttpTask[] = [];
      for (let count = 0; count < 4; count++) tasks.push(await api.submit({ type: "alone", payload: { ms: 4000 } }));
      const stopping = await start("worker", `--handlers=${handlers}`);
      await eventually(async () => (await statuses(api, tasks)).every((status) => status === "running"));
      const other = await start("worker", `--handlers=${handlers}`);
      const exitCode = stopping.stop();

      const ended = await Promise.all(tasks.map(({ id }) => api.ended(id)));
      expect(await exitCode).toBe(0);
      expect(ended.map(({ status, attempt }) => [status, attempt])).toEqual(tasks.map(() => ["succeeded", 1]));
      const [finished, handedOn] = [workerOf(stopping.logs()), workerOf(other.logs())];
      const workers = ended.map(({ attempts }) => attempts.at(-1)?.worker);
      expect(workers.toSorted()).toEqual([finished, handedOn, handedOn, handedOn].toSorted());
    },
    timeoutMs,
  );
});

async function statuses(api: HttpApi, tasks: readonly HttpTask[]): Promise<string[]> {
  return (await Promise.all(tasks.map(({ id }) => api.task(id)))).map(({ status }) => status);
}

function workerOf(logs: { msg: string; worker?: unknown }[]): string {
  return String(logs.find(({ msg }) => msg === "worker receives")?.worker);
}
