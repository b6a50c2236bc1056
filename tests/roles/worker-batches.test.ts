/** What comes at once is claimed at once, and each task of it has its own fate. The worker alone, on real parts. */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { systemClock } from "../../src/limits/clock.ts";
import { encodeTask } from "../../src/queue/envelope.ts";
import type { Store } from "../../src/store/ports/store.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { TaskError } from "../../src/words/errors.ts";
import { startPool } from "../../src/worker/threads/pool.ts";
import { createWorker } from "../../src/worker.ts";
import { openTestQueues, startEmbedded } from "../support/brokers.ts";
import { eventually } from "../support/eventually.ts";
import { startGate } from "../support/gate.ts";
import { openSqliteStore } from "../support/sqlite-store.ts";
import { tasksIn } from "../support/stored-tasks.ts";
import type { LogLine, TestFlags } from "../support/system.ts";

const limitMs = 60_000;
const patience = { timeoutMs: 30_000 };

interface Parts {
  /** Changes the store that the worker has. */
  storeOf?: (store: Store) => Partial<Store>;
  flags?: TestFlags;
}

/** A worker that receives once it is started: what was sent before comes as one batch, if it is ten at most. */
async function setUp({ storeOf = () => ({}), flags = {} }: Parts = {}) {
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await startEmbedded());
  const queues = stack.use(await openTestQueues(broker, { threads: "1", threadConcurrency: "64", ...flags }));
  const { store } = stack.use(await openSqliteStore());
  const lines: LogLine[] = [];
  const { config } = queues;
  const telemetry = startTelemetry("worker", config, (text) => lines.push(JSON.parse(text)));
  const ignore = (): void => {};
  const pool = await startPool(config, {
    onSpans: ignore,
    onLog: ignore,
    onThreadCondemned: ignore,
    onThreadEnded: ignore,
  });
  stack.defer(() => pool.close());
  const claims: string[][] = [];
  const counted: Store["claim"] = (requests) => {
    claims.push(requests.map(({ id }) => id));
    return (storeOf(store).claim ?? store.claim)(requests);
  };
  const worker = createWorker({
    workerId: "w1",
    config,
    store: { ...store, ...storeOf(store), claim: counted },
    queues,
    pool,
    telemetry,
    clock: systemClock,
    random: () => 0,
  });
  const draining = new AbortController();
  let running: Promise<void> | undefined;
  const drain = async (): Promise<void> => {
    draining.abort();
    pool.drain();
    await running;
  };
  stack.defer(drain);
  const tasks = tasksIn(store);
  const send = async (types: readonly { type: string; payload?: unknown }[]): Promise<string[]> => {
    const made = [];
    for (const { type, payload = null } of types) {
      made.push(await tasks.create({ type, payload: JSON.stringify(payload), runAtMs: Date.now() }, Date.now()));
    }
    const results = await queues.tasks.send(
      made.map(({ id, type }) => ({
        message: { body: encodeTask({ taskId: id, type }), attributes: {}, correlationId: "c-1" },
        context: ROOT_CONTEXT,
      })),
    );
    expect(results.every(({ kind }) => kind === "done")).toBe(true);
    return made.map(({ id }) => id);
  };
  const owned = stack.move();
  return {
    worker,
    queues,
    tasks,
    lines,
    claims,
    send,
    start: () => {
      running = worker.run(draining.signal);
    },
    drain,
    statesOf: (ids: readonly string[]) => Promise.all(ids.map(async (id) => (await tasks.get(id))?.status)),
    /** Waits until no message is left. */
    settled: () =>
      eventually(async () => {
        const { visible, inFlight } = await queues.tasks.depth();
        return visible + inFlight === 0;
      }, patience),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const ten = Array.from({ length: 10 }, (_, n) => ({ type: "echo", payload: n }));

test(
  "one claim of ten that fails leaves its message as it is, and the others run",
  async () => {
    let refused = "";
    await using parts = await setUp({
      storeOf: ({ claim }) => ({
        claim: async (requests) =>
          (await claim(requests.filter(({ id }) => id !== refused))).toSpliced(
            requests.findIndex(({ id }) => id === refused),
            0,
            { kind: "failed", error: new TaskError("internal", "this one is not read") },
          ),
      }),
    });
    const ids = await parts.send(ten);
    refused = ids[3] ?? "";
    parts.start();
    const others = ids.filter((id) => id !== refused);
    await eventually(async () => (await parts.statesOf(others)).every((status) => status === "succeeded"), patience);
    await eventually(() => parts.worker.tasksInFlight() === 0, patience);
    expect(parts.claims).toEqual([expect.arrayContaining(ids)]);
    expect(await parts.statesOf([refused])).toEqual(["queued"]);
    expect(await parts.queues.tasks.depth()).toMatchObject({ visible: 0, inFlight: 1 });
    const failures = parts.lines.filter(({ msg }) => msg === "handling a message failed");
    expect(failures).toMatchObject([{ level: "error", task_id: refused, error: { type: "internal" } }]);
  },
  limitMs,
);

test(
  "one claim of ten for which the store has no answer yet is repeated alone, and the others do not wait for it",
  async () => {
    let refused: string | undefined;
    await using parts = await setUp({
      storeOf: ({ claim }) => ({
        claim: async (requests) => {
          const results = await claim(requests.filter(({ id }) => id !== refused));
          const at = requests.findIndex(({ id }) => id === refused);
          const away = { kind: "failed", error: new TaskError("unavailable", "not now") } as const;
          return at < 0 ? results : results.toSpliced(at, 0, away);
        },
      }),
    });
    const ids = await parts.send(ten);
    refused = ids[7];
    parts.start();
    const others = ids.filter((id) => id !== refused);
    await eventually(async () => (await parts.statesOf(others)).every((status) => status === "succeeded"), patience);
    refused = undefined;
    await parts.settled();
    expect(await parts.statesOf(ids)).toEqual(ids.map(() => "succeeded"));
    expect(parts.claims[0]).toHaveLength(10);
    expect(parts.claims.slice(1).every((claimed) => Bun.deepEquals(claimed, [ids[7]]))).toBe(true);
  },
  limitMs,
);

test(
  "a claim that takes long holds up no other, where the store answers each by itself",
  async () => {
    let slow = "";
    const answered = Promise.withResolvers<void>();
    await using parts = await setUp({
      storeOf: ({ claim }) => ({
        entriesAreApart: true,
        claim: async (requests) => {
          if (requests.some(({ id }) => id === slow)) await answered.promise;
          return claim(requests);
        },
      }),
    });
    const ids = await parts.send(ten);
    slow = ids[4] ?? "";
    parts.start();
    // All but the slow one are run and settled.
    await eventually(async () => Bun.deepEquals(await depthOf(parts), { visible: 0, inFlight: 1 }), patience);
    expect(await parts.statesOf(ids)).toEqual(ids.map((id) => (id === slow ? "queued" : "succeeded")));
    expect(parts.worker.tasksInFlight()).toBe(0);
    answered.resolve();
    await parts.settled();
    expect(await parts.statesOf(ids)).toEqual(ids.map(() => "succeeded"));
  },
  limitMs,
);

test(
  "an outcome that is committed late keeps no other's message, where the store answers each by itself",
  async () => {
    let slow = "";
    const answered = Promise.withResolvers<void>();
    await using gate = startGate();
    await using parts = await setUp({
      storeOf: ({ finish }) => ({
        entriesAreApart: true,
        finish: async (requests) => {
          if (requests.some(({ id }) => id === slow)) await answered.promise;
          return finish(requests);
        },
      }),
    });
    const ids = await parts.send(Array.from({ length: 5 }, () => gate.task()));
    slow = ids[2] ?? "";
    parts.start();
    await eventually(() => parts.worker.tasksInFlight() === 5, patience);
    gate.open();
    await eventually(async () => Bun.deepEquals(await depthOf(parts), { visible: 0, inFlight: 1 }), patience);
    expect(parts.worker.tasksInFlight()).toBe(1);
    answered.resolve();
    await parts.settled();
    expect(await parts.statesOf(ids)).toEqual(ids.map(() => "succeeded"));
  },
  limitMs,
);

test(
  "a thread that dies in the middle of a batch interrupts what came with it, and only the culprit fails",
  async () => {
    await using gate = startGate();
    await using parts = await setUp();
    const ids = await parts.send([
      ...ten.slice(0, 2),
      ...Array.from({ length: 5 }, () => gate.task()),
      { type: "crash" },
    ]);
    parts.start();
    await eventually(
      async () => (await parts.statesOf(ids.slice(0, 2))).every((status) => status === "succeeded"),
      patience,
    );
    gate.open();
    await eventually(async () => (await parts.statesOf(ids.slice(2, 7))).every((status) => status === "succeeded"), {
      timeoutMs: 50_000,
    });
    const culprit = ids[7] ?? "";
    await eventually(async () => {
      const outcomes = (await parts.tasks.timeline(culprit)).map(({ outcome }) => outcome).filter((each) => each);
      return Bun.deepEquals(outcomes.slice(0, 2), ["interrupted", "crashed"]);
    }, patience);
  },
  limitMs,
);

test(
  "a drain while claims are under way finishes what was claimed, and gives back what came later",
  async () => {
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    await using parts = await setUp({
      storeOf: ({ claim }) => ({
        claim: async (requests) => {
          const results = await claim(requests);
          asked.resolve();
          await answered.promise;
          return results;
        },
      }),
    });
    const ids = await parts.send(ten.slice(0, 5));
    parts.start();
    await asked.promise;
    const drained = parts.drain();
    const later = await parts.send(ten.slice(0, 3));
    answered.resolve();
    await drained;
    expect(await parts.statesOf(ids)).toEqual(ids.map(() => "succeeded"));
    expect(await parts.statesOf(later)).toEqual(later.map(() => "queued"));
    await eventually(async () => Bun.deepEquals(await depthOf(parts), { visible: 3, inFlight: 0 }), patience);
    expect([parts.claims.flat().length, parts.worker.tasksInFlight()]).toEqual([5, 0]);
  },
  limitMs,
);

async function depthOf({ queues }: Awaited<ReturnType<typeof setUp>>) {
  const { visible, inFlight } = await queues.tasks.depth();
  return { visible, inFlight };
}

test(
  "a result of a megabyte arrives as it was written, and so do the small ones beside it",
  async () => {
    await using parts = await setUp({ flags: { maxResult: "2MB" } });
    const payloads = ['ä\u2028"\\\n'.repeat(100_000), 1, null, "x".repeat(1_000_000), { a: ["b"] }];
    const ids = await parts.send(payloads.map((payload) => ({ type: "echo", payload })));
    parts.start();
    await parts.settled();
    const results = await Promise.all(ids.map(async (id) => (await parts.tasks.get(id))?.result));
    expect(results.map((result) => result === null || result === undefined || JSON.parse(result))).toEqual(payloads);
  },
  limitMs,
);
