/** What becomes of tasks whose handlers succeed, fail, hang and crash, on real threads. */

import { describe, expect, test } from "bun:test";
import { encodeTask } from "../../src/queue/envelope.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { longestRetryAfterMs } from "../../src/worker/handlers/retry-after.ts";
import { eventually } from "../support/eventually.ts";
import { startGate } from "../support/gate.ts";
import { openSqsQueue } from "../support/sqs-queue.ts";
import { type HttpTask, startTestSystem, type TestSystem } from "../support/system.ts";
import { stubbornHandlers } from "../support/test-pool.ts";

const limitMs = 60_000;
const patience = { timeoutMs: 30_000 };

/** Every attempt as its number and how it ended. */
function attemptsOf({ attempts }: HttpTask): [number, string | null][] {
  return attempts.map(({ number, outcome }) => [number, outcome]);
}

describe("a handler that fails", () => {
  test(
    "is tried again after a growing, jittered pause, until it succeeds",
    async () => {
      await using running = await startTestSystem({ retryBase: "100ms", retryCap: "150ms" });
      const { id } = await running.accept({ type: "flaky", payload: { failures: 3 } });
      const task = await running.task(id, "30s");
      expect(task).toMatchObject({ status: "succeeded", result: { attempts: 4 }, attempt: 4, error: null });
      expect(attemptsOf(task)).toEqual([
        [1, "failed"],
        [2, "failed"],
        [3, "failed"],
        [4, "succeeded"],
      ]);
      expect(task.attempts[0]?.error).toEqual({ type: "Error", message: "failure 1 of 3, as asked" });
      const pauses = await linesOf(running, id, "attempt failed, another follows", 3);
      const ceilings = [100, 150, 150];
      expect(pauses.filter(({ retry_in_ms: ms }, n) => !(Number(ms) >= 0 && Number(ms) < (ceilings[n] ?? 0)))).toEqual(
        [],
      );
    },
    limitMs,
  );

  test(
    "is dead with its last error when its attempts are used up",
    async () => {
      await using running = await startTestSystem({ retryBase: "10ms" });
      const { id } = await running.accept({ type: "fail", payload: { message: "no luck" }, max_attempts: 2 });
      const task = await running.task(id, "30s");
      expect(task).toMatchObject({
        status: "dead",
        error: { type: "Error", message: "no luck" },
        attempt: 2,
        result: null,
      });
      expect(attemptsOf(task)).toEqual([
        [1, "failed"],
        [2, "failed"],
      ]);
      expect(await linesOf(running, id, "task is dead", 1)).toMatchObject([{ reason: "attempts_exhausted" }]);
    },
    limitMs,
  );

  test(
    "fatally is dead at once",
    async () => {
      await using running = await startTestSystem();
      const { id } = await running.accept({ type: "fail", payload: { fatal: true } });
      const task = await running.task(id, "30s");
      expect(task).toMatchObject({ status: "dead", attempt: 1, max_attempts: 5, error: { type: "FatalError" } });
      expect(attemptsOf(task)).toEqual([[1, "failed"]]);
      expect(await linesOf(running, id, "task is dead", 1)).toMatchObject([{ reason: "fatal" }]);
    },
    limitMs,
  );

  test(
    "and says when to come back is not tried before",
    async () => {
      await using running = await startTestSystem({ retryBase: "1ms", retryCap: "1ms" });
      let asked = 0;
      await using shop = serve(() => {
        asked += 1;
        return asked > 1 ? Response.json("open") : new Response(null, { status: 503, headers: { "retry-after": "2" } });
      });
      const { id } = await running.accept({ type: "http", payload: { url: shop.url } });
      const task = await running.task(id, "30s");
      expect(task).toMatchObject({ status: "succeeded", result: { status: 200, body: "open" } });
      const pauses = await linesOf(running, id, "attempt failed, another follows", 1);
      expect(pauses.map(({ retry_in_ms: ms }) => ms)).toEqual([2000]);
      expect(Date.parse(task.attempts[1]?.started_at ?? "")).toBeGreaterThanOrEqual(Date.parse(task.run_at));
    },
    limitMs,
  );

  test(
    "and names a time that is no whole number, or beyond all dates, is tried again all the same",
    async () => {
      await using running = await startTestSystem();
      const asked = ["0.0015", "9".repeat(300)];
      await using shop = serve(
        () => new Response(null, { status: 503, headers: { "retry-after": asked.shift() ?? "" } }),
      );
      const { id } = await running.accept({ type: "http", payload: { url: shop.url } });
      const pauses = await linesOf(running, id, "attempt failed, another follows", 2);
      expect(pauses.map(({ retry_in_ms: ms }) => ms)).toEqual([2, longestRetryAfterMs]);
      const task = await eventually(async () => {
        const found = await running.task(id);
        return found.status === "retrying" && found;
      });
      expect(attemptsOf(task)).toEqual([
        [1, "failed"],
        [2, "failed"],
      ]);
    },
    limitMs,
  );
});

