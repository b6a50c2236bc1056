/** The kit for tests of handlers: all that a handler can do, and what a test then sees. */

import { describe, expect, test } from "bun:test";
import { trace } from "@opentelemetry/api";
import type { HandlerContext, TaskHandler } from "throughline";
import { formatSpans, testTask } from "throughline/testing";
import { z } from "zod";
import type { TestedTask } from "../../src/testing/tested-task.ts";
import { longestRetryAfterMs } from "../../src/worker/handlers/retry-after.ts";
import { rejectionOf } from "../support/rejection.ts";

const copy: TaskHandler = { run: ({ payload }) => payload };

describe("a handler that succeeds", () => {
  test("has its result as JSON has it, and a span", async () => {
    const at = new Date(0);
    const tested = await testTask({ type: "save", run: () => ({ at, no: undefined }) });
    const result = { at: "1970-01-01T00:00:00.000Z" };
    expect(tested).toMatchObject({ status: "succeeded", outcome: "succeeded", result, logs: [], progress: [] });
    expect(tested.error).toBeUndefined();
    expect(tested.attempts).toMatchObject([{ number: 1, outcome: "succeeded", result, fatal: false }]);
    expect(tested.spans).toMatchObject([
      { name: "run save", kind: "internal", status: { code: "unset" }, events: [], children: [] },
    ]);
    expect(tested.spans[0]?.attributes).toMatchObject({ task_type: "save", attempt: 1, "thread.name": "test" });
  });

  test("gets the task that the test asks for", async () => {
    const id = "01920000-0000-7000-8000-000000000000";
    const asked = { id, correlationId: "c-1", metadata: { tenant: "7" }, attempt: 3, type: "other", payload: [1] };
    const { result } = await testTask({ run: (task) => task }, asked);
    expect<unknown>(result).toEqual({ ...asked, payloadText: "[1]" });
  });

  test("tells its lines with secrets masked, and how far it is", async () => {
    const tested = await testTask({
      run: async (_, ctx) => {
        ctx.log.info("asking", { password: "hunter2", error: new TypeError("no") });
        await ctx.progress(0.5);
        ctx.log.debug("done");
        await ctx.progress(1);
      },
    });
    expect(tested.logs).toMatchObject([
      { level: "info", msg: "asking", fields: { password: "REDACTED", error: { type: "TypeError", message: "no" } } },
      { level: "debug", msg: "done", fields: {} },
    ]);
    expect(tested.progress).toEqual([0.5, 1]);
    expect(tested.spans[0]?.events.map(({ name }) => name)).toEqual(["progress", "progress"]);
  });
});

describe("spans", () => {
  const nested: TaskHandler = {
    type: "nest",
    run: (_, ctx) =>
      ctx.tracer.startActiveSpan("outer", async (outer) => {
        const inner = trace.getTracer("a library").startSpan("inner", { attributes: { n: 1 } });
        inner.end();
        await ctx.fetch("https://mail.example/send", { method: "post", body: "hello" });
        outer.end();
      }),
  };

  test("are a tree, those of OpenTelemetry's own API and of ctx.fetch included", async () => {
    const { spans } = await testTask(nested, { fetch: () => new Response(null, { status: 503 }) });
    expect(spans).toMatchObject([
      {
        name: "run nest",
        children: [
          {
            name: "outer",
            children: [
              { name: "inner", attributes: { n: 1 }, children: [] },
              {
                name: "POST",
                kind: "client",
                attributes: { "server.address": "mail.example", "http.response.status_code": 503 },
                status: { code: "error" },
              },
            ],
          },
        ],
      },
    ]);
    expect(formatSpans(spans)).toBe("run nest\n└─ outer\n   ├─ inner\n   └─ POST  error: no message");
  });

  test("of tasks that are tested at the same time are kept apart", async () => {
    const all = await Promise.all(
      ["a", "b", "c"].map((type) => testTask({ ...nested, type }, { fetch: async () => Response.json(1) })),
    );
    expect(all.map(({ spans }) => spans.map(({ name, children }) => [name, children.length]))).toEqual([
      [["run a", 1]],
      [["run b", 1]],
      [["run c", 1]],
    ]);
  });
});

