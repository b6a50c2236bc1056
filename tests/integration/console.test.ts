/** The console as a role among the others: what reaches it, and that nobody leans on it. */

import { describe, expect, test } from "bun:test";
import { readConfig } from "../../src/config.ts";
import type { OverviewView } from "../../src/console/overview.ts";
import type { SystemView } from "../../src/console/system-view.ts";
import { startConsole } from "../../src/console.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { eventually } from "../support/eventually.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 90_000;
const local = { host: "127.0.0.1", port: 0 };

async function rowNames({ system }: TestSystem, taskId: string): Promise<string[]> {
  const answer = await fetch(`${system.addresses.console_url}/v1/tasks/${taskId}/trace`);
  if (!answer.ok) return [];
  const { rows }: { rows: { name?: string }[] } = await answer.json();
  return rows.flatMap(({ name }) => name ?? []);
}

describe("the console of a whole system", () => {
  test(
    "has what every role tells, without any other setting",
    async () => {
      await using running = await startTestSystem({ role: "all" });
      const { id } = await running.accept({ type: "echo", payload: 1 });
      await running.task(id, "30s");
      const wanted = ["POST /v1/tasks", "INSERT tasks", "send task-events", "wait", "process task-events", "run echo"];
      await eventually(
        async () => {
          const names = new Set(await rowNames(running, id));
          expect(wanted.filter((name) => !names.has(name))).toEqual([]);
          return true;
        },
        { timeoutMs: 30_000 },
      );
    },
    limitMs,
  );

  test(
    "draws what the roles measure, and knows them all",
    async () => {
      await using running = await startTestSystem({ role: "all" });
      const ask = async (path: string) => (await fetch(`${running.system.addresses.console_url}${path}`)).json();
      const { id } = await running.accept({ type: "echo", payload: 1 });
      await running.task(id, "30s");
      await eventually(
        async () => {
          const { rates, durations, queues, threads, active }: OverviewView = await ask("/v1/overview?range=5m");
          const total = (column: (number | null)[]) => column.reduce<number>((sum, each) => sum + (each ?? 0), 0);
          return (
            total(rates.submitted) > 0 &&
            total(rates.succeeded) > 0 &&
            durations.end_to_end.p99.some((each) => each !== null) &&
            queues.length === 2 &&
            threads.idle.some((each) => each !== null) &&
            Object.keys(active).includes("running")
          );
        },
        { timeoutMs: 40_000 },
      );
      // Each role sends its metrics every five seconds from its own start on, so one may still be missing.
      const { settings } = await eventually(
        async () => {
          const view: SystemView = await ask("/v1/system");
          const services = view.roles.map(({ service }) => service);
          expect(services).toEqual(["api-gateway", "dlq-processor", "task-service", "worker"]);
          return view;
        },
        { timeoutMs: 40_000 },
      );
      expect(settings.find(({ flag }) => flag === "--data-dir")?.value).toBe(running.dataDir);
    },
    limitMs,
  );

  test(
    "that ends leaves the system ready, and comes back at its addresses with what it had",
    async () => {
      await using running = await startTestSystem({ role: "all" });
      const { system } = running;
      const before = { ...system.addresses };
      const { id } = await running.accept({ type: "echo", payload: 1 });
      await eventually(async () => (await rowNames(running, id)).includes("run echo"), { timeoutMs: 30_000 });
      system.crash("console");
      expect(await system.state.isReady()).toBe(true);
      expect((await system.state.health()).status).toBe("healthy");
      const { id: next } = await running.accept({ type: "echo", payload: 2 });
      expect((await running.task(next, "30s")).status).toBe("succeeded");
      await eventually(async () => (await rowNames(running, id)).includes("run echo"), { timeoutMs: 30_000 });
      expect(system.addresses).toEqual(before);
    },
    limitMs,
  );

  test.each([
    ["development", true],
    ["production", false],
  ])(
    "beside an endpoint of the user's, in %s, gets a copy: %p",
    async (environment, isCopied) => {
      const elsewhere: string[] = [];
      const collector = await startReceiver(local, { spans: (spans) => elsewhere.push(...spans.map((s) => s.name)) });
      const env = {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_TRACES_SAMPLER: "always_on",
      };
      await using running = await startTestSystem({ role: "all", environment, createQueues: "true" }, env);
      const { id } = await running.accept({ type: "echo", payload: 1 });
      await running.task(id, "30s");
      await eventually(() => elsewhere.includes("run echo"), { timeoutMs: 30_000 });
      if (isCopied) await eventually(async () => (await rowNames(running, id)).includes("run echo"));
      else expect(await rowNames(running, id)).toEqual([]);
      await collector.stop(0);
    },
    limitMs,
  );
});

describe("an OTLP address that is taken", () => {
  test(
    "is refused when it was asked for",
    async () => {
      const taken = await startReceiver(local, {});
      const otlpListen = `127.0.0.1:${taken.port}`;
      const refused = await rejectionOf(startTestSystem({ role: "all", otlpListen }));
      expect(String(refused)).toContain(`could not listen on ${otlpListen}`);
      await taken.stop(0);
    },
    limitMs,
  );

  test(
    "is left to who has it when nobody asked for it: the console takes a free one",
    async () => {
      await using folder = await tempFolder();
      const taken = await startReceiver(local, {});
      const { config } = readConfig({ dataDir: folder.path, consoleListen: "127.0.0.1:0", handlers: "" }, {});
      expect([config.mayMoveOtlp, config.otlpListen.port]).toEqual([true, 4318]);
      const telemetry = startTelemetry("console", config, () => {});
      // In place of 4318, which another program on this machine may have.
      const moving = { ...config, otlpListen: { host: taken.host, port: taken.port } };
      const running = await startConsole(moving, telemetry, async () => ({}));
      const { otlp_url: otlpUrl = "" } = running.addresses;
      expect(otlpUrl).not.toBe(taken.url);
      const headers = { "content-type": "application/json" };
      expect((await fetch(`${otlpUrl}/v1/traces`, { method: "POST", headers, body: "{}" })).status).toBe(200);
      await running.drain();
      await telemetry.stop();
      await taken.stop(0);
    },
    limitMs,
  );
});
