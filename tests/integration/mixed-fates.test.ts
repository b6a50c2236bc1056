/** Tasks that come all at once, in any mix: each has its own fate, and the trace that it has when it comes alone. */

import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { type ObservedSystem, type Received, spansIn, startObservedSystem } from "../support/observed-system.ts";
import type { HttpTask } from "../support/system.ts";
import { faultsOf, type TraceNode, toTraceTrees } from "../support/trace-tree.ts";

const limitMs = 240_000;
const patience = { timeoutMs: 120_000 };

interface Kind {
  type: string;
  payload: unknown;
  max_attempts?: number;
  /** The task is called off once it runs. */
  isCanceled?: boolean;
}

const kinds = {
  succeeds: { type: "echo", payload: { text: "ä\u2028", list: [1, 2] } },
  "succeeds with a long result": { type: "echo", payload: "x".repeat(20_000) },
  "is tried again": { type: "flaky", payload: { failures: 1 } },
  "fails for good": { type: "fail", payload: { fatal: true } },
  "has no attempt left": { type: "fail", payload: {}, max_attempts: 1 },
  "throws undefined": { type: "throw-value", payload: { what: "undefined" } },
  "throws a Proxy": { type: "throw-value", payload: { what: "a Proxy that throws" } },
  "returns a Map": { type: "return-value", payload: "a Map" },
  "is called off": { type: "sleep", payload: { ms: 600_000 }, isCanceled: true },
} satisfies Record<string, Kind>;

type Name = keyof typeof kinds;

interface Fate {
  status: string;
  outcomes: unknown[];
  result: unknown;
  error: unknown;
  trees: TraceNode[];
  faults: string[];
}

const names = Object.keys(kinds).filter((name): name is Name => name in kinds);
const callerId = "00f067aa0ba902b7";

interface Ran {
  name: Name;
  traceId: string;
  task: HttpTask;
}

/** Runs them all at once, each in a trace of its own caller. */
async function run(system: ObservedSystem, names: readonly Name[]): Promise<Ran[]> {
  return Promise.all(
    names.map(async (name) => {
      const { isCanceled, ...body }: Kind = kinds[name];
      const traceId = crypto.randomUUID().replaceAll("-", "");
      const { id } = await system.accept(body, { traceparent: `00-${traceId}-${callerId}-01` });
      if (isCanceled) await callOff(system, id);
      const task = await eventually(async () => {
        const found = await system.task(id);
        return ["succeeded", "dead", "canceled"].includes(found.status) && found;
      }, patience);
      return { name, traceId, task };
    }),
  );
}

async function callOff(system: ObservedSystem, id: string): Promise<void> {
  await eventually(async () => (await system.task(id)).status === "running", patience);
  const { status } = await fetch(`${system.url}/v1/tasks/${id}/cancel`, { method: "POST" });
  expect(status).toBe(202);
}

function fateOf({ traceId, task }: Ran, received: Received): Fate {
  const { status, result, error, attempts } = task;
  const spans = spansIn(received, traceId);
  // The caller's own span is not among those that are received.
  const faults = faultsOf(
    spans.map((span) => (span.parentSpanId === callerId ? { ...span, parentSpanId: undefined } : span)),
  );
  const outcomes = attempts.map(({ outcome }) => outcome);
  return { status, result, error, outcomes, trees: toTraceTrees(spans), faults };
}

const alone = new Map<Name, Fate>();
const together: [name: Name, fate: Fate | undefined][] = [];

beforeAll(async () => {
  await using system = await startObservedSystem({
    handlers: join(projectFolder, "tests/fixtures/odd-handlers"),
    threadConcurrency: "64",
    retryBase: "1ms",
    // So long that none runs out on a busy machine; a cancel is learned of in a third.
    visibilityTimeout: "15s",
  });
  const ran: Ran[] = [];
  for (const name of names) ran.push(...(await run(system, [name])));
  const [mix = []] = fc.sample(fc.array(fc.constantFrom(...names), { minLength: 200, maxLength: 200 }), 1);
  const mixed = await run(system, mix);
  await system.stop();
  for (const each of ran) alone.set(each.name, fateOf(each, system.received));
  for (const each of mixed) together.push([each.name, fateOf(each, system.received)]);
}, limitMs);

test("each kind of task has a fate, and a trace without a fault, of its own", () => {
  const shown = names.map((name) => [
    name,
    alone.get(name)?.status,
    alone.get(name)?.outcomes,
    alone.get(name)?.faults,
  ]);
  expect(shown).toEqual([
    ["succeeds", "succeeded", ["succeeded"], []],
    ["succeeds with a long result", "succeeded", ["succeeded"], []],
    ["is tried again", "succeeded", ["failed", "succeeded"], []],
    ["fails for good", "dead", ["failed"], []],
    ["has no attempt left", "dead", ["failed"], []],
    ["throws undefined", "dead", ["failed"], []],
    ["throws a Proxy", "dead", ["failed"], []],
    ["returns a Map", "dead", ["failed"], []],
    ["is called off", "canceled", ["canceled"], []],
  ]);
});

test("two hundred at once, in any mix, each have the fate and the trace that they have alone", () => {
  expect(together).toHaveLength(200);
  const different = together.filter(([name, fate]) => !Bun.deepEquals(fate, alone.get(name)));
  expect(different.slice(0, 1)).toEqual(different.slice(0, 1).map(([name]) => [name, alone.get(name)]));
});
