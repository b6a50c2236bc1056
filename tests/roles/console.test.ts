/** The console's parts together: real OTLP in at a real socket, a real file, questions over HTTP. */

import { afterEach, describe, expect, test } from "bun:test";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import fc from "fast-check";
import { readConfig } from "../../src/config.ts";
import { type Batch, takeSpans } from "../../src/console/batch.ts";
import { telemetryFileName } from "../../src/console/telemetry-database.ts";
import { type FileLimits, TelemetryFile } from "../../src/console/telemetry-file.ts";
import { createConsole } from "../../src/console.ts";
import { type Listener, listen } from "../../src/http/listen.ts";
import { systemClock } from "../../src/limits/clock.ts";
import { toOtlpJson } from "../../src/otlp/json.ts";
import { decodeLogs } from "../../src/otlp/log.ts";
import { decodeSpans, type ReceivedSpan } from "../../src/otlp/span.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { eventually } from "../support/eventually.ts";
import { roleResource } from "../support/metrics.ts";
import { toTraceRequest } from "../support/otlp-requests.ts";
import { span, traceId } from "../support/spans.ts";
import { tempFolder } from "../support/temp-folder.ts";

const cleanups: AsyncDisposableStack[] = [];
afterEach(async () => {
  for (const each of cleanups.splice(0)) await each.disposeAsync();
});

const roomy: FileLimits = { retentionMs: 3_600_000, maxBytes: 64 * 1024 * 1024 };
const local = { host: "127.0.0.1", port: 0 };
const taskId = "01a1fdf4-cd76-7699-a1ab-314869020050";

interface Running {
  otlp: Listener;
  pages: Listener;
  ask(path: string): Promise<{ status: number; body: Record<string, unknown> }>;
  send(spans: readonly ReceivedSpan[]): Promise<Response>;
}

async function start(folder: string, limits = roomy): Promise<Running> {
  const stack = new AsyncDisposableStack();
  cleanups.push(stack);
  const levels = { base: "info", modules: {} } as const;
  const log = createLogger({ service: "console", levels, writeLine: () => {}, otlp: undefined, context: ROOT_CONTEXT });
  const { config } = readConfig({}, {});
  const telemetry = { log, startContext: ROOT_CONTEXT };
  const own = createConsole({ folder, limits, clock: systemClock, config, telemetry });
  stack.defer(() => own.stop());
  const otlp = await listen(local, own.receive);
  stack.defer(() => otlp.stop(0));
  const pages = await listen(local, own.query);
  stack.defer(() => pages.stop(0));
  return {
    otlp,
    pages,
    ask: async (path) => {
      const answer = await fetch(`${pages.url}${path}`);
      return { status: answer.status, body: await answer.json() };
    },
    send: (spans) => sendSpans(otlp, spans),
  };
}

