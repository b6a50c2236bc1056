/** The HTTP edge, asked over HTTP, in front of the real system. What it refuses is in gateway-refusals.test.ts. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { newTaskId } from "../../src/words/task-id.ts";
import { traceresponse, uuid, wholeProblemOf } from "../support/gateway-answer.ts";
import { storedCounts } from "../support/stored-counts.ts";
import { type HttpTask, startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";

const startingMs = 30_000;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

let running: TestSystem;
beforeAll(async () => {
  running = await startTestSystem();
}, startingMs);
afterAll(() => running?.[Symbol.asyncDispose](), startingMs);

function post(path: string, body: BodyInit | null, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${running.url}${path}`, { method: "POST", body, headers });
}

describe("a task that is accepted", () => {
  test("is answered with 202, its address and every field", async () => {
    const asked = { type: "sleep", payload: { ms: 0 }, delay: "1h", max_attempts: 3, metadata: { shop: "7" } };
    const answer = await running.submit(asked);
    const task: HttpTask = await answer.json();
    expect(answer.status).toBe(202);
    expect(answer.headers.get("content-type")).toStartWith("application/json");
    expect(answer.headers.get("location")).toBe(`/v1/tasks/${task.id}`);
    expect(answer.headers.get("x-request-id")).toMatch(uuid);
    expect(answer.headers.get("traceresponse")).toMatch(traceresponse);
    expect(task).toEqual({
      id: expect.stringMatching(uuid),
      type: "sleep",
      status: "scheduled",
      payload: { ms: 0 },
      result: null,
      error: null,
      attempt: 0,
      max_attempts: 3,
      correlation_id: answer.headers.get("x-correlation-id") ?? "none",
      trace_id: answer.headers.get("traceresponse")?.split("-")[1] ?? "none",
      metadata: { shop: "7" },
      created_at: expect.stringMatching(rfc3339),
      run_at: expect.stringMatching(rfc3339),
      started_at: null,
      ended_at: null,
      progress: null,
      attempts: [],
    });
    expect(Date.parse(task.run_at)).toBeGreaterThan(Date.parse(task.created_at) + 3_590_000);
  });

  test("needs nothing but a type", async () => {
    const { id } = await running.accept({ type: "echo" });
    expect(await running.task(id, "20s")).toMatchObject({ status: "succeeded", payload: null, result: null });
  });

  test("keeps whatever JSON it carries", async () => {
    const payload = '{"__proto__":{"a":1},"text":"\\u0000 [[[ ü 漢 𝄞","list":[1.5,-0.1,true,null,{}]}';
    const answer = await post("/v1/tasks", `{"type":"echo","payload":${payload}}`);
    const { id }: HttpTask = await answer.json();
    const task = await running.task(id, "20s");
    expect(JSON.stringify(task.payload)).toBe(payload);
    expect(JSON.stringify(task.result)).toBe(payload);
  });

  test("may name its time with an offset, and a time that is over means now", async () => {
    const later = await running.accept({ type: "echo", run_at: "2126-01-01T02:00:00+02:00" });
    expect(later).toMatchObject({ status: "scheduled", run_at: "2126-01-01T00:00:00.000Z" });
    const now = await running.accept({ type: "echo", run_at: "1999-01-01T00:00:00Z" });
    expect(await running.task(now.id, "20s")).toMatchObject({ status: "succeeded", run_at: now.run_at });
  });

  test("may be as large as 256 KiB and as deep as 64 levels", async () => {
    const around = '{"type":"echo","payload":""}'.length;
    const large = await running.accept({ type: "echo", payload: "x".repeat(256 * 1024 - around) });
    const deep = await post("/v1/tasks", `{"type":"echo","payload":${"[".repeat(63)}${"]".repeat(63)}}`);
    expect(deep.status).toBe(202);
    expect(await running.task(large.id, "20s")).toMatchObject({ status: "succeeded" });
  });

  test("is there under both prefixes", async () => {
    const answer = await post("/tasks", '{"type":"echo","payload":[1]}');
    const { id }: HttpTask = await answer.json();
    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toBe(`/tasks/${id}`);
    const short = await fetch(`${running.url}/tasks/${id}?wait=20s`);
    expect(await short.json()).toEqual(await running.task(id));
    const timelines = ["/tasks", "/v1/tasks"].map((path) => fetch(`${running.url}${path}/${id}/timeline`));
    const [one, other] = await Promise.all(timelines.map(async (timeline) => (await timeline).json()));
    expect(one).toEqual(other);
  });
});

describe("a task that is asked for", () => {
  test("is answered when it ends if the caller waits", async () => {
    const { id } = await running.accept({ type: "sleep", payload: { ms: 300 } });
    const task = await running.task(id, "20s");
    expect(task).toMatchObject({ status: "succeeded", result: { slept_ms: 300 }, attempt: 1 });
    expect(task.attempts).toEqual([
      {
        number: 1,
        started_at: task.started_at ?? "none",
        ended_at: task.ended_at,
        outcome: "succeeded",
        error: null,
        trace_id: task.trace_id,
        worker: expect.stringMatching(/^worker-/),
      },
    ]);
  });

  test("is answered as it is when the wait is over before it ends", async () => {
    const { id } = await running.accept({ type: "echo", delay: "1h" });
    expect(await running.task(id, "50ms")).toMatchObject({ status: "scheduled", ended_at: null });
  });

  test("tells every change of its state", async () => {
    const { id, trace_id: traceId } = await running.accept({ type: "fail", payload: { message: "no", fatal: true } });
    await running.task(id, "20s");
    const answer = await fetch(`${running.url}/v1/tasks/${id}/timeline`);
    const { items }: { items: Record<string, unknown>[] } = await answer.json();
    const always = {
      at: expect.stringMatching(rfc3339),
      duration_ms: expect.any(Number),
      error: null,
      trace_id: traceId,
      span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
    };
    expect(items).toEqual([
      { ...always, from: null, to: "queued", attempt: 0, service: "task-service" },
      { ...always, from: "queued", to: "running", attempt: 1, service: "worker" },
      {
        ...always,
        from: "running",
        to: "failed",
        attempt: 1,
        error: { type: "FatalError", message: "no" },
        service: "worker",
      },
      { ...always, from: "failed", to: "dead", attempt: 1, service: "dlq-processor" },
    ]);
  });
});

describe("the same Idempotency-Key", () => {
  test("with the same body gives the task made first, however many ask at once", async () => {
    const body = { type: "echo", payload: { order: 1 }, metadata: { a: "b" } };
    const headers = { "idempotency-key": "order-1" };
    const answers = await Promise.all(Array.from({ length: 10 }, () => running.submit(body, headers)));
    const seen = answers.map(({ status, headers }) => [status, headers.get("idempotent-replayed")]);
    expect(seen.toSorted()).toEqual([...Array(9).fill([200, "true"]), [202, null]]);
    const tasks: HttpTask[] = await Promise.all(answers.map((answer) => answer.json()));
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(1);
    expect(running.rows("SELECT count(*) AS count FROM tasks WHERE payload = '{\"order\":1}'")).toEqual([{ count: 1 }]);
  });

  test("gives the task as it is by now", async () => {
    const headers = { "idempotency-key": "order-2" };
    const { id } = await running.accept({ type: "echo", payload: 2 }, headers);
    const ended = await running.task(id, "20s");
    const again = await running.submit({ type: "echo", payload: 2 }, headers);
    expect(again.status).toBe(200);
    expect(await again.json()).toEqual(ended);
  });

  test("with another body is refused, and nothing is stored", async () => {
    const headers = { "idempotency-key": "order-3" };
    await running.accept({ type: "echo", payload: 3 }, headers);
    const before = storedCounts(running);
    const other = await running.submit({ type: "echo", payload: 4 }, headers);
    expect(await wholeProblemOf(other)).toMatchObject({ status: 422, code: "idempotency_mismatch" });
    expect(storedCounts(running)).toEqual(before);
  });
});

describe("a caller who only wants to know", () => {
  test("is told by HEAD what GET would say, without a body", async () => {
    const { id } = await running.accept({ type: "echo", delay: "1h" });
    for (const path of [`/v1/tasks/${id}`, `/tasks/${id}/timeline`, "/health"]) {
      const head = await fetch(`${running.url}${path}`, { method: "HEAD" });
      expect([path, head.status, await head.text()]).toEqual([path, 200, ""]);
      expect(head.headers.get("traceresponse")).toMatch(traceresponse);
    }
    const missing = await fetch(`${running.url}/v1/tasks/${newTaskId()}`, { method: "HEAD" });
    expect([missing.status, await missing.text()]).toEqual([404, ""]);
  });

  test("is told by OPTIONS what may be asked of a path", async () => {
    for (const [path, allow] of [
      ["/v1/tasks", "GET, HEAD, OPTIONS, POST"],
      // No id, though it stands where one could.
      ["/dead-letters/redrive", "OPTIONS, POST"],
      ["/v1/dead-letters", "GET, HEAD, OPTIONS"],
    ]) {
      const answer = await fetch(`${running.url}${path}`, { method: "OPTIONS" });
      expect([path, answer.status, answer.headers.get("allow"), await answer.text()]).toEqual([path, 204, allow, ""]);
      expect(answer.headers.get("x-request-id")).toMatch(uuid);
    }
    expect((await fetch(`${running.url}/v1/nothing`, { method: "OPTIONS" })).status).toBe(404);
  });
});

test(
  "while the task service cannot be reached every request is answered with 503 and when to come back",
  async () => {
    // Port 1 of loopback: nobody listens there.
    await using alone = await startTestSystem({ taskServiceUrl: "http://127.0.0.1:1" } satisfies TestFlags);
    const id = newTaskId();
    const answers = [
      alone.submit({ type: "echo" }),
      ...["", "/timeline"].map((p) => fetch(`${alone.url}/v1/tasks/${id}${p}`)),
    ];
    for (const answer of await Promise.all(answers)) {
      expect(answer.headers.get("retry-after")).toBe("1");
      expect(await wholeProblemOf(answer)).toMatchObject({ status: 503, code: "unavailable" });
    }
  },
  startingMs,
);

describe("health", () => {
  test("is the same on the gateway and on the admin address, and never cached", async () => {
    for (const url of [running.url, running.adminUrl]) {
      const answer = await fetch(`${url}/health`);
      expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
      expect(await answer.json()).toEqual({
        status: "healthy",
        checks: {
          database: {
            status: "healthy",
            connections_active: expect.any(Number),
            connections_idle: expect.any(Number),
            connections_max: 1,
          },
          message_queue: { status: "healthy", queues_monitored: 2 },
          workers: { status: "healthy", threads: 2, busy: expect.any(Number), stuck: 0 },
          circuit_breakers: { status: "healthy", open_breakers: 0 },
        },
        uptime_seconds: expect.any(Number),
      });
    }
  });

  test.each(["/health/ready", "/health/live"])("%s says yes with 200", async (path) => {
    for (const url of [running.url, running.adminUrl]) {
      const answer = await fetch(`${url}${path}`);
      expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
      expect(await answer.json()).toEqual({ status: "healthy" });
    }
  });
});
