/** Leases at their limits: a handler that outlives its visibility timeout many times, and a worker that falls asleep. */

import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startElasticMq } from "../parts/elasticmq.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import { startTestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const timeoutMs = 120_000;
const handlers = join(projectFolder, "tests/fixtures/lease-handlers");
/** The shortest that can be set. */
const visibilityMs = 2000;

test(
  "a handler that blocks its thread for ten times the visibility timeout runs once",
  async () => {
    await using folder = await tempFolder();
    await using running = await startTestSystem({ handlers, visibilityTimeout: `${visibilityMs}ms` });
    const file = join(folder.path, "runs");
    const { id } = await running.accept({ type: "block", payload: { ms: 10 * visibilityMs, file } });
    const task = await running.task(id, "60s");
    expect(task.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([[1, "succeeded"]]);
    expect(await readFile(file, "utf8")).toBe("begin 1\nend 1\n");
  },
  timeoutMs,
);

describeWith("elasticmq")("a worker that is stopped (SIGSTOP) for longer than its lease", () => {
  test(
    "loses its task to another worker, and the outcome that it brings when it wakes is refused",
    async () => {
      await using stack = new AsyncDisposableStack();
      const { path } = stack.use(await tempFolder());
      const elasticMq = stack.use(await startElasticMq());
      const env = {
        AWS_ENDPOINT_URL_SQS: elasticMq.url,
        AWS_REGION: "elasticmq",
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
      };
      const start = async (role: string, ...flags: string[]): Promise<ThroughlineProcess> => {
        const shared = [
          `--role=${role}`,
          "--queue=sqs",
          `--data-dir=${path}`,
          `--visibility-timeout=${visibilityMs}ms`,
        ];
        return stack.use(await startThroughline([...shared, ...freePorts, ...flags], { env }));
      };
      const taskService = await start("task-service,dlq");
      const gateway = await start("gateway", `--task-service-url=${taskService.addresses.task_service_url}`);
      const api = httpApi(gateway.addresses.gateway_url);
      const asleep = await start("worker", `--handlers=${handlers}`);

      const file = join(path, "runs");
      const { id } = await api.submit({ type: "block", payload: { ms: 3000, file } });
      await eventually(async () => (await api.task(id)).status === "running");
      asleep.kill("SIGSTOP");
      const awake = await start("worker", `--handlers=${handlers}`);
      const task = await api.ended(id);
      expect(task.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
        [1, "crashed"],
        [2, "succeeded"],
      ]);
      expect(task.attempts[1]?.worker).toBe(workerOf(awake));

      asleep.kill("SIGCONT");
      await eventually(() => asleep.logs().some(({ msg }) => /^(the outcome was refused|lease lost)/.test(msg)), {
        timeoutMs: 30_000,
      });
      expect(await api.task(id)).toEqual(task);
    },
    timeoutMs,
  );
});

function workerOf(process: ThroughlineProcess): string {
  return String(process.logs().find(({ msg }) => msg === "worker receives")?.worker);
}
