/** SIGTERM under load: the compiled executable stops in time, loses nothing, runs nothing twice, and tells everything. */

import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ReceivedSpan } from "../../src/console/received-span.ts";
import { startReceiver } from "../../src/console/receiver.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { type HttpApi, httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline } from "../support/process.ts";
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
