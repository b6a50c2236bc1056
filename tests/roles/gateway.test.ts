/** The HTTP edge, asked over HTTP, in front of the real system. Long because its tables of bad input are. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { newTaskId } from "../../src/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { sendBytes } from "../support/raw-request.ts";
import { type HttpTask, startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";

const startingMs = 30_000;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const traceresponse = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

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
    const before = stored();
    const other = await running.submit({ type: "echo", payload: 4 }, headers);
    expect(await problemOf(other)).toMatchObject({ status: 422, code: "idempotency_mismatch" });
    expect(stored()).toEqual(before);
  });
});

/** How much the store holds. */
function stored(): Record<string, unknown>[] {
  return running.rows(`
    SELECT (SELECT count(*) FROM tasks) AS tasks,
           (SELECT count(*) FROM tasks_timeline WHERE from_status IS NULL) AS timelines,
           (SELECT count(*) FROM tasks_keys) AS keys`);
}

interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  trace_id: string;
  errors?: { pointer: string; detail: string }[];
}

/** The problem that an answer is, once everything that each must have is seen to be there. */
async function problemOf(answer: Response): Promise<Problem> {
  const problem: Problem = await answer.json();
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.headers.get("x-request-id")).toMatch(uuid);
  expect(answer.headers.get("x-correlation-id")).toMatch(uuid);
  expect(answer.headers.get("traceresponse")).toMatch(traceresponse);
  // No matchers in here: Bun writes them into the object that is looked at.
  const traceId = answer.headers.get("traceresponse")?.split("-")[1] ?? "none";
  expect(problem).toMatchObject({ type: "about:blank", status: answer.status, trace_id: traceId });
  expect([problem.title, problem.detail, problem.code].filter((text) => text === "")).toEqual([]);
  return problem;
}