describe("a deadline", () => {
  test(
    "ends a handler that honours its signal, and its thread goes on",
    async () => {
      await using running = await startTestSystem({ threads: "1", retryBase: "10ms" });
      const { id } = await running.accept({
        type: "sleep",
        payload: { ms: 600_000 },
        timeout: "100ms",
        max_attempts: 2,
      });
      const task = await running.task(id, "30s");
      const error = { type: "timed_out", message: "the attempt did not end by its deadline" };
      expect(task).toMatchObject({ status: "dead", error });
      expect(attemptsOf(task)).toEqual([
        [1, "timed_out"],
        [2, "timed_out"],
      ]);
      expect(threadsEnded(running)).toEqual([]);
    },
    limitMs,
  );

  test(
    "replaces the thread of a handler that ignores it, and the other thread's tasks do not notice",
    async () => {
      await using running = await startTestSystem({ threads: "2" });
      await using gate = startGate();
      // One on each thread; the third then shares a thread with one of them.
      const beside = [await running.accept(gate.task()), await running.accept(gate.task())];
      await gate.held(2);
      const { id } = await running.accept({ type: "spin", timeout: "100ms", max_attempts: 1 });

      const spun = await running.task(id, "30s");
      expect(spun).toMatchObject({ status: "dead", error: { type: "timed_out" }, attempt: 1 });
      expect(attemptsOf(spun)).toEqual([[1, "timed_out"]]);
      expect(threadsEnded(running)).toHaveLength(1);

      // The one that sat on the spinning thread is back by now, or soon.
      await gate.held(3);
      gate.open();
      const tasks = await Promise.all(beside.map((task) => running.task(task.id, "30s")));
      expect(tasks.map(({ status, attempt }) => [status, attempt])).toEqual([
        ["succeeded", 1],
        ["succeeded", 1],
      ]);
      expect(tasks.map(attemptsOf).toSorted((a, b) => a.length - b.length)).toEqual([
        [[1, "succeeded"]],
        [
          [1, "interrupted"],
          [1, "succeeded"],
        ],
      ]);
      expect(gate.asked()).toBe(3);
    },
    limitMs,
  );

  test(
    "longer than a timer can count does not end the attempt at once",
    async () => {
      await using running = await startTestSystem();
      const { id } = await running.accept({ type: "sleep", payload: { ms: 100 }, timeout: "30d" });
      expect(attemptsOf(await running.task(id, "30s"))).toEqual([[1, "succeeded"]]);
    },
    limitMs,
  );
});

test(
  "a crash of a thread counts against the task that caused it, and not against those beside it",
  async () => {
    await using running = await startTestSystem({ threads: "1" });
    await using gate = startGate();
    const innocents = [await running.accept(gate.task()), await running.accept(gate.task())];
    await gate.held(2);
    const culprit = await running.accept({ type: "crash", max_attempts: 1 });

    // Each of the three may have done it: each runs alone now. The first innocent is held until the gate opens.
    await eventually(() => threadsEnded(running).length > 0);
    gate.open();
    const dead = await running.task(culprit.id, "30s");
    expect(dead).toMatchObject({ status: "dead", attempt: 1, error: { type: "crashed" } });
    expect(attemptsOf(dead)).toEqual([
      [1, "interrupted"],
      [1, "crashed"],
    ]);
    for (const { id } of innocents) {
      const task = await running.task(id, "30s");
      expect(task).toMatchObject({ status: "succeeded", attempt: 1 });
      expect(attemptsOf(task)).toEqual([
        [1, "interrupted"],
        [1, "succeeded"],
      ]);
    }
    expect(threadsEnded(running)).toHaveLength(2);
  },
  limitMs,
);

test(
  "a handler that runs longer than three times the visibility timeout runs once, whether it yields or not",
  async () => {
    await using running = await startTestSystem({ visibilityTimeout: "2s", threads: "2" });
    const slow = await running.accept({ type: "sleep", payload: { ms: 7000 } });
    const spinning = await running.accept({ type: "spin", timeout: "6s", max_attempts: 2 });
    expect(attemptsOf(await running.task(slow.id, "30s"))).toEqual([[1, "succeeded"]]);
    const first = await eventually(async () => {
      const [attempt] = (await running.task(spinning.id)).attempts;
      return attempt?.outcome !== null && attempt;
    });
    expect(first).toMatchObject({ number: 1, outcome: "timed_out" });
    expect(running.lines.filter(({ msg }) => msg.startsWith("lease lost"))).toEqual([]);
  },
  limitMs,
);

