/**
 * The contract of telemetry: every fate that a task can have, seen from outside. All spans and log records come over
 * OTLP, and are compared whole.
 */

import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { encodeTask } from "../../src/queue/envelope.ts";
import { key, ownKey } from "../../src/telemetry/names.ts";
import { anySpan, type SpanRow, spanTable } from "../../src/telemetry/spans/span-table.ts";
import { deadLettersAt } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { type ObservedSystem, type Received, startObservedSystem } from "../support/observed-system.ts";
import { schedulesAt } from "../support/schedules.ts";
import { knownKeys } from "../support/span-attributes.ts";
import { openSqsQueue } from "../support/sqs-queue.ts";
import type { HttpTask, LogLine } from "../support/system.ts";
import { faultsOf, toTraceTrees } from "../support/trace-tree.ts";
import {
  batchFate,
  type Fate,
  handledFates,
  interruptedFate,
  nestedFate,
  ownFates,
  scheduledFate,
  unreadableTree,
  violentFates,
} from "../support/traced-fates.ts";

const limitMs = 120_000;
const handlers = join(projectFolder, "tests/fixtures/fate-handlers");

interface Ran {
  name: string;
  fate: Fate;
  id: string;
}

async function untilIt(system: ObservedSystem, id: string, status: string): Promise<HttpTask> {
  return eventually(
    async () => {
      const task = await system.task(id);
      expect(task.status).toBe(status);
      return task;
    },
    { timeoutMs: 60_000 },
  );
}

async function submit(system: ObservedSystem, fate: Fate): Promise<string> {
  return (await system.accept(fate.body)).id;
}

async function runAlone(system: ObservedSystem, [name, fate]: [string, Fate]): Promise<Ran> {
  const id = await submit(system, fate);
  await untilIt(system, id, fate.status);
  return { name, fate, id };
}

async function runBatched(system: ObservedSystem): Promise<Ran> {
  const init = { method: "POST", headers: { "content-type": "application/json" } };
  const answer = await fetch(`${system.url}/v1/tasks/batch`, { ...init, body: JSON.stringify([batchFate.body]) });
  const [{ task }]: [{ task: HttpTask }] = await answer.json();
  await untilIt(system, task.id, "succeeded");
  return { name: "it comes in a batch", fate: batchFate, id: task.id };
}

async function runScheduled(system: ObservedSystem): Promise<Ran> {
  const id = await schedulesAt(system.url).runOnce(scheduledFate.body);
  await untilIt(system, id, "succeeded");
  return { name: "a schedule makes it", fate: scheduledFate, id };
}

const lost = "UPDATE tasks SET claim = claim + 1, status = 'succeeded', result = 'null', lease_until = NULL";

/** What people and other workers do to tasks. */
const hands: Record<keyof typeof handledFates, (system: ObservedSystem, id: string) => Promise<void>> = {
  canceledBefore: cancel,
  canceledWhileRunning: async (system, id) => {
    await untilIt(system, id, "running");
    await cancel(system, id);
  },
  lost: async (system, id) => {
    await untilIt(system, id, "running");
    system.write(`${lost}, ended_at = status_at WHERE id = '${id}'`);
    await eventually(() => system.lines.some(({ task_id, msg }) => task_id === id && msg.startsWith("lease lost")), {
      timeoutMs: 30_000,
    });
    // Delivered again when its visibility ends, and then deleted.
    const queue = await openSqsQueue(system, "task-events");
    await eventually(async () => expect(await queue.depth()).toEqual({ visible: 0, inFlight: 0 }) ?? true, {
      timeoutMs: 30_000,
    });
  },
  redrivenTwice: async (system, id) => {
    const dead = deadLettersAt(system.url);
    for (const redrives of [1, 2]) {
      await untilIt(system, id, "dead");
      await dead.redriven({ ids: [id], reason: "repaired" });
      await eventually(async () => {
        const letter = await dead.get(id);
        return letter.redrives === redrives && letter.task.status === "dead";
      });
    }
  },
  movedByBroker: async (system, id) => {
    const queue = await openSqsQueue(system, "task-events-dlq");
    await queue.send(encodeTask({ taskId: id, type: "echo" }));
  },
};

async function cancel(system: ObservedSystem, id: string): Promise<void> {
  const answer = await fetch(`${system.url}/v1/tasks/${id}/cancel`, { method: "POST" });
  if (answer.status !== 202) throw new Error(`not canceled: ${answer.status}`);
}

async function runHandled(system: ObservedSystem, name: keyof typeof handledFates): Promise<Ran> {
  const fate: Fate = handledFates[name];
  const id = await submit(system, fate);
  await hands[name](system, id);
  await untilIt(system, id, fate.status);
  return { name, fate, id };
}