describe("bad input", () => {
  const invalid = { status: 400, code: "invalid_argument" };
  const missing = newTaskId();
  const bodies: [what: string, body: string | Uint8Array<ArrayBuffer>, pointers: string[], detail: RegExp][] = [
    ["nothing", "", [], /not JSON/],
    ["what is not JSON", '{"type":', [], /not JSON/],
    ["what is not UTF-8", Uint8Array.from([0x22, 0xff, 0x22]), [], /not UTF-8/],
    ["a list", "[]", [""], /object/],
    ["no type", '{"payload":1}', ["/type"], /string/],
    ["an empty type", '{"type":""}', ["/type"], /./],
    ["an unknown field", '{"type":"echo","payloat":1}', ["/payloat"], /unknown field/],
    ["a field named __proto__", '{"type":"echo","__proto__":1}', ["/__proto__"], /unknown field/],
    [
      "wrong types, all of them told at once",
      '{"type":3,"delay":4,"run_at":"tomorrow","timeout":"5","max_attempts":"6","metadata":{"a/b":7}}',
      ["/type", "/delay", "/run_at", "/timeout", "/max_attempts", "/metadata/a~1b"],
      /string/,
    ],
    ["both delay and run_at", '{"type":"echo","delay":"1s","run_at":"2126-01-01T00:00:00Z"}', ["/run_at"], /not both/],
    ["a negative delay", '{"type":"echo","delay":"-1s"}', ["/delay"], /such as/],
    ["a delay beyond all dates", '{"type":"echo","delay":"100000000d"}', ["/delay"], /up to 9999d/],
    ["a deadline of 0", '{"type":"echo","timeout":"0s"}', ["/timeout"], /above 0/],
    ["no attempt", '{"type":"echo","max_attempts":0}', ["/max_attempts"], /./],
    ["101 attempts", '{"type":"echo","max_attempts":101}', ["/max_attempts"], /./],
    ["33 entries of metadata", metadata(33), ["/metadata"], /32/],
    ["65 levels", `{"type":"echo","payload":${"[".repeat(64)}${"]".repeat(64)}}`, [], /64 levels/],
    ["90,000 levels", "[".repeat(90_000), [], /64 levels/],
    ["a type that nobody runs", '{"type":"send-fax"}', [], /"send-fax"; known types are "crash", "echo", .*"spin"/],
  ];
  test.each(bodies)("in the body is refused: %s", async (_what, body, pointers, detail) => {
    const before = stored();
    const problem = await problemOf(await post("/v1/tasks", body));
    expect(problem).toMatchObject({ ...invalid, detail: expect.stringMatching(detail) });
    expect((problem.errors ?? []).map(({ pointer }) => pointer)).toEqual(pointers);
    expect(stored()).toEqual(before);
  });

  const requests: [what: string, method: string, path: string, status: number, code: string, detail: RegExp][] = [
    ["an unknown parameter", "POST", "/v1/tasks?force=1", 400, "invalid_argument", /"force"/],
    ["an unknown parameter", "GET", `/v1/tasks/${missing}?waits=1s`, 400, "invalid_argument", /"waits"/],
    ["an unknown parameter", "GET", `/tasks/${missing}/timeline?wait=1s`, 400, "invalid_argument", /"wait"/],
    ["a wait without a unit", "GET", `/v1/tasks/${missing}?wait=20`, 400, "invalid_argument", /"20"/],
    ["a wait over a minute", "GET", `/v1/tasks/${missing}?wait=61s`, 400, "invalid_argument", /60s/],
    ["a task that is not there", "GET", `/v1/tasks/${missing}`, 404, "not_found", new RegExp(missing)],
    ["a task that is not there, waited for", "GET", `/v1/tasks/${missing}?wait=20s`, 404, "not_found", /no task/],
    ["a task that is not there", "GET", `/v1/tasks/${missing}/timeline`, 404, "not_found", new RegExp(missing)],
    ["an id that is none", "GET", "/v1/tasks/1%27%20OR%201", 404, "not_found", /no task/],
    ["a path that is not there", "GET", "/v1/nothing", 404, "not_found", /GET \/v1\/nothing/],
    [
      "a parameter that is there twice",
      "GET",
      `/v1/tasks/${missing}?wait=1s&wait=2s`,
      400,
      "invalid_argument",
      /"wait"/,
    ],
    ["a path below another", "GET", `/v1/tasks/${missing}/timeline/1`, 404, "not_found", /nothing at GET/],
    ["health below /v1", "GET", "/v1/health", 404, "not_found", /nothing at GET/],
  ];
  test.each(requests)("is refused: %s (%s %s)", async (_what, method, path, status, code, detail) => {
    const before = stored();
    const answer = await fetch(`${running.url}${path}`, { method, body: method === "POST" ? '{"type":"echo"}' : null });
    expect(await problemOf(answer)).toMatchObject({ status, code, detail: expect.stringMatching(detail) });
    expect(stored()).toEqual(before);
  });

  test.each([
    ["PUT", "/v1/tasks", "GET, HEAD, OPTIONS, POST"],
    ["DELETE", "/tasks", "GET, HEAD, OPTIONS, POST"],
    ["DELETE", `/v1/tasks/${missing}`, "GET, HEAD, OPTIONS"],
    ["POST", "/v1/dead-letters/unreadable", "GET, HEAD, OPTIONS"],
    ["POST", "/health", "GET, HEAD, OPTIONS"],
    ["GET", "/v1/tasks/batch", "OPTIONS, POST"],
    ["PROPFIND", "/v1/dead-letters", "GET, HEAD, OPTIONS"],
  ])("in the method is refused, and the methods of that path are told: %s %s", async (method, path, allow) => {
    const before = stored();
    const answer = await fetch(`${running.url}${path}`, { method });
    expect(answer.headers.get("allow")).toBe(allow);
    const detail = `${path} does not take ${method}; it takes ${allow}`;
    expect(await problemOf(answer)).toMatchObject({ status: 405, code: "method_not_allowed", detail });
    expect(stored()).toEqual(before);
  });

  test.each([[""], ["k".repeat(256)]])("in the Idempotency-Key is refused: %p", async (key) => {
    const before = stored();
    const problem = await problemOf(await running.submit({ type: "echo" }, { "idempotency-key": key }));
    expect(problem).toMatchObject({ ...invalid, detail: expect.stringContaining("Idempotency-Key") });
    expect(stored()).toEqual(before);
  });

  test("that is too large is refused, whether its length is announced or not", async () => {
    const before = stored();
    const large = JSON.stringify({ type: "echo", payload: "x".repeat(256 * 1024) });
    for (const body of [large, new Blob([large]).stream()]) {
      const problem = await problemOf(await post("/v1/tasks", body));
      expect(problem).toMatchObject({ status: 413, code: "payload_too_large" });
    }
    expect(stored()).toEqual(before);
  });

  test.each([
    ["is only announced", "content-length: 1000000000\r\n\r\n{"],
    ["never ends", `transfer-encoding: chunked\r\n\r\n${`4000\r\n${"x".repeat(0x4000)}\r\n`.repeat(20)}`],
  ])("that is too large is refused without waiting for the rest of it: the body %s", async (_how, rest) => {
    const answer = await sendBytes(running.url, `POST /v1/tasks HTTP/1.1\r\nhost: gateway\r\n${rest}`);
    expect(answer).toStartWith("HTTP/1.1 413 ");
    expect(answer).toMatch(/^content-type: application\/problem\+json\r$/im);
    for (const header of ["x-request-id", "x-correlation-id", "traceresponse"]) {
      expect(answer).toMatch(new RegExp(`^${header}: .+\r$`, "im"));
    }
    expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")))).toMatchObject({ code: "payload_too_large" });
  });
});

