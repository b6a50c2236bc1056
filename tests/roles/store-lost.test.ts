/** What follows when the thread of the SQLite file ends: nothing accepted is lost, and whoever can starts anew. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { rename, rm } from "node:fs/promises";
import { startEmbeddedBroker } from "../../src/broker/embedded.ts";
import { eventually } from "../support/eventually.ts";
import { startTestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 90_000;

// The AWS client reads them itself.
const variables = { AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" };
const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
beforeAll(() => {
  Object.assign(process.env, variables);
});
afterAll(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

test(
  "with all roles in one process, the thread and every role that asks it start again",
  async () => {
    await using running = await startTestSystem({ visibilityTimeout: "2s" });
    const { system } = running;
    const accepted = await Promise.all(
      Array.from({ length: 20 }, () => running.accept({ type: "sleep", payload: { ms: 200 } })),
    );
    system.crash("store");
    await eventually(async () => !(await system.state.isReady()));
    await eventually(() => system.state.isReady(), { timeoutMs: 60_000 });
    const ended = await Promise.all(accepted.map(({ id }) => running.task(id, "60s")));
    expect(new Set(ended.map(({ status }) => status))).toEqual(new Set(["succeeded"]));
    const { id } = await running.accept({ type: "echo", payload: "after" });
    expect(await running.task(id, "20s")).toMatchObject({ status: "succeeded" });
  },
  limitMs,
);

test(
  "when it cannot be opened again, the process is not ready, and tries less and less often until it can",
  async () => {
    await using running = await startTestSystem();
    const { system, dataDir, lines } = running;
    const restarts = () => lines.filter(({ msg }) => msg.startsWith("the store's thread ended"));
    await rename(dataDir, `${dataDir}.away`);
    await Bun.write(dataDir, "no folder");
    try {
      system.crash("store");
      expect(await system.state.isReady()).toBe(false);
      await eventually(() => restarts().length >= 4, { timeoutMs: 30_000 });
      expect((await system.state.health()).status).toBe("unhealthy");
      expect(
        restarts()
          .slice(0, 4)
          .map((line) => line.delay_ms),
      ).toEqual([100, 200, 400, 800]);
    } finally {
      await rm(dataDir);
      await rename(`${dataDir}.away`, dataDir);
    }
    await eventually(() => system.state.isReady(), { timeoutMs: 60_000 });
    const { id } = await running.accept({ type: "echo" });
    expect(await running.task(id, "20s")).toMatchObject({ status: "succeeded" });
  },
  limitMs,
);

test(
  "a process with a single role is lost, and says so",
  async () => {
    await using folder = await tempFolder();
    const broker = await startEmbeddedBroker(folder.path, 0);
    const flags = { role: "task-service", queue: "sqs" } as const;
    await using running = await startTestSystem(flags, { ...variables, AWS_ENDPOINT_URL_SQS: broker.endpoint });
    let isLost = false;
    void running.system.lost.then(() => {
      isLost = true;
    });
    running.system.crash("store");
    await eventually(() => isLost);
    expect(running.lines.at(-1)).toMatchObject({ level: "error", service: "throughline" });
    await broker.stop();
  },
  limitMs,
);