describe("a worker", () => {
  test(
    "takes no more messages than tasks can start at once, those included that it is about to start",
    async () => {
      await using running = await startTestSystem({ threads: "1", threadConcurrency: "2" });
      await using gate = startGate();
      const queue = await openSqsQueue(running, "task-events");
      for (let count = 0; count < 5; count++) await running.accept(gate.task());
      await gate.held(2);
      expect(await queue.depth()).toEqual({ visible: 3, inFlight: 2 });
      gate.open();
      await eventually(async () => Bun.deepEquals(await queue.depth(), { visible: 0, inFlight: 0 }));
    },
    limitMs,
  );

  test(
    "gives a seat up once: by a message that is not run, and by a task when it starts",
    async () => {
      await using running = await startTestSystem({ threads: "1", threadConcurrency: "1" });
      await using gate = startGate();
      await using nextGate = startGate();
      const queue = await openSqsQueue(running, "task-events");
      await queue.send("not JSON");
      await queue.send(encodeTask({ taskId: newTaskId(), type: "echo" }));
      await running.accept(gate.task());
      await gate.held(1);
      for (let count = 0; count < 3; count++) await running.accept(nextGate.task());
      gate.open();
      await nextGate.held(1);
      await eventually(async () => Bun.deepEquals(await queue.depth(), { visible: 2, inFlight: 1 }), patience);
    },
    limitMs,
  );

  test(
    "that drains gives back at once what waits for a thread of its own, and finishes what runs",
    async () => {
      await using running = await startTestSystem({ threads: "1", handlers: stubbornHandlers, drainTimeout: "60s" });
      await using gate = startGate();
      const shared = await running.accept(gate.task());
      await gate.held(1);
      const exclusive = await running.accept({ type: "alone" });
      const stored = (): unknown[] =>
        running.rows("SELECT status, attempt FROM tasks WHERE type IN ('alone', 'http') ORDER BY type");
      const held = { status: "running", attempt: 1 };
      await eventually(() => Bun.deepEquals(stored(), [held, held]), patience);
      const drained = running.system.drain();
      await eventually(() => Bun.deepEquals(stored(), [{ status: "queued", attempt: 0 }, held]), patience);
      gate.open();
      await drained;
      expect(stored()).toEqual([
        { status: "queued", attempt: 0 },
        { status: "succeeded", attempt: 1 },
      ]);
      expect(await linesOf(running, exclusive.id, "attempt interrupted, the task goes back", 1)).toHaveLength(1);
      expect(await linesOf(running, shared.id, "task succeeded", 1)).toHaveLength(1);
    },
    limitMs,
  );

  test(
    "ends a thread with a task that ignores its signal when the others on it have finished, and not before",
    async () => {
      await using running = await startTestSystem({ threads: "1", handlers: stubbornHandlers });
      await using gate = startGate();
      const innocent = await running.accept(gate.task());
      await gate.held(1);
      const culprit = await running.accept({ type: "ignore-signal", timeout: "100ms", max_attempts: 1 });
      await eventually(
        () => running.lines.some(({ msg }) => msg === "handler thread takes no new task, another takes its place"),
        patience,
      );
      const beside = await running.accept({ type: "echo" });
      expect(await running.task(beside.id, "30s")).toMatchObject({ status: "succeeded" });
      expect([(await running.task(culprit.id)).status, threadsEnded(running)]).toEqual(["running", []]);
      gate.open();
      expect(attemptsOf(await running.task(innocent.id, "30s"))).toEqual([[1, "succeeded"]]);
      const dead = await running.task(culprit.id, "30s");
      expect([dead.status, attemptsOf(dead)]).toEqual(["dead", [[1, "timed_out"]]]);
      expect(threadsEnded(running)).toHaveLength(1);
    },
    limitMs,
  );
});

test(
  "a task with a delay does not start early, and does start",
  async () => {
    await using running = await startTestSystem();
    const { id, status, run_at: runAt } = await running.accept({ type: "echo", delay: "1s" });
    expect(status).toBe("scheduled");
    const task = await running.task(id, "30s");
    expect(task).toMatchObject({ status: "succeeded", run_at: runAt });
    expect(Date.parse(task.started_at ?? "")).toBeGreaterThanOrEqual(Date.parse(runAt));
    expect(attemptsOf(task)).toEqual([[1, "succeeded"]]);
  },
  limitMs,
);