describe("ctx.fetch", () => {
  test("sends what production would send: the trace, the correlation id, the body", async () => {
    const requests: Request[] = [];
    const handler: TaskHandler = {
      run: async (_, ctx) => {
        const answer = await ctx.fetch("http://shop.example/orders", { method: "POST", body: '{"n":1}' });
        return { body: await answer.json(), trace: ctx.span.spanContext().traceId };
      },
    };
    const { result } = await testTask(handler, {
      correlationId: "order-17",
      fetch: async (request) => {
        requests.push(request.clone());
        return Response.json({ got: await request.text() });
      },
    });
    const traceparent = requests[0]?.headers.get("traceparent") ?? "";
    expect(requests[0]?.headers.get("x-correlation-id")).toBe("order-17");
    expect<unknown>(result).toEqual({ body: { got: '{"n":1}' }, trace: traceparent.split("-")[1] });
  });

  test("goes to the network when the test gives nothing in its place", async () => {
    using server = Bun.serve({ port: 0, fetch: () => new Response("real") });
    const { result } = await testTask({ run: async (_, ctx) => (await ctx.fetch(server.url)).text() });
    expect(result).toBe("real");
  });
});

describe("a handler that fails", () => {
  const flaky: TaskHandler = {
    run: ({ attempt }, ctx) => {
      if (attempt === 1) throw new TypeError("not yet", { cause: new Error("a reason") });
      if (attempt === 2) throw ctx.retryAfter("30s", "busy");
      return attempt;
    },
  };

  test("is dead after its only attempt, with the error of the handler's own code", async () => {
    const { status, outcome, error, spans } = await testTask(flaky);
    expect({ status, outcome }).toEqual({ status: "dead", outcome: "failed" });
    expect(error).toMatchObject({ type: "TypeError", message: "not yet", causes: ["Error: a reason"] });
    expect(error?.stack).toContain("test-task.test.ts");
    expect(spans).toMatchObject([{ status: { code: "error", message: "not yet" }, events: [{ name: "exception" }] }]);
  });

  test("is tried again as often as asked, without waiting, and each attempt is seen", async () => {
    const { status, result, attempts, spans } = await testTask(flaky, { attempts: 5 });
    expect<unknown>({ status, result }).toEqual({ status: "succeeded", result: 3 });
    expect(attempts.map(({ number, outcome, retryAfterMs }) => [number, outcome, retryAfterMs])).toEqual([
      [1, "failed", undefined],
      [2, "failed", 30_000],
      [3, "succeeded", undefined],
    ]);
    expect(spans.map(({ attributes }) => attributes.attempt)).toEqual([1, 2, 3]);
  });

  test("is not tried again when it says so", async () => {
    const refuse: TaskHandler = {
      run: (_, ctx) => {
        throw ctx.fatal("refused");
      },
    };
    const { status, attempts } = await testTask(refuse, { attempts: 5 });
    expect({ status, attempts }).toMatchObject({ status: "dead", attempts: [{ number: 1, fatal: true }] });
  });

  test("has what cannot be written as JSON found out", async () => {
    for (const value of [1n, new Map(), { user: Promise.resolve(1) }, [Number.NaN], () => 1]) {
      const { status, error, attempts } = await testTask({ run: () => value }, { attempts: 3 });
      expect([status, error?.type, attempts.length]).toEqual(["dead", "invalid_result", 1]);
    }
    const { status, error } = await testTask({ run: () => "x".repeat(1024 * 1024) });
    expect([status, error?.type]).toEqual(["dead", "result_too_large"]);
  });

  test("has a generator found out, whose body would never run", async () => {
    for (const run of [function* () {}, async function* () {}]) {
      expect(String(await rejectionOf(testTask({ run })))).toContain("its run is a generator function");
    }
  });

  test("has what JSON leaves out of a result on its log", async () => {
    const { result, logs } = await testTask({ run: () => ({ id: 1, close: () => 1, list: [undefined] }) });
    expect(result).toEqual({ id: 1, list: [null] });
    expect(logs).toMatchObject([{ level: "warn", fields: { places: ["/close", "/list/0"] } }]);
  });

  test("has texts of whatever it threw, cut where they are long", async () => {
    const odd = Object.assign(new Error(), { message: { statusCode: 400 }, name: 404, code: "C".repeat(1000) });
    const { error } = await testTask({
      run: () => {
        throw odd;
      },
    });
    expect(error).toMatchObject({ type: `${"C".repeat(199)}…`, message: '{"statusCode":400}' });
    const long = await testTask({
      run: (_, ctx) => {
        throw ctx.fatal("x".repeat(10_000));
      },
    });
    expect([long.attempts[0]?.fatal, long.error?.message.length]).toEqual([true, 4000]);
  });

  test("has a message that is no text shown as JSON, and waits neither for nothing nor for years", async () => {
    // As a handler without types has it.
    const given = { a: 1 } as unknown as string;
    const shown = { message: '{"a":1}' };
    const run = (error: (ctx: HandlerContext) => Error): Promise<TestedTask> =>
      testTask({ run: (_, ctx) => Promise.reject(error(ctx)) }, { attempts: 1 });
    expect((await run((ctx) => ctx.fatal(given))).attempts).toMatchObject([{ fatal: true, error: shown }]);
    const soon = await run((ctx) => ctx.retryAfter("0", given));
    expect(soon).toMatchObject({ attempts: [{ retryAfterMs: undefined, error: shown }], logs: [] });
    const far = await run((ctx) => ctx.retryAfter(1e300, given));
    expect(far.attempts).toMatchObject([{ retryAfterMs: longestRetryAfterMs, error: shown }]);
    expect(far.logs).toMatchObject([{ level: "warn", fields: { delay: "1e+300", longest: "7d" } }]);
  });
});

