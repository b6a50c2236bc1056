/** Many tasks in one request: each accepted or refused for itself, in its place, and all of them in the request's trace. */

import { describe, expect, test } from "bun:test";
import { newTaskId } from "../../src/words/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { problemOf } from "../support/http-problem.ts";
import { type ObservedSystem, spansIn, startObservedSystem } from "../support/observed-system.ts";
import { sharedSystem } from "../support/shared-system.ts";
import type { HttpTask } from "../support/system.ts";

const limitMs = 60_000;

interface HttpBatchResult {
  status: number;
  task?: HttpTask;
  error?: { status: number; code: string; detail: string; errors?: { pointer: string; detail: string }[] };
  retry_after?: number;
}

const running = sharedSystem();

function post(body: unknown, headers: Record<string, string> = {}, url = running().url): Promise<Response> {
  return fetch(`${url}/v1/tasks/batch`, { method: "POST", body: JSON.stringify(body), headers });
}

async function resultsOf(answer: Response): Promise<HttpBatchResult[]> {
  expect([answer.status, answer.headers.get("content-type")]).toEqual([207, "application/json;charset=utf-8"]);
  return answer.json();
}

function countTasks(): unknown {
  return running().rows("SELECT count(*) AS count FROM tasks")[0]?.count;
}