describe("the queue", () => {
  test(
    "may deliver a message twice: its task runs once",
    async () => {
      await using running = await startTestSystem({ visibilityTimeout: "2s" });
      await using gate = startGate();
      const queue = await openSqsQueue(running, "task-events");
      const { id } = await running.accept(gate.task());
      await gate.held(1);
      await queue.send(encodeTask({ taskId: id, type: "http" }));
      // Both copies are out, and what came after the second one has been handled: so it has been refused its claim.
      await eventually(async () => (await queue.depth()).inFlight === 2);
      const later = await running.accept({ type: "echo" });
      expect(await running.task(later.id, "30s")).toMatchObject({ status: "succeeded" });
      gate.open();
      expect(attemptsOf(await running.task(id, "30s"))).toEqual([[1, "succeeded"]]);

      await queue.send(encodeTask({ taskId: id, type: "http" }));
      await eventually(async () => Bun.deepEquals(await queue.depth(), { visible: 0, inFlight: 0 }));
      expect(attemptsOf(await running.task(id))).toEqual([[1, "succeeded"]]);
      expect(gate.asked()).toBe(1);
    },
    limitMs,
  );

  test(
    "may deliver a message before its time: its task waits all the same",
    async () => {
      await using running = await startTestSystem();
      const queue = await openSqsQueue(running, "task-events");
      const { id } = await running.accept({ type: "echo", delay: "1h" });
      await queue.send(encodeTask({ taskId: id, type: "echo" }));
      await eventually(async () => (await queue.depth()).inFlight === 1);
      const later = await running.accept({ type: "echo" });
      expect(await running.task(later.id, "30s")).toMatchObject({ status: "succeeded" });
      expect(await running.task(id)).toMatchObject({ status: "scheduled", attempts: [] });
    },
    limitMs,
  );

  test(
    "may hold what nobody can read: it is kept as it is among the dead letters, and tasks go on",
    async () => {
      await using running = await startTestSystem();
      const queue = await openSqsQueue(running, "task-events");
      const deadLetters = await openSqsQueue(running, "task-events-dlq");
      const stranger = encodeTask({ taskId: newTaskId(), type: "echo" });
      const bodies = ["not JSON", '{"v":1,"type":"echo"}', '{"v":2}', stranger];
      for (const body of bodies) await queue.send(body, { foreign: { DataType: "String", StringValue: "left alone" } });
      const { id } = await running.accept({ type: "echo" });

      const kept = await eventually(() => {
        const rows = running.rows("SELECT body, attributes, reason FROM tasks_unreadable ORDER BY received_at");
        return rows.length === bodies.length && rows;
      });
      const shown = kept.map(({ body, reason }) => ({ body, reason }));
      expect(new Set(shown)).toEqual(
        new Set([
          { body: "not JSON", reason: "unreadable" },
          { body: '{"v":1,"type":"echo"}', reason: "unreadable" },
          { body: '{"v":2}', reason: "unreadable" },
          { body: stranger, reason: "unknown_task" },
        ]),
      );
      for (const { attributes, reason } of kept) {
        const dead = { foreign: "left alone", source_queue: "task-events", dead_reason: reason };
        expect(JSON.parse(String(attributes))).toMatchObject(dead);
      }
      expect(await running.task(id, "30s")).toMatchObject({ status: "succeeded" });
      for (const each of [queue, deadLetters]) {
        await eventually(async () => Bun.deepEquals(await each.depth(), { visible: 0, inFlight: 0 }));
      }
    },
    limitMs,
  );
});

test(
  "a dead letter has no more attributes than SQS allows, however many the message came with",
  async () => {
    await using running = await startTestSystem();
    const queue = await openSqsQueue(running, "task-events");
    const names = Array.from({ length: 10 }, (_, n) => `foreign_${n}`);
    await queue.send(
      "not JSON",
      Object.fromEntries(names.map((name) => [name, { DataType: "String", StringValue: "x" }])),
    );
    const [kept] = await eventually(() => {
      const rows = running.rows("SELECT attributes FROM tasks_unreadable");
      return rows.length > 0 && rows;
    });
    const attributes = JSON.parse(String(kept?.attributes));
    expect(attributes).toMatchObject({ dead_reason: "unreadable", source_queue: "task-events" });
    expect(Object.keys(attributes).length).toBeLessThanOrEqual(10);
  },
  limitMs,
);

/** The log lines about a task that say `msg`, once there are `count`. */
function linesOf(running: TestSystem, id: string, msg: string, count: number): Promise<Record<string, unknown>[]> {
  return eventually(() => {
    const found = running.lines.filter((line) => line.task_id === id && line.msg === msg);
    return found.length >= count && found;
  });
}

function threadsEnded({ lines }: TestSystem): unknown[] {
  return lines.filter(({ msg }) => msg === "handler thread ended, another takes its place");
}

function serve(answer: () => Response): AsyncDisposable & { url: string } {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) };
}
