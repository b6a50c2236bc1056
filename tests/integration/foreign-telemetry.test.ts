/** Telemetry of other people's programs beside ours: OpenTelemetry's SDK for Python, and its Collector. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { TaskTraceView } from "../../src/console/task-trace-view.ts";
import { startForwarder } from "../parts/collector.ts";
import { pythonTelemetryEnv } from "../parts/python-telemetry.ts";
import { runTool } from "../parts/run-tool.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { describeWith } from "../support/requires.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 90_000;
const timeoutMs = 30_000;
/** Each service exports when its own time has come: the whole is there when each has. */
const told = ["checkout", "stock is low", "POST /v1/tasks", "run echo"];
const shop = join(projectFolder, "tests/fixtures/python-shop/shop.py");

describeWith("pythonTelemetry", "collector")("a program in Python that hands in a task within its own trace", () => {
  let running: TestSystem;
  beforeAll(async () => {
    running = await startTestSystem({ role: "all" });
  }, limitMs);
  afterAll(() => running[Symbol.asyncDispose](), limitMs);

  /** Gives the id of the task that the program has handed in. */
  async function runShop(endpoint: string, encoding: "protobuf" | "json", compression: "gzip" | "none") {
    const { PATH = "" } = process.env;
    const env = {
      PATH,
      ...pythonTelemetryEnv(),
      GATEWAY_URL: running.url,
      ENCODING: encoding,
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_COMPRESSION: compression,
    };
    const { exitCode, output } = await runTool(["python3", shop], { env });
    expect([exitCode, output]).toEqual([0, expect.stringMatching(/^[0-9a-f-]{36}\n$/)]);
    return output.trim();
  }

  async function viewOf(id: string): Promise<TaskTraceView> {
    return eventually(
      async () => {
        const answer = await fetch(`${running.system.addresses.console_url}/v1/tasks/${id}/trace`);
        const view: TaskTraceView = await answer.json();
        const names = answer.ok ? view.rows.map((row) => (row.kind === "log" ? row.message : row.name)) : [];
        const calls = names.filter((name) => name === "tasks.TaskService/CreateTask");
        return calls.length === 2 && told.every((name) => names.includes(name)) ? view : undefined;
      },
      { timeoutMs },
    );
  }

  function expectWhole({ rows, trace_ids: traceIds }: TaskTraceView): void {
    const services = rows.flatMap((row) => (row.kind === "span" ? `${row.depth} ${row.service}: ${row.name}` : []));
    expect(services.slice(0, 4)).toEqual([
      "0 shop: checkout",
      "1 api-gateway: POST /v1/tasks",
      "2 api-gateway: tasks.TaskService/CreateTask",
      "3 task-service: tasks.TaskService/CreateTask",
    ]);
    expect(traceIds.length).toBe(1);
    const [checkout, ...others] = rows;
    expect(checkout).toMatchObject({
      attributes: { "shop.items": 3, "shop.total": 9.5, "shop.gift": true, "shop.tags": ["blue", "größer"] },
      events: [{ name: "paid", attributes: { by: "card" } }],
    });
    const log = others.find((row) => row.kind === "log" && row.service === "shop");
    expect(log).toMatchObject({ severity: "WARN", message: "stock is low", attributes: { left: 1 }, depth: 1 });
  }

  test.each([
    ["protobuf", "gzip"],
    ["protobuf", "none"],
    ["json", "gzip"],
    ["json", "none"],
  ] as const)(
    "shows up above our spans: sent as %s, %s",
    async (encoding, compression) => {
      const id = await runShop(running.system.addresses.otlp_url ?? "", encoding, compression);
      expectWhole(await viewOf(id));
    },
    limitMs,
  );

  test.each([
    ["proto", "gzip"],
    ["json", "none"],
  ] as const)(
    "shows up by way of the Collector: handed on as %s, %s",
    async (encoding, compression) => {
      const target = running.system.addresses.otlp_url ?? "";
      await using collector = await startForwarder(target, { encoding, compression });
      expectWhole(await viewOf(await runShop(collector.url, "protobuf", "gzip")));
    },
    limitMs,
  );
});
