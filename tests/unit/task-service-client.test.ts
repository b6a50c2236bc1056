/** What the gateway's side of the RPC makes of task services that answer, refuse, hang, or are not there. */

import { beforeEach, describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { type Breaker, createBreaker } from "../../src/limits/breaker.ts";
import { createTaskServiceClient } from "../../src/rpc/client.ts";
import { createConnectTransport } from "../../src/rpc/connect/client.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { startHeldServer } from "../support/held-server.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestTracing } from "../support/test-tracing.ts";

const limitMs = 30_000;

/** The pauses of a breaker are over when a test says so. */
let clock: FakeClock;
beforeEach(() => {
  clock = createFakeClock();
});

interface Calling {
  breaker: Breaker;
  call(timeoutMs?: number): Promise<unknown>;
  /** A call whose answer may be held. */
  hold(timeoutMs?: number): Promise<unknown>;
  probe(): Promise<void>;
}

function startCalling(url: string): Calling {
  const { tracer } = startTestTracing();
  const breaker = createBreaker({ name: "task-service", side: "the task service", clock });
  const client = createTaskServiceClient({ url, transport: createConnectTransport(url), tracer, breaker });
  const callWith = async (timeoutMs: number, isHeld: boolean): Promise<string> => {
    const options = { timeoutMs, isHeld, correlationId: "c-1", requestId: "r-1" };
    return (await client.call("GetTask", { id: "7" }, ROOT_CONTEXT, options)).json;
  };
  return {
    breaker,
    call: (timeoutMs = 10_000) => callWith(timeoutMs, false),
    hold: (timeoutMs = 10_000) => callWith(timeoutMs, true),
    probe: () => client.probe(),
  };
}

interface Answering extends AsyncDisposable {
  url: string;
  /** Method, path, body and some headers of every request. */
  asked: unknown[];
}

function startAnswering(answer: () => Response): Answering {
  const asked: unknown[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { method, headers } = request;
      const names = ["content-type", "connect-protocol-version", "connect-timeout-ms", "x-correlation-id"];
      asked.push([method, new URL(request.url).pathname, await request.text(), ...names.map((n) => headers.get(n))]);
      return answer();
    },
  });
  return { url: server.url.origin, asked, [Symbol.asyncDispose]: () => server.stop(true) };
}

const refused = {
  code: "unavailable",
  message: "the task service does not answer, calls to it are refused for now",
  retryAfterMs: 1000,
};

test("both ways of calling say and give the same", async () => {
  const headers = { "content-type": "application/json" };
  await using service = startAnswering(() => new Response('{ "id": 7.0, "type": "ä" }', { headers }));
  const { call, hold } = startCalling(service.url);
  expect([await call(), await hold(), await hold()]).toEqual(Array(3).fill('{ "id": 7.0, "type": "ä" }'));
  const asked = ["POST", "/tasks.TaskService/GetTask", '{"id":"7"}', "application/json", "1", "10000", "c-1"];
  expect(service.asked).toEqual([asked, asked, asked]);
});

describe("a task service that answers with an error of its own", () => {
  test.each([
    ["unavailable", 503],
    ["deadline_exceeded", 504],
    ["resource_exhausted", 429],
    ["not_found", 404],
  ] as const)("is there, however often it does: %s", async (code, status) => {
    const body = JSON.stringify({ code, message: "not now" });
    await using service = startAnswering(() => new Response(body, { status, headers: { "retry-after": "7" } }));
    const { breaker, call, hold } = startCalling(service.url);
    for (const ask of [call, hold, call, hold, call, hold]) {
      expect(await rejectionOf(ask())).toMatchObject({ code, message: "not now", retryAfterMs: 7000 });
    }
    expect([breaker.state(), service.asked.length]).toEqual(["closed", 6]);
  });
});

describe("a task service that gives no answer", () => {
  test("because nobody listens there is not asked again after five calls", async () => {
    // Port 1 of loopback: nobody listens there.
    const { breaker, call, hold } = startCalling("http://127.0.0.1:1");
    for (const ask of [call, hold, call, hold, call]) {
      expect(await rejectionOf(ask())).toMatchObject({
        code: "unavailable",
        message: "the task service cannot be reached",
      });
    }
    expect(breaker.state()).toBe("open");
    expect([await rejectionOf(call()), await rejectionOf(hold())]).toMatchObject([refused, refused]);
  });

  test("because it hangs is not asked again after five time-outs", async () => {
    await using service = startHeldServer(() => Response.json({}));
    const { breaker, call, hold } = startCalling(service.url);
    const late = { code: "deadline_exceeded", message: "tasks.TaskService/GetTask took too long" };
    for (const ask of [call, hold, call, hold, call]) expect(await rejectionOf(ask(50))).toMatchObject(late);
    expect(breaker.state()).toBe("open");
    const asked = service.asked();
    expect(await rejectionOf(call(50))).toMatchObject(refused);
    expect(service.asked()).toBe(asked);
  });

  test("because something in between answers in its place is not asked again after five answers", async () => {
    await using proxy = startAnswering(() => new Response("<h1>Bad Gateway</h1>", { status: 502 }));
    const { breaker, call } = startCalling(proxy.url);
    for (let n = 0; n < 5; n++) {
      expect(await rejectionOf(call())).toMatchObject({
        code: "unavailable",
        message: "the task service answered 502",
      });
    }
    expect([breaker.state(), proxy.asked.length]).toEqual(["open", 5]);
  });

  test.each(["call", "hold"] as const)("is not taken for another server that answers 200: by %s", async (way) => {
    const headers = { "content-type": "text/html" };
    await using other = startAnswering(() => new Response("<h1>Welcome</h1>", { headers }));
    expect(await rejectionOf(startCalling(other.url)[way]())).toMatchObject({
      code: "unavailable",
      message: "the task service answered 200 with text/html",
    });
  });
});

describe("a task service that is back", () => {
  test.each(["probe", "hold"] as const)("is found with a short question: by %s", async (way) => {
    let status = 502;
    await using service = startAnswering(() => Response.json({ task: {} }, { status }));
    const calling = startCalling(service.url);
    for (let n = 0; n < 5; n++) await rejectionOf(calling.call());
    expect(calling.breaker.state()).toBe("open");
    status = 200;
    await clock.advance(1000);
    await calling[way]();
    expect(calling.breaker.state()).toBe("closed");
    expect(service.asked[5]).toEqual(["GET", "/", "", null, null, null, null]);
  });
});

test(
  "five hundred held calls keep no other request of the process waiting",
  async () => {
    await using service = startHeldServer(() => Response.json({ task: {} }));
    const { hold } = startCalling(service.url);
    const held = Array.from({ length: 500 }, () => hold(limitMs));
    await eventually(() => service.asked() === 500);
    await using other = startAnswering(() => new Response("here"));
    expect(await (await fetch(other.url)).text()).toBe("here");
    service.open();
    expect(await Promise.all(held)).toEqual(Array(500).fill('{"task":{}}'));
  },
  limitMs,
);