describe("every fate of a task", () => {
  let runs: Ran[];
  let received: Received;
  let lines: LogLine[];

  beforeAll(async () => {
    await using site = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    await using system = await startObservedSystem({ handlers, retryBase: "1ms", visibilityTimeout: "2s" });
    const queue = await openSqsQueue(system, "task-events");
    await queue.send("none of ours");
    const own: [string, Fate][] = [...Object.entries(ownFates), ["it calls a server", nestedFate(site.url.href)]];
    // The names are those of the table.
    const handled = Object.keys(handledFates) as (keyof typeof handledFates)[];
    runs = await Promise.all([
      ...own.map((fate) => runAlone(system, fate)),
      ...handled.map((name) => runHandled(system, name)),
      runBatched(system),
      runScheduled(system),
    ]);
    await eventually(async () => (await deadLettersAt(system.url).unreadable()).length === 1);
    for (const fate of Object.entries(violentFates)) runs.push(await runAlone(system, fate));
    const id = await submit(system, interruptedFate);
    await untilIt(system, id, "running");
    runs.push({ name: "its worker stops", fate: interruptedFate, id });
    const stopped = system.stop();
    system.system.abort();
    await stopped;
    ({ received, lines } = system);
  }, limitMs);

  const tracesOf = ({ id }: Ran): ReceivedSpan[] => {
    const told = received.spans.filter(({ attributes }) => attributes.task_id === id);
    const traces = new Set(told.map(({ traceId }) => traceId));
    return received.spans.filter(({ traceId }) => traces.has(traceId));
  };

  test("is told by these spans, no more and no fewer", () => {
    const told = runs.map((run) => [run.name, toTraceTrees(tracesOf(run))]);
    expect(told).toEqual(runs.map(({ name, fate }) => [name, fate.trees]));
  });

  test("so is a message that is none of ours", () => {
    const [spans] = Object.values(Object.groupBy(received.spans, ({ traceId }) => traceId)).filter((trace) =>
      trace?.some(({ name, attributes }) => name.startsWith("process") && attributes.task_id === undefined),
    );
    expect(toTraceTrees(spans ?? [])).toEqual([unreadableTree]);
  });

  test("leaves no trace with two roots, an orphan, or a span that runs backwards", () => {
    const traces = Map.groupBy(received.spans, ({ traceId }) => traceId);
    expect([...traces.values()].flatMap(faultsOf)).toEqual([]);
  });

  test("links each attempt to the span that sent it, and across traces to where it comes from", () => {
    const byId = new Map(received.spans.map((span) => [span.spanId, span]));
    const linksOf = (span: ReceivedSpan): string[] => span.links.map(({ spanId }) => byId.get(spanId)?.name ?? "?");
    const processes = received.spans.filter(({ name, attributes }) => name.startsWith("process") && attributes.task_id);
    expect(processes.filter((span) => !linksOf(span).some((name) => name.startsWith("send")))).toMatchObject([
      // What the broker moved by itself came without a context.
      { attributes: { "throughline.dead.reason": "receive_limit" } },
    ]);
    const redrives = received.spans.filter(({ name }) => name === "redrive tasks");
    expect(redrives.map(linksOf)).toEqual([
      ["process task-events-dlq", "tasks.TaskService/CreateTask"],
      ["process task-events-dlq", "tasks.TaskService/CreateTask"],
    ]);
    const linked = runs.find(({ fate }) => fate.body.type === "linked");
    const attempts = received.spans.filter(({ attributes }) => attributes.task_id === linked?.id && attributes.attempt);
    expect(attempts.filter(({ kind }) => kind === "CONSUMER").map((span) => [span.name, linksOf(span)])).toEqual([
      ["process task-events", ["send task-events"]],
      ["process task-events", ["send task-events", "process task-events"]],
    ]);
  });

  test("carries no attribute that nobody knows, or that the conventions have given up", async () => {
    const known = await knownKeys();
    const ours: string[] = Object.values(ownKey);
    const keys = new Set(
      received.spans.flatMap(({ attributes, resource, events, links }) =>
        [attributes, resource, ...events.map((it) => it.attributes), ...links.map((it) => it.attributes)].flatMap(
          (each) => Object.keys(each),
        ),
      ),
    );
    expect([...keys].filter((each) => !known.has(each) && !ours.includes(each))).toEqual([]);
    expect(new Set(keys)).toContain(key.messagingSystemName);
  });

  test("is told by spans that carry what the table of spans says, each of one kind", () => {
    expect(received.spans.filter(({ name }) => !isHandlersOwn(name)).flatMap(faultsOfAttributes)).toEqual([]);
    const kinds = spanTable.filter((row) => received.spans.some((span) => isOf(span, row)));
    const titles = spanTable.map(({ title }) => title).filter((title) => title !== "DynamoDB");
    expect(kinds.map(({ title }) => title)).toEqual(titles);
  });

  test("gives spans names without ids, payloads or other people's words", () => {
    const names = new Set(received.spans.map(({ name }) => name));
    const allowed =
      /^(start [a-z-]+|throughline|(GET|POST|PATCH|DELETE) \/v1\/[a-z/{}-]+|GET|(SELECT|INSERT|UPDATE|DELETE) tasks\w*|tasks\.TaskService\/\w+|(send|process|receive|delete|change_visibility) task-events(-dlq)?|run [a-z-]+|redrive tasks|create task|fire schedule|look up)$/;
    expect([...names].filter((name) => !allowed.test(name))).toEqual([]);
  });

  test("is logged under traces that exist", () => {
    const traces = new Set(received.spans.map(({ traceId }) => traceId));
    expect(lines.filter(({ trace_id }) => !traces.has(String(trace_id)))).toEqual([]);
    expect(received.logs.length).toBe(lines.length);
  });
});

/** The handler `nested` makes it, and Throughline knows nothing of it. */
function isHandlersOwn(name: string): boolean {
  return name === "look up";
}

function isOf({ kind, name }: ReceivedSpan, row: SpanRow): boolean {
  return row.kind === kind && row.name.test(name);
}

/** A line for each key that is missing, or that the row of the span does not know. */
function faultsOfAttributes(span: ReceivedSpan): string[] {
  const rows = spanTable.filter((row) => isOf(span, row));
  const [row] = rows;
  if (!row || rows.length > 1) return [`${span.kind} ${span.name}: ${rows.length} rows`];
  const known = new Set([...row.always, ...Object.keys(row.sometimes), ...Object.keys(anySpan)]);
  const keys = Object.keys(span.attributes);
  return [
    ...row.always.filter((each) => !keys.includes(each)).map((each) => `${span.name} has no ${each}`),
    ...keys.filter((each) => !known.has(each)).map((each) => `${span.name} has ${each}`),
  ];
}
