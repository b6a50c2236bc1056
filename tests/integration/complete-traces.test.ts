/**
 * The compiled executable under thousands of tasks that are repeated, die and come back, and then told to stop as the
 * last of them ends: every one of them is told whole.
 */

import { beforeAll, describe, expect, test } from "bun:test";
import type { ReceivedLog } from "../../src/otlp/log.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { deadLettersAt } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { expectedTree, type TaskCase } from "../support/ten-tasks.ts";
import { faultsOf, type TraceNode, toTraceTrees } from "../support/trace-tree.ts";
import { redriven } from "../support/traced-fates.ts";

const limitMs = 300_000;
const callersAtOnce = 64;

const fine: TaskCase = { body: { type: "echo", payload: 1 }, attempts: ["succeeded"], status: "succeeded" };
const repeated: TaskCase = {
  body: { type: "flaky", payload: { failures: 1 } },
  attempts: ["failed", "succeeded"],
  status: "succeeded",
};
const dying: TaskCase = {
  body: { type: "fail", payload: {}, max_attempts: 1 },
  attempts: ["failed"],
  status: "dead",
};

/** 5,000, of which every fifth dies and is brought back. */
const first = Array.from({ length: 5000 }, (_, n) => [fine, repeated, fine, dying, fine][n % 5] ?? fine);
/** The last to end. */
const last = Array.from({ length: 1000 }, () => fine);
const deaths = first.filter((each) => each === dying).length;

interface Accepted {
  case: TaskCase;
  traceId: string;
}

/** Submits them as fast as a bounded number of callers can. */
async function submitAll({ addresses }: ThroughlineProcess, cases: readonly TaskCase[]): Promise<Accepted[]> {
  const api = httpApi(addresses.gateway_url);
  const accepted: Accepted[] = [];
  const waiting = cases.values();
  const caller = async (): Promise<void> => {
    for (const each of waiting) accepted.push({ case: each, traceId: (await api.submit(each.body)).trace_id });
  };
  await Promise.all(Array.from({ length: callersAtOnce }, caller));
  return accepted;
}

function told({ lines }: ThroughlineProcess, msg: string, count: number): Promise<boolean> {
  const isTold = (): boolean => lines.filter((line) => line.includes(`"msg":"${msg}"`)).length === count;
  return eventually(isTold, { timeoutMs: limitMs });
}

describe("six thousand tasks through one process", () => {
  const spans: ReceivedSpan[] = [];
  const logs: ReceivedLog[] = [];
  let accepted: Accepted[];
  let lines: readonly string[];
  let exitCode: number;
  let traces: Map<string, ReceivedSpan[]>;

  beforeAll(async () => {
    const receiver = await startReceiver(
      { host: "127.0.0.1", port: 0 },
      { spans: (some) => spans.push(...some), logs: (some) => logs.push(...some), metrics: () => {} },
    );
    await using stack = new AsyncDisposableStack();
    stack.defer(() => receiver.stop());
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    const process = stack.use(await startThroughline(["--retry-base=1ms", ...freePorts], { env }));
    accepted = await submitAll(process, first);
    await told(process, "task is dead", deaths);
    await deadLettersAt(process.addresses.gateway_url).redriven({ filter: { type: "fail" } });
    await told(process, "task is dead", 2 * deaths);
    accepted.push(...(await submitAll(process, last)));
    await told(process, "task succeeded", accepted.length - deaths);
    exitCode = await process.stop();
    ({ lines } = process);
    traces = Map.groupBy(spans, ({ traceId }) => traceId);
  }, limitMs);

  test("have one whole trace each, however they went", () => {
    const wrong = accepted.filter(({ case: each, traceId }) => {
      const trace = traces.get(traceId) ?? [];
      return !Bun.deepEquals(toTraceTrees(trace), [expectedTree(each)]) || faultsOf(trace).length > 0;
    });
    expect(wrong).toEqual([]);
    expect(new Set(accepted.map(({ traceId }) => traceId)).size).toBe(first.length + last.length);
  });

  test("have another one for each redrive, linked to the one that it brought back", () => {
    const [creation] = toTraceTrees(traces.get(accepted.find(({ case: each }) => each === dying)?.traceId ?? "") ?? []);
    const expected = redriven(attemptIn(creation));
    const roots = spans.filter(({ name }) => name === "redrive tasks");
    expect(roots.length).toBe(deaths);
    const wrong = roots.filter(({ traceId, links }) => {
      const trace = traces.get(traceId) ?? [];
      const isLinked = links.some((link) => traces.get(link.traceId)?.some(({ spanId }) => spanId === link.spanId));
      return !isLinked || !Bun.deepEquals(toTraceTrees(trace), [expected]) || faultsOf(trace).length > 0;
    });
    expect(wrong).toEqual([]);
  });

  test("are told on stdout and over OTLP by as many lines, though SIGTERM came as the last of them ended", () => {
    expect([exitCode, logs.length]).toEqual([0, lines.length]);
  });
});

/** The one delivery in the trace of a task that dies at once. */
function attemptIn(tree: TraceNode | undefined): TraceNode {
  if (!tree) throw new Error("there is no attempt");
  return tree.name === "process task-events" ? tree : attemptIn(tree.children.at(-1));
}
