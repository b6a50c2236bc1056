/** The whole system on DynamoDB instead of SQLite: what happens to tasks, and what their traces tell of the store. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { deadLettersAt } from "../support/dead-letters.ts";
import { awsVariables, type DynamoPart, startDynamoPart } from "../support/dynamo-store.ts";
import { eventually } from "../support/eventually.ts";
import { type ObservedSystem, spansIn, startObservedSystem } from "../support/observed-system.ts";
import { describeWith } from "../support/requires.ts";
import type { HttpTask } from "../support/system.ts";
import { expectedTree, inDynamoWords, type TaskCase } from "../support/ten-tasks.ts";
import { faultsOf, toTraceTrees } from "../support/trace-tree.ts";

const limitMs = 60_000;

const withDynamoDb = describeWith("dynamodb");

withDynamoDb("a system on DynamoDB", () => {
  let part: DynamoPart;
  let running: ObservedSystem;

  beforeAll(async () => {
    part = await startDynamoPart();
    const env = { ...awsVariables, AWS_ENDPOINT_URL_DYNAMODB: part.url };
    running = await startObservedSystem({ store: "dynamodb", retryBase: "1ms" }, env);
  }, limitMs);

  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    await part[Symbol.asyncDispose]();
  }, limitMs);

  const ended = async (body: unknown, headers?: Record<string, string>): Promise<HttpTask> => {
    const { id } = await running.accept(body, headers);
    return running.task(id, "30s");
  };

  /** What the store was asked for the task of that trace: the names of the spans, in the order they started. */
  const storeCallsIn = (traceId: string): string[] =>
    spansIn(running.received, traceId)
      .filter(({ attributes }) => attributes["db.system.name"] === "aws.dynamodb")
      .toSorted((a, b) => a.startMs - b.startMs)
      .map(({ name }) => name);

  test(
    "keeps of long errors what SQLite keeps, and of a large result all",
    async () => {
      const message = "é\u{1f600}".repeat(15_000);
      const dead = await ended({ type: "fail", payload: { message }, max_attempts: 3 });
      expect([dead.status, dead.attempts.length]).toEqual(["dead", 3]);
      expect([dead.error?.message.length, dead.attempts[2]?.error?.message.length]).toEqual([4000, 1000]);
      const payload = "r".repeat(200_000);
      expect(await ended({ type: "echo", payload })).toMatchObject({ status: "succeeded", result: payload });
      for (const path of ["/v1/tasks", "/v1/dead-letters", `/v1/tasks/${dead.id}/timeline`]) {
        const answer = await fetch(`${running.url}${path}`);
        expect([path, answer.status, (await answer.text()).isWellFormed()]).toEqual([path, 200, true]);
      }
    },
    limitMs,
  );

  const cases: [what: string, task: TaskCase][] = [
    ["succeeds", { body: { type: "echo", payload: { text: "hi" } }, attempts: ["succeeded"], status: "succeeded" }],
    [
      "is tried again",
      { body: { type: "flaky", payload: { failures: 1 } }, attempts: ["failed", "succeeded"], status: "succeeded" },
    ],
    ["dies", { body: { type: "fail", payload: {}, max_attempts: 2 }, attempts: ["failed", "failed"], status: "dead" }],
  ];

  test.each(cases)(
    "has the tree of a task that %s, in DynamoDB's words",
    async (_, task) => {
      const { status, attempts, trace_id: traceId } = await ended(task.body);
      expect([status, attempts.map(({ outcome }) => outcome)]).toEqual([task.status, [...task.attempts]]);
      const tree = inDynamoWords(expectedTree(task));
      await eventually(() => {
        const spans = spansIn(running.received, traceId);
        expect(faultsOf(spans)).toEqual([]);
        expect(toTraceTrees(spans)).toEqual([tree]);
        return true;
      });
    },
    limitMs,
  );
  test(
    "makes one task of an idempotency key, in one transaction",
    async () => {
      const headers = { "idempotency-key": "order 17" };
      const first = await ended({ type: "echo", payload: 1 }, headers);
      const replayed = await running.submit({ type: "echo", payload: 1 }, headers);
      expect([replayed.status, await replayed.json()]).toMatchObject([200, { id: first.id, status: "succeeded" }]);
      expect((await running.submit({ type: "echo", payload: 2 }, headers)).status).toBe(422);
      await eventually(() => {
        const calls = storeCallsIn(first.trace_id);
        expect(calls).toEqual(["TransactWriteItems tasks", "UpdateItem tasks", "UpdateItem tasks"]);
        return true;
      });
    },
    limitMs,
  );

  test(
    "runs a delayed task when it is due, and not one that was canceled before",
    async () => {
      const delayed = await running.accept({ type: "echo", payload: {}, delay: "1s" });
      const canceled = await running.accept({ type: "echo", payload: {}, delay: "1h" });
      await fetch(`${running.url}/v1/tasks/${canceled.id}/cancel`, { method: "POST" });
      expect([delayed.status, canceled.status]).toEqual(["scheduled", "scheduled"]);
      expect(await running.task(canceled.id, "30s")).toMatchObject({ status: "canceled", attempts: [] });
      const task = await running.task(delayed.id, "30s");
      expect(task.status).toBe("succeeded");
      expect(Date.parse(task.started_at ?? "")).toBeGreaterThanOrEqual(Date.parse(task.run_at));
    },
    limitMs,
  );

  test(
    "brings a dead task back, in a new trace",
    async () => {
      const dead = deadLettersAt(running.url);
      const { id, trace_id: traceId } = await ended({ type: "fail", payload: { fatal: true } });
      expect((await dead.list()).items.map(({ task }) => task.id)).toContain(id);
      expect(await dead.redriven({ ids: [id] })).toMatchObject({
        status: "completed",
        matched: 1,
        moved: 1,
        failed: 0,
      });
      const again = await eventually(async () => {
        const letter = await dead.get(id);
        return letter.redrives === 1 && letter;
      });
      expect(again.task.attempts.map(({ outcome }) => outcome)).toEqual(["failed", "failed"]);
      expect(again.task.attempts[0]?.trace_id).toBe(traceId);
      expect(again.task.attempts[1]?.trace_id).not.toBe(traceId);
    },
    limitMs,
  );

  test("tells that the table answers, and how many calls are under way", async () => {
    const health: { checks: Record<string, unknown> } = await (await fetch(`${running.adminUrl}/health`)).json();
    const connections = { connections_active: expect.any(Number), connections_idle: 0, connections_max: 128 };
    expect(health.checks.database).toEqual({ status: "healthy", ...connections });
  });
});