function metadata(entries: number): string {
  return JSON.stringify({
    type: "echo",
    metadata: Object.fromEntries(Array.from({ length: entries }, (_, n) => [n, "x"])),
  });
}

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

describe("who asks and in which trace", () => {
  test("is kept from the caller's headers, on the answer, the task and its log lines", async () => {
    const headers = { "x-request-id": "request/1", "x-correlation-id": "Order_7.b-2" };
    const answer = await running.submit({ type: "echo" }, headers);
    const { id, trace_id: traceId }: HttpTask = await answer.json();
    expect(answer.headers.get("x-request-id")).toBe("request/1");
    expect(answer.headers.get("x-correlation-id")).toBe("Order_7.b-2");
    expect(await running.task(id, "20s")).toMatchObject({ correlation_id: "Order_7.b-2" });
    const about = await eventually(() => {
      const lines = running.lines.filter((line) => line.task_id === id);
      return lines.length >= 3 && lines;
    });
    expect(about.map(({ service, msg }) => `${service}: ${msg}`)).toEqual([
      "task-service: task created",
      "worker: task started",
      "worker: task succeeded",
    ]);
    for (const line of about) expect(line).toMatchObject({ correlation_id: "Order_7.b-2", trace_id: traceId });
  });

  test.each([
    ["x-request-id", "two words"],
    ["x-request-id", "r".repeat(129)],
    ["x-correlation-id", "a/b"],
    ["x-correlation-id", "c".repeat(65)],
    ["x-correlation-id", "ä"],
  ])("is made anew when %s is %p", async (header, value) => {
    const answer = await running.submit({ type: "echo" }, { [header]: value });
    expect(answer.status).toBe(202);
    expect(answer.headers.get(header)).toMatch(uuid);
  });

  test("continues the caller's trace, and keeps to its decision on sampling", async () => {
    for (const flags of ["01", "00"]) {
      const traceId = crypto.randomUUID().replaceAll("-", "");
      const answer = await running.submit({ type: "echo" }, { traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}` });
      const task: HttpTask = await answer.json();
      expect(task.trace_id).toBe(traceId);
      const [, answered, spanId, answeredFlags] = traceresponse.exec(answer.headers.get("traceresponse") ?? "") ?? [];
      expect({ answered, answeredFlags }).toEqual({ answered: traceId, answeredFlags: flags });
      expect(spanId).not.toBe("00f067aa0ba902b7");
      const { attempts } = await running.task(task.id, "20s");
      expect(attempts.map(({ trace_id }) => trace_id)).toEqual([traceId]);
    }
  });

  test("starts a new trace when the caller's cannot be read", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const task = await running.accept({ type: "echo" }, { traceparent: `00-${traceId}-short-01` });
    expect(task.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(task.trace_id).not.toBe(traceId);
  });
});

test(
  "an outside trace is not continued when it is not trusted",
  async () => {
    await using untrusting = await startTestSystem({ trustTraceContext: "false" });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const task = await untrusting.accept({ type: "echo" }, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    expect(task.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(task.trace_id).not.toBe(traceId);
    const { attempts } = await untrusting.task(task.id, "20s");
    expect(attempts.map(({ trace_id }) => trace_id)).toEqual([task.trace_id]);
  },
  startingMs,
);

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
      expect(await problemOf(answer)).toMatchObject({ status: 503, code: "unavailable" });
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
