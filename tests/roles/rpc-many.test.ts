/** What the task service answers about many tasks, and about one that goes on, asked by the Connect library's own clients. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fromJson } from "@bufbuild/protobuf";
import { timestampFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { createConnectTransport } from "@connectrpc/connect-web";
import { TaskService } from "../../src/gen/tasks_pb.ts";
import { newTaskId } from "../../src/words/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { isTaskServiceWaiting } from "../support/store-wait.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 60_000;

let running: TestSystem;
beforeAll(async () => {
  running = await startTestSystem({ retryBase: "1ms", grpcListen: "127.0.0.1:0" });
}, startingMs);
afterAll(() => running?.[Symbol.asyncDispose](), startingMs);

const connectUrl = () => running.system.addresses.task_service_url ?? "";
const grpcUrl = () => running.system.addresses.grpc_url ?? "";
const transports: [what: string, create: () => Transport][] = [
  ["Connect with JSON", () => createConnectTransport({ baseUrl: connectUrl(), useBinaryFormat: false })],
  ["Connect with binary messages", () => createConnectTransport({ baseUrl: connectUrl(), useBinaryFormat: true })],
  ["gRPC", () => createGrpcTransport({ baseUrl: grpcUrl() })],
];

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );
  return error ? (Code[error.code] ?? String(error.code)) : "ok";
}

describe.each(transports)("a client that speaks %s", (_what, createTransport) => {
  let client: Client<typeof TaskService>;
  beforeAll(() => {
    client = createClient(TaskService, createTransport());
  });

  test("creates many tasks at once, of which a bad one spoils no other", async () => {
    const idempotencyKey = crypto.randomUUID();
    const headers = { "x-correlation-id": newTaskId() };
    const tasks = [
      { type: "echo", payload: fromJson(ValueSchema, { n: 1 }), idempotencyKey },
      { type: "send-fax" },
      { type: "echo", maxAttempts: 1000 },
      { type: "echo", payload: fromJson(ValueSchema, { n: 1 }), idempotencyKey },
      { type: "echo", delay: "3600s" },
    ];
    const { results } = await client.createTasks({ tasks: tasks.slice(0, 3) }, { headers });
    expect(results.map(({ task, refusal }) => task?.status ?? refusal?.code)).toEqual([
      "queued",
      "invalid_argument",
      "invalid_argument",
    ]);
    const again = await client.createTasks({ tasks }, { headers });
    expect(again.results.map(({ task, replayed, refusal }) => [task?.type ?? refusal?.code, replayed])).toEqual([
      ["echo", true],
      ["invalid_argument", false],
      ["invalid_argument", false],
      ["echo", true],
      ["echo", false],
    ]);
    expect(again.results[3]?.task?.id).toBe(results[0]?.task?.id ?? "none");
    expect(again.results[1]?.refusal?.message).toContain('"send-fax"');
    const ended = await client.getTask({ id: results[0]?.task?.id ?? "", wait: "20s" });
    expect(ended.status).toBe("succeeded");

    const listed = await client.listTasks({ correlationId: headers["x-correlation-id"] });
    expect(listed.items.map(({ id }) => id)).toEqual([
      again.results[4]?.task?.id ?? "none",
      results[0]?.task?.id ?? "none",
    ]);
  });

  test("lists tasks page by page, and is refused a cursor of another list", async () => {
    const correlationId = newTaskId();
    const headers = { "x-correlation-id": correlationId };
    const since = Date.now() - 1;
    const { results } = await client.createTasks({ tasks: Array(5).fill({ type: "echo" }) }, { headers });
    const ids = results.map(({ task }) => task?.id ?? "").reverse();
    const asked = { correlationId, type: "echo", createdAfter: timestampFromMs(since) };
    const seen: string[] = [];
    for (let cursor = ""; ; ) {
      const page = await client.listTasks({ ...asked, limit: 2, cursor });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      if (cursor === "") break;
      const other = { ...asked, type: "sleep", cursor };
      expect(await codeOf(client.listTasks(other))).toBe("InvalidArgument");
    }
    expect(seen).toEqual(ids);
    expect((await client.listTasks({ ...asked, createdAfter: timestampFromMs(Date.now() + 1000) })).items).toEqual([]);
  });

  test("watches a task to its end, change by change", async () => {
    const task = await client.createTask({ type: "sleep", payload: fromJson(ValueSchema, { ms: 50 }) });
    const { id } = task;
    const states: string[] = [];
    for (let hasEnded = false; !hasEnded; ) {
      const watched = await client.watchTask({ id, seenEntry: states.length, wait: "20s" });
      expect(watched.firstNumber).toBe(states.length + 1);
      states.push(...watched.entries.map(({ to }) => to));
      hasEnded = watched.hasEnded;
    }
    expect(states).toEqual(["queued", "running", "succeeded"]);
    const after = await client.watchTask({ id, seenEntry: 3, wait: "20s" });
    expect([after.entries, after.hasEnded]).toEqual([[], true]);
  });

  test("sees what tasks died of, and redrives one group of them", async () => {
    const message = `no ${"xyz".repeat(transports.findIndex(([what]) => what === _what) + 1)}`;
    const payload = fromJson(ValueSchema, { message, fatal: true });
    const { results } = await client.createTasks({ tasks: Array(3).fill({ type: "fail", payload }) });
    for (const { task } of results) await client.getTask({ id: task?.id ?? "", wait: "20s" });
    const { items } = await client.listDeadLetterGroups({ type: "fail", limit: 100 });
    const found = items.find(({ error }) => error?.message === message);
    expect(found).toMatchObject({ type: "fail", count: 3n, error: { type: "FatalError", message } });
    expect(results.map(({ task }) => task?.id)).toContain(found?.taskId ?? "none");
    const selection = { type: "fail", group: found?.group ?? "" };
    const listed = await client.listDeadLetters(selection);
    expect(listed.items.map(({ group }) => group)).toEqual(Array(3).fill(selection.group));
    const redrive = await client.redriveDeadLetters({ filter: selection, dryRun: true });
    expect(redrive.matched).toBe(3n);
  });

  test("is told by the standard codes what was wrong", async () => {
    const codes = await Promise.all(
      [
        client.createTasks({}),
        client.createTasks({ tasks: Array(1001).fill({ type: "echo" }) }),
        client.listTasks({ status: "bored" }),
        client.listTasks({ limit: 101 }),
        client.listTasks({ cursor: "7" }),
        client.listTasks({ type: "no type" }),
        client.redriveDeadLetters({ ids: [newTaskId(), newTaskId()], payload: fromJson(ValueSchema, 1) }),
        client.listDeadLetters({ group: "not one" }),
        client.watchTask({ id: newTaskId(), seenEntry: -1 }),
        client.watchTask({ id: newTaskId() }),
      ].map(codeOf),
    );
    expect(codes).toEqual([...Array(9).fill("InvalidArgument"), "NotFound"]);
  });

  test("leaves nothing behind when it goes away while it watches", async () => {
    const task = await client.createTask({ type: "echo", delay: "3600s" });
    const gone = new AbortController();
    const request = { id: task.id, seenEntry: 1, wait: "3600s" };
    const watched = codeOf(client.watchTask(request, { signal: gone.signal }));
    await eventually(() => isTaskServiceWaiting(running.adminUrl));
    gone.abort();
    expect(await watched).toBe("Canceled");
    await eventually(async () => !(await isTaskServiceWaiting(running.adminUrl)));
  });
});