describe("a schema", () => {
  const schema = z.object({ to: z.email(), copies: z.number().default(1) });
  const handler = { payload: schema, run: ({ payload }) => payload.copies } satisfies TaskHandler<typeof schema>;

  test("makes the payload", async () => {
    const { result } = await testTask(handler, { payload: { to: "ada@example.com" } });
    expect(result).toBe(1);
  });

  test("refuses one that does not fit before the handler runs: no attempt follows", async () => {
    const { status, error, attempts } = await testTask(handler, { payload: { to: "nobody" }, attempts: 3 });
    expect<unknown>({ status, type: error?.type, attempts: attempts.length }).toEqual({
      status: "dead",
      type: "invalid_payload",
      attempts: 1,
    });
    expect(error?.message).toBe("the payload does not fit: /payload/to: Invalid email address");
  });
});

describe("the signal", () => {
  const obey: TaskHandler = {
    run: (_, ctx) =>
      new Promise((_resolve, reject) => {
        if (ctx.signal.aborted) reject(ctx.signal.reason);
        ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
      }),
  };

  test("aborts at the deadline: the handler's own, or the test's", async () => {
    const own = await testTask({ ...obey, timeout: "20ms" });
    const asked = await testTask({ ...obey, timeout: "1h" }, { timeout: "20ms" });
    for (const { outcome, status, error } of [own, asked]) {
      expect({ outcome, status, type: error?.type }).toEqual({
        outcome: "timed_out",
        status: "dead",
        type: "timed_out",
      });
    }
  });

  test("aborts when the test cancels the task, which is not tried again", async () => {
    const canceling = new AbortController();
    const testing = testTask(obey, { signal: canceling.signal, attempts: 3 });
    canceling.abort();
    expect(await testing).toMatchObject({ outcome: "canceled", status: "canceled", attempts: [{ number: 1 }] });
    expect(await testTask(obey, { signal: AbortSignal.abort() })).toMatchObject({ status: "canceled" });
  });

  test("that is ignored ends the attempt after the grace, as its thread would be ended", async () => {
    const tested = await testTask({ run: () => new Promise(() => {}) }, { timeout: "1ms" });
    expect(tested).toMatchObject({ outcome: "timed_out", status: "dead" });
  }, 10_000);
});

describe("what is wrong with a test itself", () => {
  test.each([
    ["testTask: the handler has no function run(task, ctx)", Object({ type: "x" }), {}],
    ["testTask: the handler does not load: its maxAttempts must be a", { ...copy, maxAttempts: 0 }, {}],
    ['testTask: timeout "soon": expected a duration', copy, { timeout: "soon" }],
    ["testTask: attempts 1 to 101: expected whole numbers from 1 to 100", copy, { attempts: 101 }],
    ["testTask: attempts 1 to 0: expected", copy, { attempts: 0 }],
    ["testTask: attempts 1 to 0.5: expected", copy, { attempts: 0.5 }],
  ])("is told: %s", async (message, handler, options) => {
    expect(String(await rejectionOf(testTask(handler, options)))).toStartWith(`Error: ${message}`);
  });
});
