/** What callers see while the task service or the broker is away, and how all is well again without anybody's help. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { type EmbeddedBroker, startEmbeddedBroker } from "../../src/broker/embedded.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { type Breaker, createBreaker } from "../../src/limits/breaker.ts";
import type { Queue, Queues } from "../../src/queue/queue.ts";
import { openQueues } from "../../src/queue/sqs.ts";
import { logLevelsOf } from "../../src/settings/parsers.ts";
import { createTaskService, type TaskService } from "../../src/task-service.ts";
import { startTelemetry, type Telemetry } from "../../src/telemetry/telemetry.ts";
import { take } from "../support/brokers.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { type MetricSeries, parsePrometheus } from "../support/metric-series.ts";
import { deleteOne, hideOne, sendOne } from "../support/queue-calls.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startStoreThread } from "../support/sqlite-store.ts";
import { type LogLine, startTestSystem, type TestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startTestTracing } from "../support/test-tracing.ts";

const limitMs = 120_000;
/** The longest pause of a breaker, and then some for a machine that is busy. */
const recovery = { timeoutMs: 60_000 };

/** The breakers of a process that are not closed, as its metrics have them. */
async function notClosed({ adminUrl }: TestSystem): Promise<MetricSeries[]> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  return series.filter(({ name, value }) => name === "circuit_breaker_state" && value !== 0);
}

function linesOf(lines: readonly LogLine[]): unknown[] {
  const told = lines.filter(({ msg }) => msg.startsWith("circuit breaker"));
  return told.map(({ level, msg, service, breaker }) => [level, msg, service, breaker]);
}

async function breakersOf({ url }: TestSystem): Promise<unknown> {
  const { checks } = await (await fetch(`${url}/health`)).json();
  return checks.circuit_breakers;
}