function sendSpans(otlp: Listener, spans: readonly ReceivedSpan[]): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${otlp.url}/v1/traces`, { method: "POST", headers, body: JSON.stringify(toOtlpJson(spans, [])) });
}

function batchOf(spans: readonly ReceivedSpan[]): Batch {
  return takeSpans(toTraceRequest(spans)).batch;
}

/** Ids as they have to be over OTLP. */
function sent(number: number, name: string, more: Partial<ReceivedSpan> = {}): ReceivedSpan {
  return span(number.toString(16).padStart(16, "0"), "worker", name, { at: number, ms: 1, ...more });
}

describe("what the console received", () => {
  test("is answered as OTLP that reads as what was sent", async () => {
    await using folder = await tempFolder();
    const { ask, send } = await start(folder.path);
    const attributes = { text: "a", whole: 3, part: 0.5, yes: true, list: ["x", 1], nothing: null, inner: { k: "v" } };
    const links = [{ traceId: "b".repeat(32), spanId: "c".repeat(16), attributes: { why: "retry" } }];
    const events = [{ name: "exception", atMs: 1_700_000_000_001.5, attributes: { "exception.type": "Error" } }];
    const status = { code: "ERROR", message: "no" } as const;
    const resource = { "service.name": "worker" };
    const spans = [
      sent(1, "process", { attributes, links, events, status, resource, kind: "CONSUMER" }),
      sent(2, "run", { parentSpanId: "0000000000000001", resource }),
    ];
    expect((await send(spans)).status).toBe(200);
    const { body } = await ask(`/v1/traces/${traceId}`);
    const read = decodeSpans({ encoding: "json", bytes: new TextEncoder().encode(JSON.stringify(body)) });
    expect(read).toEqual(spans);
  });

  test("keeps log lines with their trace", async () => {
    await using folder = await tempFolder();
    const { otlp, ask } = await start(folder.path);
    const record = {
      service: "worker",
      resource: { "service.name": "worker" },
      atMs: 1_700_000_000_000,
      body: "attempt failed",
      eventName: "",
      severityNumber: 17,
      severityText: "ERROR",
      flags: 1,
      traceId,
      spanId: "c".repeat(16),
      attributes: { task_id: taskId },
    };
    const headers = { "content-type": "application/json" };
    await fetch(`${otlp.url}/v1/logs`, { method: "POST", headers, body: JSON.stringify(toOtlpJson([], [record])) });
    const { body } = await ask(`/v1/traces/${traceId}`);
    expect(decodeLogs({ encoding: "json", bytes: new TextEncoder().encode(JSON.stringify(body)) })).toEqual([record]);
  });

  test("is found by each of a search's parameters", async () => {
    await using folder = await tempFolder();
    const { ask, send } = await start(folder.path);
    const traceIds = { plain: "1".repeat(32), task: "2".repeat(32), failed: "3".repeat(32) };
    await send([
      sent(1, "GET /", { traceId: traceIds.plain, resource: { "service.name": "shop" }, attributes: { "shop.id": 7 } }),
      sent(2, "process", {
        traceId: traceIds.task,
        resource: { "service.name": "worker" },
        attributes: { task_id: taskId },
      }),
      sent(3, "process", {
        traceId: traceIds.failed,
        resource: { "service.name": "worker" },
        status: { code: "ERROR", message: "no" },
        endMs: 1_700_000_009_000,
        attributes: { reason: "late" },
      }),
    ]);
    const found = async (query: string): Promise<unknown> => {
      const { body } = await ask(`/v1/traces?${query}`);
      return (body.items as { trace_id: string }[]).map(({ trace_id }) => trace_id);
    };
    const { plain, task, failed } = traceIds;
    const cases: [query: string, expected: string[]][] = [
      ["", [failed, task, plain]],
      ["limit=1", [failed]],
      ["service=shop", [plain]],
      ["until=2023-11-14T22:13:20.002Z", [task, plain]],
      ["housekeeping=false", [failed, task, plain]],
      ["housekeeping=false&service=worker&error=false", [task]],
      ["operation=process", [failed, task]],
      [`task_id=${taskId}`, [task]],
      ["error=true", [failed]],
      ["error=false&service=worker", [task]],
      ["min_duration=5s", [failed]],
      ["attribute=shop.id=7", [plain]],
      ["attribute=reason=late", [failed]],
      ["attribute=reason=early", []],
      ["since=2023-11-14T22:13:20.002Z", [failed, task]],
      ["since=1h", []],
    ];
    for (const [query, expected] of cases) expect([query, await found(query)]).toEqual([query, expected]);
    const { body } = await ask("/v1/traces?error=true");
    expect(body).toEqual({
      items: [
        {
          trace_id: failed,
          started_at: "2023-11-14T22:13:20.003000Z",
          duration_ms: 8997,
          service: "worker",
          operation: "process",
          spans: 1,
          errors: 1,
          services: ["worker"],
          task_ids: [],
        },
      ],
      is_complete: true,
      kept: 3,
      dropped: 0,
      waiting: 0,
    });
  });

  test("shows a task's traces as one, the one it follows by a link first", async () => {
    await using folder = await tempFolder();
    const { ask, send } = await start(folder.path);
    const origin = "1".repeat(32);
    await send([sent(1, "checkout", { traceId: origin })]);
    const links = [{ traceId: origin, spanId: "0000000000000001", attributes: {} }];
    await send([sent(2, "create task", { links, attributes: { task_id: taskId } })]);
    await send([sent(3, "redrive tasks", { traceId: "3".repeat(32), attributes: { task_id: taskId } })]);
    const { body } = await ask(`/v1/tasks/${taskId}/trace`);
    const rows = body.rows as { name: string }[];
    expect(rows.map(({ name }) => name)).toEqual(["checkout", "create task", "redrive tasks"]);
    expect(body.trace_ids).toEqual([origin, traceId, "3".repeat(32)]);
  });

  test("is there after a restart; a file that is none is made anew", async () => {
    await using folder = await tempFolder();
    const first = await start(folder.path);
    await first.send([sent(1, "kept")]);
    await cleanups.pop()?.disposeAsync();
    const second = await start(folder.path);
    expect((await second.ask(`/v1/traces/${traceId}`)).status).toBe(200);
    await cleanups.pop()?.disposeAsync();
    for (const ending of ["", "-wal", "-shm"])
      writeFileSync(join(folder.path, `${telemetryFileName}${ending}`), "no database ".repeat(1000));
    const third = await start(folder.path);
    expect((await third.ask(`/v1/traces/${traceId}`)).status).toBe(404);
    await third.send([sent(1, "kept again")]);
    expect((await third.ask(`/v1/traces/${traceId}`)).status).toBe(200);
  });
});

describe("the console's limits", () => {
  test("keep the newest within the size, in the file too", async () => {
    await using folder = await tempFolder();
    const maxBytes = 4 * 1024 * 1024;
    const { ask, send } = await start(folder.path, { ...roomy, maxBytes });
    const text = "x".repeat(2000);
    for (let batch = 0; batch < 20; batch++) {
      const spans = Array.from({ length: 500 }, (_, index) =>
        sent(batch * 500 + index + 1, "large", {
          traceId: (batch + 1).toString(16).padStart(32, "0"),
          attributes: { text },
        }),
      );
      expect((await send(spans)).status).toBe(200);
    }
    const oldest = "1".padStart(32, "0");
    const newest = (20).toString(16).padStart(32, "0");
    await eventually(async () => (await ask(`/v1/traces/${oldest}`)).status === 404);
    await eventually(async () => (await ask(`/v1/traces/${newest}`)).status === 200);
    await cleanups.pop()?.disposeAsync();
    const file = new TelemetryFile(folder.path);
    while (file.prune({ ...roomy, maxBytes }, Date.now()));
    expect(file.usedBytes()).toBeLessThanOrEqual(maxBytes);
    expect(file.spansOf(newest).length).toBe(500);
    file.close();
    // Room that was given back is used again: of the 20 MB sent, the file never had more than its limit.
    expect(statSync(join(folder.path, telemetryFileName)).size).toBeLessThanOrEqual(maxBytes);
  });

  test("let go what came too long ago", async () => {
    await using folder = await tempFolder();
    const file = new TelemetryFile(folder.path);
    file.add([batchOf([sent(1, "old")])], 1000);
    file.add([batchOf([sent(2, "new", { traceId: "2".repeat(32) })])], 5000);
    while (file.prune({ ...roomy, retentionMs: 3000 }, 6000));
    expect([file.spansOf(traceId).length, file.spansOf("2".repeat(32)).length]).toEqual([0, 1]);
    file.close();
  });

  test("find a task among many by an index", async () => {
    await using folder = await tempFolder();
    const file = new TelemetryFile(folder.path);
    for (let batch = 0; batch < 20; batch++) {
      const spans = Array.from({ length: 1000 }, (_, index) =>
        sent(batch * 1000 + index + 1, "run", { attributes: { task_id: `task-${batch}-${index}` } }),
      );
      file.add([batchOf(spans)], 1000);
    }
    expect(file.traceIdsOf("task-3-7")).toEqual([traceId]);
    file.close();
    const { DatabaseSync } = await import("node:sqlite");
    const db = new DatabaseSync(join(folder.path, telemetryFileName), { readOnly: true });
    const plan = (sql: string): string => JSON.stringify(db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all());
    expect(plan("SELECT seq FROM keys WHERE bucket = 1 AND key = 1")).toContain(
      "USING PRIMARY KEY (bucket=? AND key=?)",
    );
    db.close();
  });
});

describe("metrics that the console received", () => {
  test("are its charts and its picture of the system", async () => {
    await using folder = await tempFolder();
    const { otlp, ask } = await start(folder.path);
    const attributes = Object.entries(roleResource("worker")).map(([key, value]) => ({
      key,
      value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value },
    }));
    const send = (threads: number) => {
      const dataPoint = {
        timeUnixNano: `${Date.now()}000000`,
        asInt: String(threads),
        attributes: [{ key: "state", value: { stringValue: "busy" } }],
      };
      const metrics = [{ name: "worker_threads", gauge: { dataPoints: [dataPoint] } }];
      const body = JSON.stringify({ resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics }] }] });
      const headers = { "content-type": "application/json" };
      return fetch(`${otlp.url}/v1/metrics`, { method: "POST", headers, body });
    };
    expect((await send(3)).status).toBe(200);
    const { body: system } = await ask("/v1/system");
    expect(system).toMatchObject({ roles: [{ service: "worker", threads: { busy: 3 } }], console: { dropped: 0 } });
    const { body: overview } = await ask("/v1/overview?range=1m");
    expect(overview).toMatchObject({ step_ms: 5000, services: ["worker"] });
  });
});

describe("questions that do not fit", () => {
  const refusals: [path: string, status: number, code: string, detail: RegExp][] = [
    ["/v1/traces?limit=no", 400, "invalid_argument", /^limit: "no": expected a whole number/],
    ["/v1/traces/xyz", 400, "invalid_argument", /"xyz" is no trace id: expected 32 hex digits/],
    [`/v1/traces/${traceId}?x=1`, 400, "invalid_argument", /unknown query parameter "x"/],
    [`/v1/traces/${traceId}`, 404, "not_found", /knows nothing of the trace/],
    ["/v1/tasks/a%20b/trace", 400, "invalid_argument", /"a b" is no task id/],
    [`/v1/tasks/${taskId}/trace`, 404, "not_found", /knows nothing of the task/],
    ["/v1/overview?range=2h", 400, "invalid_argument", /^range: "2h": expected a duration from 5s to 1h/],
    ["/v1/overview?since=1m", 400, "invalid_argument", /unknown query parameter "since"/],
    ["/v1/system?x=1", 400, "invalid_argument", /unknown query parameter "x"/],
    ["/elsewhere", 404, "not_found", /there is nothing at \/elsewhere/],
  ];

  test("get a problem, as the gateway's", async () => {
    await using folder = await tempFolder();
    const { ask, pages } = await start(folder.path);
    for (const [path, status, code, detail] of refusals) {
      const answer = await ask(path);
      expect(answer).toMatchObject({ status, body: { type: "about:blank", status, code } });
      expect(String(answer.body.detail)).toMatch(detail);
    }
    const post = await fetch(`${pages.url}/v1/traces`, { method: "POST", body: "{}" });
    expect([post.status, post.headers.get("content-type")]).toEqual([405, "application/problem+json"]);
  });

  test("are answered whatever they say: found, or refused as the asker's fault", async () => {
    await using folder = await tempFolder();
    const { pages, send } = await start(folder.path);
    await send([sent(1, "GET /", { attributes: { "a'b": "c", "é ": 'x"y' } })]);
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom("a'b=c", "é =x", "1h", "-1", "1e9"),
    );
    const name = fc.oneof(
      fc.constantFrom("service", "operation", "task_id", "error", "min_duration", "attribute", "since", "limit"),
      fc.string({ maxLength: 10 }),
    );
    const asked = fc.oneof(
      fc.array(fc.tuple(name, text), { maxLength: 3 }).map((pairs) => `/v1/traces?${new URLSearchParams(pairs)}`),
      text.map((id) => `/v1/traces/${encodeURIComponent(id)}`),
      text.map((id) => `/v1/tasks/${encodeURIComponent(id)}/trace`),
    );
    await fc.assert(
      fc.asyncProperty(asked, async (path) => {
        const answer = await fetch(`${pages.url}${path}`);
        await answer.bytes();
        expect([200, 400, 404]).toContain(answer.status);
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
