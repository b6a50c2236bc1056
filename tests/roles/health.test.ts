/** What `/health` says of a system whose parts are slow, away or stuck, and of each role in a process of its own. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startEmbeddedBroker } from "../../src/broker/embedded.ts";
import type { Health, HealthStatus } from "../../src/http/health.ts";
import { startCrookedLine } from "../support/crooked-line.ts";
import { eventually } from "../support/eventually.ts";
import { startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;
const patience = { timeoutMs: 60_000 };

/** Read by the AWS client itself, from the process's own environment. */
const awsVariables = { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
const before = Object.keys(awsVariables).map((name) => [name, process.env[name]] as const);
beforeAll(() => {
  Object.assign(process.env, awsVariables);
});
afterAll(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

async function healthAt(url: string): Promise<Health & { httpStatus: number }> {
  const answer = await fetch(`${url}/health`);
  return { httpStatus: answer.status, ...(await answer.json()) };
}

/** A broker that a test can make crooked, or stop. */
async function startBroker() {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await tempFolder());
  const broker = await startEmbeddedBroker(path, 0);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= broker.stop();
    return stopped;
  };
  stack.defer(stop);
  const line = stack.use(startCrookedLine(broker.endpoint));
  const owned = stack.move();
  return {
    line,
    stop,
    start: (flags: TestFlags = {}): Promise<TestSystem> =>
      startTestSystem({ queue: "sqs", ...flags }, { ...awsVariables, AWS_ENDPOINT_URL_SQS: line.url }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

describe("the broker", () => {
  test(
    "that is slow makes the process degraded, one that hangs unhealthy, until it is well again",
    async () => {
      await using broker = await startBroker();
      await using running = await broker.start();
      expect(await healthAt(running.adminUrl)).toMatchObject({ httpStatus: 200, status: "healthy" });

      broker.line.slow(1200);
      const becomes = (httpStatus: number, status: HealthStatus): Promise<unknown> =>
        eventually(async () => {
          expect(await healthAt(running.adminUrl)).toMatchObject({
            httpStatus,
            status,
            checks: { message_queue: { status, queues_monitored: 2 }, database: { status: "healthy" } },
          });
          return true;
        }, patience);
      await becomes(200, "degraded");
      broker.line.hang();
      await becomes(503, "unhealthy");
      broker.line.mend();
      await becomes(200, "healthy");
    },
    limitMs,
  );

  test(
    "that is away makes it unhealthy, and open breakers are told beside",
    async () => {
      await using broker = await startBroker();
      await using running = await broker.start();
      await broker.stop();
      await eventually(async () => {
        const { httpStatus, status, checks } = await healthAt(running.url);
        expect([httpStatus, status, checks.message_queue?.status]).toEqual([503, "unhealthy", "unhealthy"]);
        // Those of task service, worker and dlq: asking for the health is what finds it out.
        expect(checks.circuit_breakers).toEqual({ status: "degraded", open_breakers: 3 });
        return true;
      }, patience);
      expect((await fetch(`${running.url}/health/ready`)).status).toBe(200);
      expect((await fetch(`${running.url}/health/live`)).status).toBe(200);
    },
    limitMs,
  );
});

test(
  "a thread that does not answer is stuck, and the process degraded",
  async () => {
    await using running = await startTestSystem({ threads: "2" });
    const { id } = await running.accept({ type: "spin", timeout: "1h" });
    await eventually(async () => (await running.task(id)).status === "running");
    await eventually(async () => {
      expect(await healthAt(running.adminUrl)).toMatchObject({
        httpStatus: 200,
        status: "degraded",
        checks: { workers: { status: "degraded", threads: 2, busy: 1, stuck: 1 } },
      });
      return true;
    }, patience);
  },
  limitMs,
);

describe("each role in a process of its own", () => {
  const checksOf: [role: string, checks: string[]][] = [
    ["gateway", ["circuit_breakers"]],
    ["task-service", ["circuit_breakers", "database", "message_queue"]],
    ["worker", ["circuit_breakers", "database", "message_queue", "workers"]],
    ["dlq", ["circuit_breakers", "database", "message_queue"]],
  ];

  test.each(checksOf)(
    "%s has the checks of its own and no others",
    async (role, names) => {
      await using broker = await startBroker();
      await using running = await broker.start({
        role,
        ...(role === "gateway" && { taskServiceUrl: broker.line.url }),
      });
      const { checks, status } = await healthAt(running.adminUrl);
      expect([status, Object.keys(checks).toSorted()]).toEqual(["healthy", names]);
    },
    limitMs,
  );

  test(
    "the gateway finds out by the question itself that its task service is away",
    async () => {
      await using broker = await startBroker();
      await using running = await broker.start({ role: "gateway", taskServiceUrl: "http://127.0.0.1:9" });
      await eventually(async () => {
        const { httpStatus, status, checks } = await healthAt(running.url);
        expect([httpStatus, status, checks]).toEqual([
          200,
          "degraded",
          { circuit_breakers: { status: "degraded", open_breakers: 1 } },
        ]);
        return true;
      }, patience);
    },
    limitMs,
  );
});
