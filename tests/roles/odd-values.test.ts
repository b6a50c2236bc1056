/**
 * Whatever a handler throws or returns, and whatever a caller or an earlier version wrote: the task ends as it should, and
 * every answer with it is there, bounded, by every protocol. The gateway asks by gRPC, which carries least.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { type HttpTask, startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 90_000;
const handlers = fileURLToPath(new URL("../fixtures/odd-handlers", import.meta.url));

let running: TestSystem;
beforeAll(async () => {
  running = await startTestSystem({ handlers, rpc: "grpc", retryBase: "1ms", retryCap: "1ms", maxResult: "64KB" });
}, limitMs);
afterAll(() => running?.[Symbol.asyncDispose](), limitMs);

/** The answer, which has to be 200, and its size. */
async function read(path: string): Promise<{ body: { items: HttpTask[]; next_cursor: string | null }; bytes: number }> {
  const answer = await fetch(`${running.url}/v1${path}`);
  const text = await answer.text();
  expect([path, answer.status, text.isWellFormed(), /\\ud[89a-f]/i.test(text)]).toEqual([path, 200, true, false]);
  return { body: JSON.parse(text), bytes: Buffer.byteLength(text) };
}

async function readLists(): Promise<void> {
  for (const path of ["/tasks", "/dead-letters", "/dead-letters/groups", "/dead-letters/unreadable", "/schedules"]) {
    await read(`${path}?limit=100`);
  }
}

async function ended(body: Record<string, unknown>): Promise<HttpTask> {
  const { id } = await running.accept(body);
  return running.task(id, "30s");
}

describe("a handler", () => {
  test(
    "may throw anything: its task is dead of an error with texts",
    async () => {
      const thrown: [what: string, type: string, message: string][] = [
        ["message that is an object", "Error", '{"statusCode":400,"message":["to"]}'],
        ["message that is a bigint", "Error", "10"],
        ["message that is a symbol", "Error", "Symbol(s)"],
        ["name that is a number", "Error", "m"],
        ["code that is long", `${"C".repeat(199)}…`, "m"],
        ["errors that are no list", "AggregateError", "m"],
        ["getters that throw", "Error", ""],
        ["a Proxy that throws", "Error", "[an object that cannot be read]"],
        ["a cause that leads back", "Error", "m"],
        ["undefined", "Error", "undefined"],
        ["a function", "Error", "[object Function]"],
      ];
      const text = "C".repeat(100_000);
      const tasks = await Promise.all(thrown.map(([what]) => ended({ type: "throw-value", payload: { what, text } })));
      expect(tasks.map(({ status, error, attempts }) => [status, error, attempts[0]?.outcome])).toEqual(
        thrown.map(([, type, message]) => ["dead", { type, message }, "failed"]),
      );
      for (const { id } of tasks) await read(`/dead-letters/${id}`);
      await readLists();
    },
    limitMs,
  );

  test(
    "may return anything: it is the result, or its task is dead at once and says why",
    async () => {
      const refused = [
        "a Map",
        "a promise inside",
        "NaN inside",
        "a generator",
        "too many levels",
        "half a character in a name",
      ];
      const tasks = await Promise.all(refused.map((what) => ended({ type: "return-value", payload: what })));
      expect(tasks.map(({ status, error, result }) => [status, error?.type, result])).toEqual(
        refused.map(() => ["dead", "invalid_result", null]),
      );
      const large = await ended({ type: "return-value", payload: "what is too large" });
      expect([large.status, large.error?.type]).toEqual(["dead", "result_too_large"]);
      const deep = await ended({ type: "return-value", payload: "levels" });
      expect([deep.status, JSON.stringify(deep.result).length]).toEqual(["succeeded", 63 * 6 + 1]);
      expect(await ended({ type: "return-value", payload: "text" })).toMatchObject({ result: "a\ufffd" });
      await readLists();
      const faults = running.lines.filter(({ level, msg }) => level === "error" && msg !== "task is dead");
      expect(faults).toEqual([]);
    },
    limitMs,
  );

  test(
    "may fail forty times with long errors: its task is a small answer",
    async () => {
      const task = await ended({
        type: "throw-value",
        payload: { what: "message", text: "é\u{1f600}".repeat(20_000) },
        max_attempts: 40,
      });
      expect([task.attempts.length, task.error?.message.length]).toEqual([40, 4000]);
      expect(task.attempts.every(({ error }) => (error?.message.length ?? 0) >= 999)).toBe(true);
      const payloadBytes = Buffer.byteLength(JSON.stringify(task.payload));
      for (const path of [`/tasks/${task.id}`, `/tasks/${task.id}/timeline`, `/dead-letters/${task.id}`]) {
        expect((await read(path)).bytes - payloadBytes).toBeLessThan(130_000);
      }
    },
    limitMs,
  );
});