describe("a gateway whose task service is away", () => {
  /** A task service that can be started again where it was; and a gateway of another process that asks it. */
  async function startBoth() {
    await using stack = new AsyncDisposableStack();
    const { path: dataDir } = stack.use(await tempFolder());
    const first = await startTestSystem({ dataDir });
    const { task_service_url: taskServiceUrl = "" } = first.system.addresses;
    const taskServiceListen = new URL(taskServiceUrl).host;
    const edge = stack.use(await startTestSystem({ taskServiceUrl }));
    const owned = stack.move();
    return {
      edge,
      first,
      startAgain: async () => owned.use(await startTestSystem({ dataDir, taskServiceListen })),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  }

  test(
    "answers 503 at once, and serves again soon after it is back",
    async () => {
      await using both = await startBoth();
      const { edge, first } = both;
      const { id } = await edge.accept({ type: "echo", payload: 1 });
      await edge.task(id, "20s");
      await first[Symbol.asyncDispose]();

      const seen: unknown[] = [];
      const ask = async (answering: Promise<Response>): Promise<string> => {
        const answer = await answering;
        const { detail } = await answer.json();
        seen.push([answer.status, Number(answer.headers.get("retry-after")) > 0]);
        return detail;
      };
      const refused = "the task service does not answer, calls to it are refused for now";
      await eventually(async () => (await ask(edge.submit({ type: "echo" }))) === refused);
      await ask(fetch(`${edge.url}/v1/tasks/${id}`));
      await ask(fetch(`${edge.url}/v1/tasks/${id}?wait=20s`));
      expect(new Set(seen.map((each) => JSON.stringify(each)))).toEqual(new Set(["[503,true]"]));
      // Asking for the health is a trial, which may be under way.
      expect(await breakersOf(edge)).toEqual({ status: "degraded", open_breakers: 1 });
      expect(await notClosed(edge)).toMatchObject([
        { labels: { breaker: "task-service", service_name: "api-gateway" } },
      ]);

      await using _ = await both.startAgain();
      const again = await eventually(() => edge.accept({ type: "echo", payload: 2 }), recovery);
      expect(await edge.task(again.id, "20s")).toMatchObject({ status: "succeeded", result: 2 });
      expect(await edge.task(id)).toMatchObject({ status: "succeeded", result: 1 });
      expect(await breakersOf(edge)).toEqual({ status: "healthy", open_breakers: 0 });
      expect(await notClosed(edge)).toEqual([]);
      expect(linesOf(edge.lines)).toEqual([
        ["warn", "circuit breaker opened", "api-gateway", "task-service"],
        ["info", "circuit breaker closed", "api-gateway", "task-service"],
      ]);
    },
    limitMs,
  );

  test(
    "is well again without any request once somebody asks for its health",
    async () => {
      await using both = await startBoth();
      const { edge, first } = both;
      await first[Symbol.asyncDispose]();
      await eventually(async () => {
        await edge.submit({ type: "echo" });
        return (await notClosed(edge)).length === 1;
      });
      await using _ = await both.startAgain();
      await eventually(async () => {
        expect(await breakersOf(edge)).toEqual({ status: "healthy", open_breakers: 0 });
        return true;
      }, recovery);
    },
    limitMs,
  );
});

test(
  "every role tells the state of each of its breakers",
  async () => {
    await using running = await startTestSystem();
    const series = parsePrometheus(await (await fetch(`${running.adminUrl}/metrics`)).text());
    const states = series.filter(({ name }) => name === "circuit_breaker_state");
    const told = states.map(({ labels, value }) => `${labels.service_name} ${labels.breaker} ${value}`);
    expect(told.toSorted()).toEqual([
      "api-gateway task-service 0",
      "dlq-processor queue 0",
      "dlq-processor store 0",
      "task-service queue 0",
      "task-service store 0",
      "worker queue 0",
      "worker store 0",
    ]);
  },
  limitMs,
);

/** The queues of a broker that can be stopped, and started again where it was, with nothing in it. */
interface Brokered extends AsyncDisposable {
  queues: Queues;
  breaker: Breaker;
  told: string[];
  config: Config;
  stop(): Promise<void>;
  startAgain(): Promise<void>;
}

async function startBrokered(): Promise<Brokered> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await tempFolder());
  let broker: EmbeddedBroker | undefined = await startEmbeddedBroker(path, 0);
  const { endpoint } = broker;
  const config = { ...readConfig({ handlers: "" }, {}).config, queueEndpoint: endpoint };
  const told: string[] = [];
  const breaker = createBreaker({
    name: "queue",
    side: "the queue",
    onOpened: () => told.push("opened"),
    onClosed: () => told.push("closed"),
  });
  const { tracer } = startTelemetry("test", config, () => {});
  const queues = await openQueues(config, tracer, { breaker });
  const stop = async (): Promise<void> => {
    await broker?.stop();
    broker = undefined;
  };
  stack.defer(stop);
  stack.defer(() => queues.close());
  const owned = stack.move();
  return {
    queues,
    breaker,
    told,
    config,
    stop,
    startAgain: async () => {
      broker = await startEmbeddedBroker(path, Number(new URL(endpoint).port));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

describe("queues whose broker is away", () => {
  test(
    "refuse every call but receives, and serve again when it is back with nothing in it",
    async () => {
      await using brokered = await startBrokered();
      const { queues, breaker, told } = brokered;
      const send = (body: string): Promise<void> =>
        sendOne(queues.tasks, { body, attributes: {}, correlationId: "c-1" });
      await send("first");
      const [message] = await take(queues.tasks);
      if (!message) throw new Error("no message came");
      await brokered.stop();

      const calls: (() => Promise<unknown>)[] = [
        () => send("second"),
        () => sendOne(queues.deadLetters, { body: "dead", attributes: {}, correlationId: "c-1" }),
        () => hideOne(queues.tasks, message, 1000),
        () => deleteOne(queues.tasks, message),
        () => queues.tasks.depth(),
      ];
      for (const call of calls) {
        expect(breaker.state()).toBe("closed");
        expect(await rejectionOf(call())).toMatchObject({ code: "unavailable", retryAfterMs: undefined });
      }
      expect([breaker.state(), told]).toEqual(["open", ["opened"]]);
      expect(await rejectionOf(take(queues.tasks))).toMatchObject({
        code: "unavailable",
        message: expect.stringContaining('could not receive from the queue "task-events"'),
      });

      await brokered.startAgain();
      await eventually(async () => {
        await send("third");
        return true;
      }, recovery);
      expect((await take(queues.tasks)).map(({ body }) => body)).toEqual(["third"]);
      expect([breaker.state(), told]).toEqual(["closed", ["opened", "closed"]]);
    },
    limitMs,
  );

  test(
    "know that it is back when a receive has an answer",
    async () => {
      await using brokered = await startBrokered();
      const { queues, breaker } = brokered;
      await brokered.stop();
      await eventually(async () => {
        await rejectionOf(queues.tasks.depth());
        return breaker.state() === "open";
      });
      await brokered.startAgain();
      expect(await take(queues.tasks)).toEqual([]);
      expect(breaker.state()).toBe("closed");
      expect(await queues.tasks.depth()).toEqual({ visible: 0, inFlight: 0, delayed: 0 });
    },
    limitMs,
  );

  test(
    "do not take a broker that finds fault with the calls for one that is away",
    async () => {
      await using brokered = await startBrokered();
      const { queues, breaker } = brokered;
      for (let n = 0; n < 6; n++) {
        const huge = sendOne(
          queues.tasks,
          { body: "x".repeat(2 ** 21), attributes: {}, correlationId: "c-1" },
          ROOT_CONTEXT,
        );
        expect(await rejectionOf(huge)).toMatchObject({ code: "unavailable" });
      }
      expect(breaker.state()).toBe("closed");
    },
    limitMs,
  );
});

interface Serving extends AsyncDisposable {
  service: TaskService;
  telemetry: Telemetry;
  clock: FakeClock;
  /** How often a task could not be sent. */
  failedSends(): number;
  create(delay?: string): Promise<unknown>;
}

/** A task service on a real store and broker, whose time is the test's. */
async function startServing({ config }: Brokered, queue: Queue): Promise<Serving> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await tempFolder());
  const thread = stack.use(await startStoreThread(path));
  const lines: LogLine[] = [];
  // Only at this level is every failed send told.
  const verbose = { ...config, logLevel: logLevelsOf("debug") };
  const telemetry = startTelemetry("task-service", verbose, (line) => lines.push(JSON.parse(line)));
  const clock = createFakeClock();
  const service = createTaskService({
    store: await thread.connect(),
    queue,
    telemetry,
    clock,
    maxAttempts: 3,
    retentionMs: 0,
    metadataAttributes: [],
    draining: new AbortController().signal,
  });
  const span = telemetry.tracer.startSpan("test");
  const call = {
    context: ROOT_CONTEXT,
    span,
    signal: undefined,
    correlationId: "c-1",
    requestId: "",
    openCarried: () => {
      throw new Error("these calls carry no others");
    },
  };
  const owned = stack.move();
  return {
    service,
    telemetry,
    clock,
    failedSends: () => lines.filter(({ msg }) => msg.startsWith("send failed")).length,
    create: async (delay) => {
      const { json } = await service.handlers.CreateTask({ type: "echo", ...(delay && { delay }) }, call);
      return JSON.parse(json);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Runs `work` while the sweeper sweeps. */
async function whileSweeping({ service }: Serving, work: () => Promise<unknown>): Promise<void> {
  const draining = new AbortController();
  const sweeping = service.sweepLoop(draining.signal);
  try {
    await work();
  } finally {
    draining.abort();
    await sweeping;
  }
}

describe("a task service whose broker is away", () => {
  test(
    "accepts tasks all the same, and sends them when it is back",
    async () => {
      await using brokered = await startBrokered();
      const { tasks } = brokered.queues;
      await using serving = await startServing(brokered, tasks);
      await brokered.stop();
      for (let n = 0; n < 10; n++) {
        expect(await serving.create()).toMatchObject({ type: "echo", status: "queued" });
      }
      expect([serving.failedSends(), brokered.told]).toEqual([10, ["opened"]]);

      await brokered.startAgain();
      await eventually(() => tasks.depth(), recovery);
      // No second of the clock passes: nothing waits for the sweep of unconfirmed sends.
      await whileSweeping(serving, () =>
        eventually(async () => {
          expect(await tasks.depth()).toEqual({ visible: 10, inFlight: 0, delayed: 0 });
          return true;
        }, recovery),
      );
    },
    limitMs,
  );

  test(
    "tries one task at a time while none can be sent, and leaves the others where they are",
    async () => {
      await using brokered = await startBrokered();
      await using serving = await startServing(brokered, brokered.queues.tasks);
      const { clock } = serving;
      await Promise.all(Array.from({ length: 250 }, () => serving.create("1s")));
      await clock.advance(1000);
      await brokered.stop();
      await whileSweeping(serving, async () => {
        // The sweeper, and beside it what looks for schedules.
        const isAsleep = (failed: number) => () => serving.failedSends() === failed && clock.sleepers() === 2;
        await eventually(isAsleep(100), recovery);
        for (const failed of [101, 102, 103]) {
          await clock.advance(1000);
          await eventually(isAsleep(failed), recovery);
        }
      });
    },
    limitMs,
  );

  test(
    "answers for a task within two seconds when the broker hangs, and sends it when it goes on",
    async () => {
      await using brokered = await startBrokered();
      await using line = startLine(brokered.config);
      const slow = await openQueues(line.config, startTestTracing().tracer);
      await using serving = await startServing(brokered, slow.tasks);
      const { clock } = serving;
      line.hang();
      const created = serving.create();
      const answered = Promise.race([created.then(() => "answered"), eventually(() => line.held() === 1 && "held")]);
      expect(await answered).toBe("held");
      await eventually(() => clock.sleepers() === 1);
      await clock.advance(2000);
      expect(await created).toMatchObject({ type: "echo", status: "queued" });
      // Those that come meanwhile lose no time to what others have waited for in vain.
      expect(await Promise.all([serving.create(), serving.create()])).toMatchObject(
        Array(2).fill({ status: "queued" }),
      );
      expect(serving.failedSends()).toBe(0);
      line.goOn();
      await eventually(async () => (await brokered.queues.tasks.depth()).visible === 3);
      slow.close();
    },
    limitMs,
  );
});

/** A way to the same broker on which calls can be held up. */
function startLine(config: Config) {
  let hanging = Promise.withResolvers<void>();
  hanging.resolve();
  let held = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      held += 1;
      await hanging.promise;
      held -= 1;
      const { method, headers } = request;
      return fetch(`${config.queueEndpoint}/`, { method, headers, body: await request.bytes() });
    },
  });
  return {
    config: { ...config, queueEndpoint: server.url.origin },
    hang: () => {
      hanging = Promise.withResolvers();
    },
    goOn: () => hanging.resolve(),
    held: () => held,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
