/** Tasks that their user calls off, over HTTP, while they wait and while they run on real threads. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { newTaskId } from "../../src/words/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { type Gate, startGate } from "../support/gate.ts";
import { problemOf } from "../support/http-problem.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { sharedSystem } from "../support/shared-system.ts";
import { startStoreThread } from "../support/sqlite-store.ts";
import { actorAt } from "../support/stored-tasks.ts";
import { type HttpTask, startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";
import { stubbornHandlers } from "../support/test-pool.ts";

const limitMs = 90_000;
const oneSlot: TestFlags = { threads: "1", threadConcurrency: "1" };
/** The worker prolongs its leases, and so learns of a cancel, every third of this. */
const quickLeases: TestFlags = { visibilityTimeout: "2s" };
const neverAgain: TestFlags = { retryBase: "1h", retryCap: "1h" };

function post(running: TestSystem, path: string): Promise<Response> {
  return fetch(`${running.url}/v1${path}`, { method: "POST" });
}

/** Throws unless the cancel is taken. */
async function cancel(running: TestSystem, id: string): Promise<HttpTask> {
  const answer = await post(running, `/tasks/${id}/cancel`);
  if (answer.status !== 202) throw new Error(`not canceled: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** A task of the kind that waits at the gate, once its handler has begun. */
async function acceptHeld(running: TestSystem, gate: Gate, more = {}): Promise<HttpTask> {
  const task = await running.accept({ ...gate.task(), ...more });
  await gate.held(1);
  return task;
}

function statesOf(running: TestSystem, id: string): unknown[] {
  const rows = running.rows(`SELECT to_status FROM tasks_timeline WHERE task_id = '${id}' ORDER BY version`);
  return rows.map(({ to_status: status }) => status);
}

async function countCanceled({ adminUrl }: TestSystem): Promise<Map<string, number>> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  const canceled = series.filter(
    ({ name, labels }) => name === "tasks_processed_total" && labels.status === "canceled",
  );
  return new Map(canceled.map(({ labels, value }) => [labels.task_type ?? "none", value]));
}

test(
  "a task that waits behind others is canceled at once, and never starts",
  async () => {
    await using running = await startTestSystem(oneSlot);
    await using gate = startGate();
    await acceptHeld(running, gate);
    const { id } = await running.accept({ type: "echo", payload: "never" });
    const answered = await cancel(running, id);
    expect(answered).toMatchObject({ id, status: "canceled", attempt: 0, error: null, attempts: [] });
    expect(answered.ended_at).not.toBeNull();

    const later = await running.accept({ type: "echo" });
    gate.open();
    expect(await running.task(later.id, "60s")).toMatchObject({ status: "succeeded" });
    expect(await running.task(id)).toEqual(answered);
    expect(statesOf(running, id)).toEqual(["queued", "canceled"]);
    expect(await countCanceled(running)).toEqual(new Map([["echo", 1]]));
  },
  limitMs,
);

describe("a task that waits", () => {
  const system = sharedSystem(neverAgain);

  test(
    "for its time is canceled at once, and does not start when the time has come",
    async () => {
      const running = system();
      const { id } = await running.accept({ type: "echo", delay: "1s" });
      expect(await cancel(running, id)).toMatchObject({ status: "canceled", attempts: [] });
      const later = await running.accept({ type: "echo", delay: "2s" });
      expect(await running.task(later.id, "60s")).toMatchObject({ status: "succeeded" });
      expect(statesOf(running, id)).toEqual(["scheduled", "canceled"]);
    },
    limitMs,
  );

  test(
    "for its next attempt is canceled with the error of the last, and gets none",
    async () => {
      const running = system();
      const { id } = await running.accept({ type: "fail", payload: { message: "no luck" } });
      await eventually(async () => (await running.task(id)).status === "retrying");
      const answered = await cancel(running, id);
      expect(answered).toMatchObject({ status: "canceled", attempt: 1, error: { type: "Error", message: "no luck" } });
      expect(statesOf(running, id)).toEqual(["queued", "running", "retrying", "canceled"]);
    },
    limitMs,
  );

  test(
    "answers whoever waits for its end",
    async () => {
      const running = system();
      const { id } = await running.accept({ type: "echo", delay: "1h" });
      const waiting = running.task(id, "60s");
      // A later request is answered: by then this one has come to the gateway.
      await running.task(id);
      const answered = await cancel(running, id);
      expect(await waiting).toEqual(answered);
    },
    limitMs,
  );
});

test(
  "a task that is called off, and whose attempt fails before its worker has heard of it, is told as canceled",
  async () => {
    // The worker hears of it within a third of the lease.
    await using running = await startTestSystem({ visibilityTimeout: "60s", retryBase: "1ms" });
    const { id } = await running.accept({ type: "sleep", payload: { ms: 600_000 }, timeout: "3s" });
    await eventually(async () => (await running.task(id)).status === "running");
    await cancel(running, id);
    expect(await running.task(id, "60s")).toMatchObject({ status: "canceled", attempt: 1 });
    const canceled = "task canceled while it ran";
    const last = await eventually(() => running.lines.find(({ task_id, msg }) => task_id === id && msg === canceled));
    expect(last).toMatchObject({ level: "info", error: { type: "timed_out" } });
    expect(running.lines.filter(({ msg }) => msg === "attempt failed, another follows")).toEqual([]);
  },
  limitMs,
);

describe("a task that runs", () => {
  const system = sharedSystem({ ...quickLeases, handlers: stubbornHandlers });

  test(
    "ends canceled when its worker next prolongs the lease: one attempt, and no further one",
    async () => {
      const running = system();
      const { id } = await running.accept({ type: "sleep", payload: { ms: 600_000 }, timeout: "1h" });
      await eventually(async () => (await running.task(id)).status === "running");
      expect(await cancel(running, id)).toMatchObject({ id, status: "running", attempt: 1, ended_at: null });

      const task = await running.task(id, "60s");
      expect(task).toMatchObject({ status: "canceled", attempt: 1, result: null, error: null });
      expect(task.attempts.map(({ number, outcome, error }) => ({ number, outcome, error }))).toEqual([
        { number: 1, outcome: "canceled", error: { type: "canceled", message: "the task was canceled while it ran" } },
      ]);
      expect(statesOf(running, id)).toEqual(["queued", "running", "canceled"]);
      await eventually(async () => (await countCanceled(running)).get("sleep") === 1);
      const about = running.lines.filter((line) => line.task_id === id).map(({ service, msg }) => `${service}: ${msg}`);
      expect(about).toEqual([
        "task-service: task created",
        "worker: task started",
        "task-service: task canceled while it runs",
        "worker: task canceled while it ran",
      ]);
    },
    limitMs,
  );

  test(
    "has its signal aborted",
    async () => {
      const running = system();
      await using gate = startGate();
      const { id } = await acceptHeld(running, gate);
      await cancel(running, id);
      await gate.left(1);
      expect(await running.task(id, "60s")).toMatchObject({ status: "canceled", attempt: 1 });
      expect(gate.asked()).toBe(1);
    },
    limitMs,
  );

  test(
    "by its state, but waits for a thread of its own, ends canceled without its handler being begun",
    async () => {
      const running = system();
      await using gate = startGate();
      // One on each of the two threads.
      await running.accept(gate.task());
      await running.accept(gate.task());
      await gate.held(2);
      const { id } = await running.accept({ type: "alone" });
      await eventually(async () => (await running.task(id)).status === "running");
      await cancel(running, id);
      expect(await running.task(id, "60s")).toMatchObject({ status: "canceled", attempt: 1, result: null });
      // The thread was kept free for it; it takes others again.
      const later = await running.accept({ type: "echo" });
      expect(await running.task(later.id, "60s")).toMatchObject({ status: "succeeded" });
      gate.open();
    },
    limitMs,
  );

  test(
    "learns of a cancel that another process has written",
    async () => {
      const running = system();
      await using gate = startGate();
      const { id } = await acceptHeld(running, gate);
      await using other = await startStoreThread(running.dataDir);
      const waiting = running.task(id, "60s");
      const store = await other.connect();
      expect(await store.cancel(id, actorAt(Date.now()), ROOT_CONTEXT)).toMatchObject({ kind: "requested" });
      await gate.left(1);
      expect(await waiting).toMatchObject({ status: "canceled", attempt: 1 });
    },
    limitMs,
  );

  test(
    "and ignores its signal is ended with its thread, and another takes its place",
    async () => {
      const running = system();
      const { id } = await running.accept({ type: "spin", timeout: "1h" });
      await eventually(async () => (await running.task(id)).status === "running");
      await cancel(running, id);
      expect(await running.task(id, "60s")).toMatchObject({ status: "canceled", attempt: 1 });
      const { id: next } = await running.accept({ type: "echo" });
      expect(await running.task(next, "60s")).toMatchObject({ status: "succeeded" });
      expect(statesOf(running, id)).toEqual(["queued", "running", "canceled"]);
    },
    limitMs,
  );
});

describe("a task whose handler has ended before its worker learns of the cancel", () => {
  // It learns only when it prolongs its leases, every twenty minutes here.
  const system = sharedSystem({ ...neverAgain, visibilityTimeout: "1h" });

  test.each([
    ["succeeded", 200, "succeeded", ["succeeded"]],
    ["may be tried again", 503, "canceled", ["failed"]],
    ["has failed for good", 400, "dead", ["failed"]],
  ])(
    "ends as that made it end, and is not tried again: %s",
    async (_how, answer, status, outcomes) => {
      const running = system();
      const asked = Promise.withResolvers<void>();
      const opened = Promise.withResolvers<void>();
      await using shop = serve(async () => {
        asked.resolve();
        await opened.promise;
        return new Response(null, { status: answer });
      });
      const { id } = await running.accept({ type: "http", payload: { url: shop.url } });
      await asked.promise;
      await cancel(running, id);
      opened.resolve();
      const task = await running.task(id, "60s");
      expect(task).toMatchObject({ status, attempt: 1 });
      expect(task.attempts.map(({ outcome }) => outcome)).toEqual(outcomes);
    },
    limitMs,
  );

  test(
    "is, like every task that has ended, not to be canceled: that is refused, and changes nothing",
    async () => {
      const running = system();
      const ended = [
        await running.accept({ type: "echo" }),
        await running.accept({ type: "fail", payload: { fatal: true } }),
        await running.accept({ type: "echo", delay: "1h" }),
      ];
      await cancel(running, ended[2]?.id ?? "");
      for (const { id } of ended) await running.task(id, "60s");
      const waiting = await running.accept({ type: "echo", delay: "1h" });
      const missing = newTaskId();
      const before = stored(running);

      const refusals: [path: string, status: number, code: string, detail: string][] = [
        [`/tasks/${ended[0]?.id}/cancel`, 409, "conflict", "the task is succeeded already"],
        [`/tasks/${ended[1]?.id}/cancel`, 409, "conflict", "the task is dead already"],
        [`/tasks/${ended[2]?.id}/cancel`, 409, "conflict", "the task is canceled already"],
        [`/tasks/${missing}/cancel`, 404, "not_found", `there is no task "${missing}"`],
        ["/tasks/7/cancel", 404, "not_found", 'there is no task "7"'],
        [`/tasks/${waiting.id}/cancel?force=1`, 400, "invalid_argument", 'unknown query parameter "force"'],
      ];
      for (const [path, status, code, detail] of refusals) {
        expect(await problemOf(await post(running, path))).toMatchObject({ status, code, detail });
      }
      expect(stored(running)).toEqual(before);
    },
    limitMs,
  );
});

function stored(running: TestSystem): unknown {
  return [running.rows("SELECT * FROM tasks ORDER BY id"), running.rows("SELECT * FROM tasks_timeline")];
}

function serve(answer: () => Promise<Response>): AsyncDisposable & { url: string } {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: answer });
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) };
}