test(
  "pages of tasks and of dead letters are bounded by all that is in them, and lead to every one",
  async () => {
    const payload = { what: "message", text: "m".repeat(200_000) };
    const made = await Promise.all(Array.from({ length: 12 }, () => ended({ type: "throw-value", payload })));
    const ids = made.map(({ id }) => id).sort();
    for (const [path, idOf] of [
      ["/tasks?type=throw-value", (item: HttpTask) => item.id],
      // A dead letter has its task.
      ["/dead-letters?type=throw-value", (item: HttpTask) => (item as unknown as { task: HttpTask }).task.id],
    ] as const) {
      const seen: string[] = [];
      let pages = 0;
      for (let cursor: string | null = ""; cursor !== null; pages++) {
        const { body, bytes } = await read(`${path}&limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
        expect(bytes).toBeLessThan(2 * 1024 * 1024);
        seen.push(...body.items.map(idOf));
        cursor = body.next_cursor;
      }
      expect(pages).toBeGreaterThan(1);
      expect(new Set(seen).size).toBe(seen.length);
      expect(ids.filter((id) => !seen.includes(id))).toEqual([]);
    }
  },
  limitMs,
);

describe("half a character", () => {
  const half = String.raw`a\ud83d`;

  test(
    "becomes U+FFFD in what callers send over HTTP",
    async () => {
      const post = async (path: string, body: string, status: number) => {
        const headers = { "content-type": "application/json" };
        const answer = await fetch(`${running.url}/v1${path}`, { method: "POST", headers, body });
        const text = await answer.text();
        expect([path, answer.status, /\\ud8/i.test(text)]).toEqual([path, status, false]);
        return JSON.parse(text);
      };
      const body = `{"type":"echo","payload":{"a":["${half}"]},"metadata":{"a":"${half}"}}`;
      const sent = { payload: { a: ["a\ufffd"] }, metadata: { a: "a\ufffd" } };
      const task = await post("/tasks", body, 202);
      expect(task).toMatchObject(sent);
      expect(await running.task(task.id, "30s")).toMatchObject({ ...sent, status: "succeeded", result: sent.payload });
      const [, of] = await post("/tasks/batch", `[{"type":"echo"},${body}]`, 207);
      expect(of).toMatchObject({ status: 202, task: sent });
      const schedule = `{"every":"1h","paused":true,"task":${body}}`;
      expect(await post("/schedules", schedule, 201)).toMatchObject({ task: sent });
      const dead = await ended({ type: "throw-value", payload: { what: "message", text: "a\ud83d" } });
      expect(dead).toMatchObject({ status: "dead", error: { message: "a\ufffd" } });
      await post("/dead-letters/redrive", `{"ids":["${dead.id}"],"reason":"${half}","payload":["${half}"]}`, 202);
      const again = await ended({ type: "throw-value", payload: { what: "message", text: "again" } });
      await post(`/dead-letters/${again.id}/discard`, `{"reason":"${half}"}`, 200);
      await read(`/tasks/${again.id}/timeline`);
      await readLists();
    },
    limitMs,
  );

  test(
    "becomes U+FFFD in what callers send by Connect, as JSON and in binary",
    async () => {
      const url = `${running.system.addresses.task_service_url}/tasks.TaskService/CreateTask`;
      const post = (type: string, body: BodyInit): Promise<Response> =>
        fetch(url, { method: "POST", headers: { "content-type": type }, body });
      const json = `{"type":"echo","payload":["${half}"],"metadata":{"a":"${half}"}}`;
      const answer = await post("application/json", json);
      expect([answer.status, await answer.json()]).toMatchObject([
        200,
        { payload: ["a\ufffd"], metadata: { a: "a\ufffd" } },
      ]);
      // CreateTaskRequest: type (1), idempotency_key (8) with a half in what would be its three bytes of UTF-8.
      const binary = Uint8Array.of(0x0a, 4, ...Buffer.from("echo"), 0x42, 4, 0x61, 0xed, 0xa0, 0xbd);
      expect([200, 400]).toContain((await post("application/proto", binary)).status);
      await readLists();
    },
    limitMs,
  );
});

test(
  "what an earlier version has kept is shown: halves, long errors, and errors that are no texts",
  async () => {
    const { id } = await ended({ type: "throw-value", payload: { what: "message", text: "m" } });
    const text = String.raw`a\ud83d`;
    const odd = `{"type":"${"T".repeat(5000)}","message":{"statusCode":400,"text":"${text}"},"causes":[7]}`;
    const long = `{"type":"${text}","message":"${"m".repeat(400_000)}${text}"}`;
    running.write(`
      UPDATE tasks SET error = '${odd}', metadata = '{"k":"${text}"}' WHERE id = '${id}';
      UPDATE tasks_timeline SET error = '${long}' WHERE task_id = '${id}' AND error IS NOT NULL;
    `);
    const task = await running.task(id);
    expect(task).toMatchObject({
      metadata: { k: "a\ufffd" },
      error: { type: `${"T".repeat(199)}…`, message: '{"statusCode":400,"text":"a\ufffd"}' },
      attempts: [{ error: { type: "a\ufffd", message: `${"m".repeat(999)}…` } }],
    });
    for (const path of [`/tasks/${id}`, `/tasks/${id}/timeline`, `/dead-letters/${id}`]) {
      expect((await read(path)).bytes).toBeLessThan(10_000);
    }
    await readLists();
  },
  limitMs,
);
