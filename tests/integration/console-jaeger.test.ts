/** The console's questions, answered from a real Jaeger: the same stitching, whoever keeps the spans. */

import { expect, test } from "bun:test";
import type { TaskTraceView } from "../../src/console/task-trace-view.ts";
import { type JaegerPart, startJaeger } from "../parts/jaeger.ts";
import { runThroughline } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { describeWith } from "../support/requires.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 90_000;
const timeoutMs = 30_000;

interface Found {
  items: { trace_id: string; service: string; operation: string; spans: number; errors: number; task_ids: string[] }[];
  is_complete: boolean;
}

async function startWith(jaeger: JaegerPart): Promise<TestSystem> {
  // Only Jaeger has spans: outside of development the console gets no copy.
  const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${jaeger.otlpUrl}/v1/traces`, OTEL_TRACES_SAMPLER: "always_on" };
  return startTestSystem({ role: "all", environment: "staging", createQueues: "true", jaegerUrl: jaeger.url }, env);
}

async function ask<T>({ system }: TestSystem, path: string): Promise<{ status: number; body: T }> {
  const answer = await fetch(`${system.addresses.console_url}${path}`);
  return { status: answer.status, body: await answer.json() };
}

/** The waits in queues and the main spans of a view, in its order; a span begins with its depth. */
function storyOf(view: TaskTraceView): string[] {
  return view.rows.flatMap((row) => {
    if (row.kind === "wait") return [`wait in ${row.service}`];
    return row.kind === "span" && /^(POST|run|redrive|process)/.test(row.name)
      ? [`${row.depth} ${row.service}: ${row.name} ${row.status.code}`]
      : [];
  });
}

describeWith("jaeger")("a console with --jaeger-url", () => {
  test(
    "tells a task's whole story, from its request to its second death, with the log lines that it received itself",
    async () => {
      await using jaeger = await startJaeger();
      await using running = await startWith(jaeger);
      const { id } = await running.accept({ type: "fail", payload: { fatal: true }, max_attempts: 1 });
      await eventually(async () => (await running.task(id)).status === "dead", { timeoutMs });
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ ids: [id] });
      await fetch(`${running.url}/v1/dead-letters/redrive`, { method: "POST", headers, body });
      const expected = [
        "0 api-gateway: POST /v1/tasks UNSET",
        "wait in task-events",
        "4 worker: process task-events ERROR",
        "5 worker: run fail ERROR",
        "wait in task-events-dlq",
        "6 dlq-processor: process task-events-dlq UNSET",
        "0 dlq-processor: redrive tasks UNSET",
        "wait in task-events",
        "2 worker: process task-events ERROR",
        "3 worker: run fail ERROR",
        "wait in task-events-dlq",
        "4 dlq-processor: process task-events-dlq UNSET",
      ];
      // Each service exports when its own time has come, a parent at times after its children, so no single span tells
      // that the rest is there.
      const view = await eventually(
        async () => {
          const { status, body } = await ask<TaskTraceView>(running, `/v1/tasks/${id}/trace`);
          expect(status).toBe(200);
          expect(storyOf(body)).toEqual(expected);
          return body.rows.filter(({ kind }) => kind === "log").length > 3 && body;
        },
        { timeoutMs },
      );
      expect(view.trace_ids.length).toBe(2);
    },
    limitMs,
  );

  test(
    "finds traces by what each parameter asks for",
    async () => {
      await using jaeger = await startJaeger();
      await using running = await startWith(jaeger);
      const good = await running.accept({ type: "echo", payload: 1 });
      const bad = await running.accept({ type: "fail", payload: { fatal: true }, max_attempts: 1 });
      for (const { id } of [good, bad]) {
        await eventually(
          async () => {
            const { status, body } = await ask<TaskTraceView>(running, `/v1/tasks/${id}/trace`);
            // Each service exports when its own time has come.
            const services = status === 200 ? body.rows.map(({ service }) => service) : [];
            const hasRun =
              services.length > 0 && body.rows.some((row) => row.kind === "span" && /^run /.test(row.name));
            return hasRun && ["api-gateway", "task-service", "worker"].every((name) => services.includes(name));
          },
          { timeoutMs },
        );
      }
      const found = async (query: string): Promise<string[]> => {
        const { body } = await ask<Found>(running, `/v1/traces?${query}`);
        return body.items.flatMap(({ task_ids }) => task_ids).sort();
      };
      const cases: [query: string, ids: string[]][] = [
        [`task_id=${good.id}`, [good.id]],
        ["operation=run fail", [bad.id]],
        ["service=worker&error=true", [bad.id]],
        ["service=worker&operation=run echo&error=false", [good.id]],
        ["attribute=task_type=echo", [good.id]],
        ["service=worker&operation=run fail&since=1h&limit=1", [bad.id]],
        ["service=worker&min_duration=1h", []],
        ["service=nobody", []],
      ];
      for (const [query, ids] of cases) expect([query, await found(query)]).toEqual([query, ids]);
      const { body } = await ask<Found>(running, `/v1/traces?task_id=${bad.id}`);
      expect(body).toMatchObject({
        items: [{ trace_id: bad.trace_id, service: "api-gateway", operation: "POST /v1/tasks", task_ids: [bad.id] }],
        is_complete: true,
      });
      const one = await ask<{ resourceSpans: unknown[] }>(running, `/v1/traces/${good.trace_id}`);
      expect([one.status, one.body.resourceSpans.length]).toEqual([200, 3]);
      expect((await ask(running, `/v1/traces/${"1".repeat(32)}`)).status).toBe(404);
      await jaeger.stop();
      expect(await ask(running, `/v1/traces/${good.trace_id}`)).toMatchObject({
        status: 503,
        body: {
          code: "unavailable",
          detail: expect.stringMatching(/^asking the Jaeger at "http:\/\/127.0.0.1:\d+" for/),
        },
      });
    },
    limitMs,
  );

  test(
    "is what `throughline verify` asks: every hop is green from Jaeger's spans alone",
    async () => {
      await using jaeger = await startJaeger();
      await using running = await startWith(jaeger);
      const { gateway_url: url = "", console_url: consoleUrl = "" } = running.system.addresses;
      const env = { THROUGHLINE_URL: url, THROUGHLINE_CONSOLE_URL: consoleUrl };
      const { exitCode, stdout } = await runThroughline(["verify", "--dead-letter", "--json"], env);
      const { hops }: { hops: { hop: string; context: string }[] } = JSON.parse(stdout);
      const passed = hops.filter(({ context }) => context === "continued" || context === "linked");
      expect([exitCode, passed.length, hops.length]).toEqual([0, 8, 8]);
    },
    2 * limitMs,
  );
});