describe("a batch", () => {
  test(
    "has a result for each item, in order, and what is wrong with one spoils no other",
    async () => {
      const items = [
        { type: "echo", payload: 0 },
        { type: "echo", payload: 1, colour: "red", max_attempts: 0 },
        7,
        { type: "send-fax" },
        { type: "echo", payload: "x".repeat(256 * 1024) },
        { type: "echo", payload: 5, delay: "1h", metadata: { shop: "7" } },
      ];
      const results = await resultsOf(await post(items));
      expect(results.map(({ status, task, error }) => [status, task?.payload ?? error?.code])).toEqual([
        [202, 0],
        [400, "invalid_argument"],
        [400, "invalid_argument"],
        [400, "invalid_argument"],
        [413, "payload_too_large"],
        [202, 5],
      ]);
      expect(results[1]?.error?.errors?.map(({ pointer }) => pointer).sort()).toEqual(["/1/colour", "/1/max_attempts"]);
      expect(results[2]?.error?.errors).toEqual([{ pointer: "/2", detail: expect.stringContaining("object") }]);
      expect(results[2]?.error?.detail).toStartWith("/2: ");
      expect(results[3]?.error?.detail).toContain('"send-fax"');
      expect(await running().task(results[0]?.task?.id ?? "", "20s")).toMatchObject({ status: "succeeded", result: 0 });
      expect(results[5]?.task).toMatchObject({ status: "scheduled", metadata: { shop: "7" } });
    },
    limitMs,
  );

  test(
    "of a thousand is accepted, and all of them run",
    async () => {
      const correlationId = newTaskId();
      const items = Array.from({ length: 1000 }, (_, n) => ({ type: "echo", payload: n }));
      const results = await resultsOf(await post(items, { "x-correlation-id": correlationId }));
      expect(results.map(({ task }) => task?.payload)).toEqual(items.map(({ payload }) => payload));
      expect(new Set(results.map(({ task }) => task?.id)).size).toBe(1000);
      const statuses = "SELECT status, count(*) AS count FROM tasks WHERE correlation_id =";
      const expected = [{ status: "succeeded", count: 1000 }];
      await eventually(
        () => Bun.deepEquals(running().rows(`${statuses} '${correlationId}' GROUP BY status`), expected),
        { timeoutMs: limitMs },
      );
    },
    limitMs,
  );

  test("that is sent again with its key makes no task twice, and those that are missing", async () => {
    const headers = { "idempotency-key": newTaskId() };
    const items = [{ type: "echo", payload: 0 }, { type: "send-fax" }, { type: "echo", payload: 2 }];
    const first = await resultsOf(await post(items, headers));
    const before = countTasks();
    const again = await post(items, headers);
    expect(again.headers.get("idempotent-replayed")).toBeNull();
    const repeated = await resultsOf(again);
    expect(repeated.map(({ status, task }) => [status, task?.id])).toEqual([
      [200, first[0]?.task?.id],
      [400, undefined],
      [200, first[2]?.task?.id],
    ]);
    expect(countTasks()).toBe(before);

    const mended = [items[0], { type: "echo", payload: 1 }, { type: "echo", payload: 3 }];
    const third = await resultsOf(await post(mended, headers));
    expect(third.map(({ status, error }) => [status, error?.code])).toEqual([
      [200, undefined],
      [202, undefined],
      [422, "idempotency_mismatch"],
    ]);
    const whole = await post([items[0], { type: "echo", payload: 1 }, items[2]], headers);
    expect(whole.headers.get("idempotent-replayed")).toBe("true");
    expect((await resultsOf(whole)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test("has keys of its items' own, which are those of single tasks", async () => {
    const key = newTaskId();
    const single = await running().accept({ type: "echo", payload: 1 }, { "idempotency-key": key });
    const item = { type: "echo", payload: 1, idempotency_key: key };
    const results = await resultsOf(await post([item, item], { "idempotency-key": newTaskId() }));
    expect(results.map(({ status, task }) => [status, task?.id])).toEqual([
      [200, single.id],
      [200, single.id],
    ]);
  });

  const refusals: [what: string, body: string, headers: Record<string, string>, status: number, detail: RegExp][] = [
    ["no array", '{"type":"echo"}', {}, 400, /array/],
    ["an empty one", "[]", {}, 400, />=1|at least 1|1 items/],
    ["too many", JSON.stringify(Array(1001).fill({ type: "echo" })), {}, 400, /<=1000/],
    ["no JSON", "[", {}, 400, /not JSON/],
    ["too deep", `[{"type":"echo","payload":${"[".repeat(64)}${"]".repeat(64)}}]`, {}, 400, /64 levels/],
    ["too large a whole", JSON.stringify(["x".repeat(4 * 1024 * 1024)]), {}, 413, /4194304 bytes/],
    ["a key that is too long", '[{"type":"echo"}]', { "idempotency-key": "k".repeat(251) }, 400, /Idempotency-Key/],
  ];

  test.each(refusals)("is refused as a whole: %s", async (_what, body, headers, status, detail) => {
    const before = countTasks();
    const answer = await fetch(`${running().url}/v1/tasks/batch`, { method: "POST", body, headers });
    const problem = await problemOf(answer);
    expect([problem.status, problem.detail]).toEqual([status, expect.stringMatching(detail)]);
    expect(countTasks()).toBe(before);
  });
});

describe("the trace of a batch", () => {
  test(
    "has every task below a span of its own, those that were refused among them",
    async () => {
      await using observed: ObservedSystem = await startObservedSystem();
      const answer = await post([{ type: "echo" }, { type: "send-fax" }, { type: "echo" }], {}, observed.url);
      const results = await resultsOf(answer);
      const [, traceId = ""] = answer.headers.get("traceresponse")?.split("-") ?? [];
      const ids = results.flatMap(({ task }) => task?.id ?? []);
      for (const id of ids) expect((await observed.task(id, "20s")).trace_id).toBe(traceId);
      await observed.stop();
      const spans = spansIn(observed.received, traceId);
      const call = spans.find(({ kind, name }) => kind === "SERVER" && name === "tasks.TaskService/CreateTasks");
      const made = spans.filter(({ name }) => name === "create task");
      expect(made.map(({ parentSpanId }) => parentSpanId)).toEqual(Array(3).fill(call?.spanId));
      expect(made.map(({ attributes }) => attributes.task_id ?? attributes["error.type"]).sort()).toEqual(
        [...ids, "invalid_argument"].sort(),
      );
      for (const id of ids) {
        const own = made.find(({ attributes }) => attributes.task_id === id);
        const below = spans.filter(({ parentSpanId }) => parentSpanId === own?.spanId).map(({ name }) => name);
        expect(below.sort()).toEqual(["INSERT tasks", "send task-events"]);
        const runs = spans.filter(({ name, attributes }) => name === "run echo" && attributes.task_id === id);
        expect(runs).toHaveLength(1);
      }
    },
    limitMs,
  );
});
