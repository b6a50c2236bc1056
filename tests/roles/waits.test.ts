/** Callers that wait for a task's end and leave: nobody goes on to wait in their name. */

import { describe, expect, test } from "bun:test";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { TaskService } from "../../src/gen/tasks_pb.ts";
import { eventually } from "../support/eventually.ts";
import { rejectionOf } from "../support/rejection.ts";
import { isTaskServiceWaiting } from "../support/store-wait.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 60_000;
const patience = { timeoutMs: 30_000 };

type Leave = (signal: AbortSignal) => Promise<unknown>;

/** Each way to wait for the task `id`, through all that stands before the task service. */
function waysToWait({ url, system: { addresses } }: TestSystem, id: string): [way: string, wait: Leave][] {
  const { task_service_url: baseUrl = "", console_url: consoleUrl } = addresses;
  const wait = "60s";
  const client = createClient(TaskService, createConnectTransport({ baseUrl }));
  return [
    ["HTTP", (signal) => fetch(`${url}/v1/tasks/${id}?wait=60s`, { signal })],
    ["the console", (signal) => fetch(`${consoleUrl}/v1/tasks/${id}?wait=60s`, { signal })],
    ["RPC", (signal) => client.getTask({ id, wait }, { signal })],
  ];
}

describe.each(["connect", "grpc"])("with --rpc=%s", (rpc) => {
  test(
    "a wait ends when its caller leaves, whichever way it came",
    async () => {
      await using running = await startTestSystem({ rpc, role: "all" });
      const { id } = await running.accept({ type: "echo", delay: "1h" });
      for (const [way, wait] of waysToWait(running, id)) {
        const caller = new AbortController();
        const left = rejectionOf(wait(caller.signal));
        await eventually(() => isTaskServiceWaiting(running.adminUrl), patience);
        caller.abort();
        await left;
        await eventually(async () => !(await isTaskServiceWaiting(running.adminUrl)), patience);
        expect([way, (await running.task(id)).status]).toEqual([way, "scheduled"]);
      }
      expect(running.lines.filter(({ level }) => level === "error")).toEqual([]);
    },
    limitMs,
  );
});
