/** `throughline trace` against the console of the compiled executable: one story, the same in the API and in the terminal. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TaskTraceView } from "../../src/console/task-trace-view.ts";
import { runThroughline } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 180_000;

/** Fails until somebody has mended what it needs. */
const handler = `import { existsSync } from "node:fs";
export default {
  type: "deliver",
  run(task, ctx) {
    ctx.log.info("knocking");
    if (!existsSync(task.payload.door)) throw new Error("nobody opens");
    return { delivered: true };
  },
};
`;

const cleanup = new AsyncDisposableStack();
let process: ThroughlineProcess;
let door = "";

beforeAll(async () => {
  const folder = cleanup.use(await tempFolder());
  door = join(folder.path, "door");
  const handlers = join(folder.path, "handlers");
  mkdirSync(handlers);
  writeFileSync(join(handlers, "deliver.ts"), handler);
  const flags = [`--handlers=${handlers}`, "--retry-base=20ms", "--retry-cap=50ms", "--threads=1"];
  process = cleanup.use(
    await startThroughline(["serve", "--role=all", ...freePorts, `--data-dir=${folder.path}`, ...flags]),
  );
}, limitMs);
afterAll(() => cleanup.disposeAsync(), limitMs);

function run(args: readonly string[]) {
  return runThroughline(args, { THROUGHLINE_CONSOLE_URL: process.addresses.console_url ?? "" });
}

async function post(path: string, body: unknown): Promise<Record<string, string>> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${process.addresses.gateway_url}${path}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

async function statusOf(id: string): Promise<string> {
  const answer = await fetch(`${process.addresses.gateway_url}/v1/tasks/${id}`);
  const { status } = await answer.json();
  return status;
}

describe("the trace of a task that died, was brought back and succeeded", () => {
  let id = "";
  let view: TaskTraceView;

  beforeAll(async () => {
    ({ id = "" } = await post("/v1/tasks", { type: "deliver", payload: { door }, max_attempts: 3 }));
    await eventually(async () => (await statusOf(id)) === "dead", { timeoutMs: 60_000 });
    writeFileSync(door, "open");
    await post("/v1/dead-letters/redrive", { ids: [id] });
    await eventually(async () => (await statusOf(id)) === "succeeded", { timeoutMs: 60_000 });
    view = await eventually(
      async () => {
        const answer = await fetch(`${process.addresses.console_url}/v1/tasks/${id}/trace`);
        const seen: TaskTraceView = await answer.json();
        const names = answer.ok ? seen.rows.map((row) => (row.kind === "span" ? row.name : "")) : [];
        const knocks = seen.rows?.filter((row) => row.kind === "log" && row.message === "knocking") ?? [];
        const runs = names.filter((name) => name === "run deliver");
        const isWhole = runs.length === 4 && knocks.length === 4 && names.includes("redrive tasks");
        return isWhole && names.filter((name) => name === "process task-events").length === 4 ? seen : undefined;
      },
      { timeoutMs: 60_000 },
    );
  }, limitMs);

  test("is one timeline: every attempt, the death, the redrive, the success", () => {
    const story = view.rows.flatMap((row) => {
      if (row.kind === "wait") return [`wait in ${row.service}`];
      if (row.kind === "log") return row.message === "knocking" ? ["log: knocking"] : [];
      const isTold = /^(POST \/v1\/tasks|run|redrive tasks|process task-events-dlq)/.test(row.name);
      return isTold ? [`${row.service}: ${row.name}${row.status.code === "ERROR" ? " ✗" : ""}`] : [];
    });
    const attempt = (mark: string) => [`worker: run deliver${mark}`, "log: knocking"];
    expect(story.filter((line) => !line.startsWith("wait"))).toEqual([
      "api-gateway: POST /v1/tasks",
      ...attempt(" ✗"),
      ...attempt(" ✗"),
      ...attempt(" ✗"),
      "dlq-processor: process task-events-dlq",
      "dlq-processor: redrive tasks",
      ...attempt(""),
    ]);
    expect(new Set(story.filter((line) => line.startsWith("wait")))).toEqual(
      new Set(["wait in task-events", "wait in task-events-dlq"]),
    );
    expect(view.trace_ids.length).toBeGreaterThanOrEqual(2);
    const starts = view.rows.filter((row) => row.kind !== "log" && row.depth === 0).map((row) => row.offset_ms);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
  });

  test("is the same in the terminal", async () => {
    const { exitCode, stdout, errors } = await run(["trace", id]);
    expect([exitCode, errors]).toEqual([0, []]);
    expect(stdout).toContain(`task ${id}`);
    expect(stdout.match(/run deliver/g)?.length).toBe(4);
    expect(stdout.match(/info: knocking/gi)?.length).toBe(4);
    expect(stdout).toContain("nobody opens");
    // Log lines have a way of their own to the console, and may come after the spans.
    await eventually(
      async () => {
        const shown = await run(["trace", id, "--json"]);
        const answer = await fetch(`${process.addresses.console_url}/v1/tasks/${id}/trace`);
        expect(JSON.parse(shown.stdout)).toEqual(await answer.json());
        return true;
      },
      { timeoutMs: 30_000 },
    );
  });

  test("can be asked for one trace at a time, as OTLP", async () => {
    const [traceId = ""] = view.trace_ids;
    const shown = await run(["trace", traceId]);
    expect([shown.exitCode, shown.stdout.includes(`trace ${traceId}`)]).toEqual([0, true]);
    const { resourceSpans } = JSON.parse((await run(["trace", traceId, "--json"])).stdout);
    expect(resourceSpans.length).toBeGreaterThan(1);
  });
});

describe("throughline trace", () => {
  test("says what is wrong, and what to do", async () => {
    const unknown = "01a1fdf4-cd76-7699-a1ab-314869020050";
    expect(await run(["trace", unknown])).toEqual({
      exitCode: 1,
      stdout: "",
      errors: [
        `throughline: the console knows nothing of the task "${unknown}": it was not sampled, is not here yet, or is older than what is kept`,
      ],
    });
    expect(await run(["trace", "xyz"])).toMatchObject({
      exitCode: 2,
      errors: [expect.stringMatching(/^throughline: "xyz" is no id: expected a task's, such as/)],
    });
    const away = await runThroughline(["trace", unknown, "--console-url=http://127.0.0.1:1"]);
    expect(away).toMatchObject({
      exitCode: 1,
      errors: [
        expect.stringMatching(/^throughline: nothing answers at http:\/\/127.0.0.1:1: is the console running\?/),
      ],
    });
  });
});
