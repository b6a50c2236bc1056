/**
 * The disk fills up under a running system, to below the reserve and to the last byte: nothing accepted is lost, what
 * cannot be done is said, and when there is room again everything goes on by itself.
 */

import { expect, test } from "bun:test";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { readConfig } from "../../src/config.ts";
import { type Console, createConsole } from "../../src/console.ts";
import { createFreeDisk } from "../../src/host/free-disk.ts";
import { systemClock } from "../../src/limits/clock.ts";
import type { SqliteConnection } from "../../src/store/sqlite/connection.ts";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { openSqlite, type SqliteOperations } from "../../src/store/sqlite/sqlite.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { onlyValue } from "../../src/words/entry-result.ts";
import { runThroughline } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { startGate } from "../support/gate.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { describeUnless } from "../support/requires.ts";
import { mountSmallDisk, type SmallDisk, whyNoSmallDisk } from "../support/small-disk.ts";
import { actorAt, leaseMs, newTask, t0 } from "../support/stored-tasks.ts";
import type { HttpTask } from "../support/system.ts";
import { readLog } from "../support/write-ahead-log.ts";

const limitMs = 120_000;
const mebibyte = 1024 * 1024;
const diskBytes = 48 * mebibyte;
/** Below the reserve, which is a tenth of the disk, and enough for what was accepted. */
const littleBytes = 2 * mebibyte;
const table = "tasks";

const refusal = {
  type: "about:blank",
  title: "Service unavailable",
  status: 503,
  detail: "the disk with the data folder is nearly full",
  code: "unavailable",
  trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
};

/** As SQLite says it. */
const full = { code: "unavailable", message: "the store (throughline.db) refused: database or disk is full" };

const withSmallDisk = describeUnless(await whyNoSmallDisk());

withSmallDisk("a disk that fills up under the system", () => {
  test(
    "to below the reserve: new tasks are refused, those accepted before run to their end",
    async () => {
      await using disk = await mountSmallDisk(diskBytes);
      await using gate = startGate();
      await using throughline = await start(disk);
      const api = httpApi(throughline.addresses.gateway_url);
      const key = { "idempotency-key": "order 17" };
      const accepted = [await api.submit({ type: "echo", payload: 17 }, key), await api.submit(gate.task())];
      await gate.held(1);
      for (let n = 0; n < 20; n++) accepted.push(await api.submit({ type: "echo", delay: n % 2 ? "1s" : "0s" }));

      await disk.fill(littleBytes);
      const refused = await untilRefused(throughline, accepted);
      expect([refused.headers.get("content-type"), refused.headers.get("retry-after")]).toEqual([
        "application/problem+json",
        "5",
      ]);
      expect(await refused.json()).toEqual(refusal);
      const replayed = await post(throughline, { type: "echo", payload: 17 }, key);
      expect([replayed.status, (await replayed.json()).id]).toEqual([200, accepted[0]?.id]);

      gate.open();
      await expectEachRanOnce(throughline, accepted);
      expect((await post(throughline, { type: "echo" })).status).toBe(503);
      expect(count(throughline, "new tasks are refused")).toBe(1);

      await disk.clear();
      const later = await eventually(() => api.submit({ type: "echo" }));
      await expectEachRanOnce(throughline, [later]);
      expect(gate.asked()).toBe(1);
      expect(await throughline.stop()).toBe(0);
      expect(count(throughline, "new tasks are accepted again")).toBe(1);
      expect(throughline.errors()).toBe("");
    },
    limitMs,
  );

  test(
    "to the last byte: outcomes wait, also past their leases, and no handler runs twice",
    async () => {
      await using disk = await mountSmallDisk(diskBytes);
      await using gate = startGate();
      await using throughline = await start(disk);
      const api = httpApi(throughline.addresses.gateway_url);
      const held = await submitHeld(throughline, gate, 4);
      const queued: HttpTask[] = [];
      for (let n = 0; n < 10; n++) queued.push(await api.submit({ type: "echo", payload: n }));

      await disk.fill(0);
      await untilRefused(throughline, queued);
      gate.open();
      await eventually(() => count(throughline, outageBegins) > 0);
      // A third of the lease lies between two of these: it is over.
      await eventually(() => count(throughline, "could not prolong leases") >= 3);
      const asked = [held[0], queued.at(-1)].map((task) => api.task(task?.id ?? ""));
      const statuses = await Promise.all(asked);
      expect(statuses.map(({ status }) => status)).toEqual(["running", "queued"]);

      await disk.clear();
      await expectEachRanOnce(throughline, [...held, ...queued]);
      expect(gate.asked()).toBe(held.length);
      await eventually(() => count(throughline, outageEnds) === count(throughline, outageBegins));
      await eventually(() => api.submit({ type: "echo" }));
      expect(await throughline.stop()).toBe(0);
      expect(throughline.lines.filter((line) => /"msg":"[^"]* start(ed|s) again"/.test(line))).toEqual([]);
      expect(throughline.errors()).toBe("");
    },
    limitMs,
  );

  test(
    "to the last byte, until the system is stopped: it stops, and the next one runs the tasks to their end",
    async () => {
      await using disk = await mountSmallDisk(diskBytes);
      await using gate = startGate();
      await using first = await start(disk);
      const held = await submitHeld(first, gate, 2);
      await disk.fill(0);
      gate.open();
      await eventually(() => count(first, outageBegins) > 0);
      expect(await first.stop()).toBe(0);
      expect(count(first, "handling a message failed")).toBe(held.length);

      await disk.clear();
      await using second = await start(disk);
      const { ended } = httpApi(second.addresses.gateway_url);
      for (const { id } of held) {
        const { status, attempts } = await ended(id);
        expect([status, attempts.map(({ outcome }) => outcome)]).toEqual(["succeeded", ["crashed", "succeeded"]]);
      }
    },
    limitMs,
  );
});

withSmallDisk("a disk without any room", () => {
  test(
    "is a reason not to start, and told; with room again the start succeeds",
    async () => {
      await using disk = await mountSmallDisk(diskBytes);
      await disk.fill(0);
      const { exitCode, errors } = await runThroughline([...freePorts, `--data-dir=${join(disk.path, "data")}`]);
      expect([exitCode, errors]).toEqual([1, [expect.stringMatching(/^throughline: .*database or disk is full$/)]]);
      await disk.clear();
      await using throughline = await start(disk);
      await expectEachRanOnce(throughline, [await httpApi(throughline.addresses.gateway_url).submit({ type: "echo" })]);
    },
    limitMs,
  );
});

withSmallDisk("the store on a disk without any room left", () => {
  test("fails calls that write, each alone; reads go on, and with room again everything does", async () => {
    await using disk = await mountSmallDisk(diskBytes);
    using store = openStore(disk);
    const task = newTask();
    store.run(() => store.create({ task, actor: actorAt(t0) }));
    await disk.fill(0);

    const claim = () => store.claim({ id: task.id, worker: "w1", leaseMs, actor: actorAt(t0) });
    for (let turn = 0; turn < 3; turn++) {
      const read = () => store.get(task.id)?.status;
      const results = store.runBatch<() => unknown, unknown>([read, claim, read], (call) => call());
      const wasRead = { kind: "done", value: "queued" } as const;
      expect(results).toEqual([wasRead, { kind: "failed", error: expect.objectContaining(full) }, wasRead]);
    }

    await disk.clear();
    expect(store.run(claim)).toMatchObject({ kind: "won", claim: 1 });
  });

  test(
    "commits what the log has room for, while the log cannot be brought into the database",
    async () => {
      await using disk = await mountSmallDisk(diskBytes);
      using store = openStore(disk);
      // A long transaction leaves a long log behind, which is written again from its beginning.
      store.run(() => {
        for (const n of range(0, 1500)) keepLetter(store, n);
      });
      store.run(() => keepLetter(store, 1500));
      await disk.fill(0);
      const databaseBytes = await sizeOf(disk);

      let kept = 1501;
      const keepNext = () => store.run(() => keepLetter(store, kept));
      const keepAll = () => {
        for (; ; kept++) keepNext();
      };
      expect(keepAll).toThrow(expect.objectContaining(full));
      // SQLite wants to empty the log from its thousandth page on, with each commit.
      const log = await Bun.file(join(disk.path, `${databaseFile}-wal`)).bytes();
      expect(readLog(log).endBytes).toBeGreaterThan(2000 * 4096);
      expect(await sizeOf(disk)).toBe(databaseBytes);

      await disk.clear();
      keepNext();
      expect(await sizeOf(disk)).toBeGreaterThan(databaseBytes);
      using db = new DatabaseSync(join(disk.path, databaseFile));
      expect(db.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
      const ids = db.prepare(`SELECT message_id AS id FROM ${table}_unreadable`).all();
      expect(new Set(ids.map(({ id }) => id))).toEqual(new Set(range(0, kept + 1).map(String)));
    },
    limitMs,
  );

  test("is looked at twice a second at most", async () => {
    await using disk = await mountSmallDisk(diskBytes);
    const clock = createFakeClock();
    const isNearlyFull = createFreeDisk(disk.path, clock);
    const before = isNearlyFull();
    await disk.fill(diskBytes / 10 - mebibyte);
    await clock.advance(499);
    const soon = isNearlyFull();
    await clock.advance(1);
    expect([before, soon, isNearlyFull()]).toEqual([false, false, true]);
    await disk.clear();
    await clock.advance(500);
    expect(isNearlyFull()).toBe(false);
  });
});

interface Operated extends SqliteOperations, Pick<SqliteConnection, "runBatch"> {
  /** In a transaction of its own. */
  run<T>(call: () => T): T;
}

function openStore({ path }: SmallDisk): Operated & Disposable {
  const { connection, operations } = openSqlite({ folder: path, table });
  return {
    ...operations,
    runBatch: (units, work) => connection.runBatch(units, work),
    run: (call) => onlyValue(connection.runBatch([call], (work) => work())),
    [Symbol.dispose]: () => connection.close(),
  };
}

function keepLetter(store: SqliteOperations, n: number): void {
  const body = "x".repeat(8000);
  store.keepUnreadable({ messageId: String(n), body, attributes: {}, reason: "unreadable", atMs: t0 });
}

async function sizeOf({ path }: SmallDisk): Promise<number> {
  return (await stat(join(path, databaseFile))).size;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n);
}

const outageBegins = "the store takes nothing, no message is received until it does";
const outageEnds = "nothing waits for the store any more";

function start({ path }: SmallDisk): Promise<ThroughlineProcess> {
  const worker = ["--threads=1", "--thread-concurrency=4", "--visibility-timeout=2s"];
  return startThroughline([...freePorts, ...worker, `--data-dir=${join(path, "data")}`]);
}

function post(throughline: ThroughlineProcess, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${throughline.addresses.gateway_url}/v1/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** Submits until a task is refused; those that are not before the disk is looked at again are `accepted`. */
function untilRefused(throughline: ThroughlineProcess, accepted: HttpTask[]): Promise<Response> {
  return eventually(async () => {
    const answer = await post(throughline, { type: "echo" });
    if (answer.status === 503) return answer;
    if (answer.status === 202) accepted.push(await answer.json());
    return undefined;
  });
}

/** Tasks whose handlers run until the gate opens. */
async function submitHeld(
  throughline: ThroughlineProcess,
  gate: ReturnType<typeof startGate>,
  tasks: number,
): Promise<HttpTask[]> {
  const api = httpApi(throughline.addresses.gateway_url);
  const held: HttpTask[] = [];
  for (let n = 0; n < tasks; n++) held.push(await api.submit(gate.task()));
  await gate.held(tasks);
  return held;
}

async function expectEachRanOnce(throughline: ThroughlineProcess, tasks: readonly HttpTask[]): Promise<void> {
  const { ended } = httpApi(throughline.addresses.gateway_url);
  const all = await Promise.all(tasks.map(({ id }) => ended(id)));
  const told = all.map(({ status, attempts }) => [status, ...attempts.map(({ outcome }) => outcome)]);
  expect(told).toEqual(tasks.map(() => ["succeeded", "succeeded"]));
}

function count({ lines }: ThroughlineProcess, msg: string): number {
  return lines.filter((line) => line.includes(`"msg":"${msg}"`)).length;
}

withSmallDisk("a disk that is full under the console", () => {
  const local = { address: "127.0.0.1" };
  const ids = [...Array(3).keys()].map((n) => String(n + 1).repeat(32));

  interface Opened {
    own: Console;
    told: string[];
    send(traceId?: string): Promise<number>;
    /** Its answer to who asks for the trace. */
    ask(traceId?: string): Promise<number>;
    dropped(): Promise<number>;
  }

  function open(folder: string): Opened {
    const told: string[] = [];
    const levels = { base: "info", modules: {} } as const;
    const writeLine = (line: string): void => void told.push(JSON.parse(line).msg);
    const log = createLogger({ service: "console", levels, writeLine, otlp: undefined, context: ROOT_CONTEXT });
    const limits = { retentionMs: 3_600_000, maxBytes: 16 * mebibyte };
    const { config } = readConfig({}, {});
    const telemetry = { log, startContext: ROOT_CONTEXT };
    const own = createConsole({ folder, limits, clock: systemClock, config, telemetry });
    const get = (path: string) => own.query(new Request(`http://console${path}`), local);
    return {
      own,
      told,
      send: async (traceId) => {
        const span = { traceId, spanId: "1".repeat(16), name: "run" };
        const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
        const headers = { "content-type": "application/json" };
        const request = new Request("http://console/v1/traces", { method: "POST", headers, body });
        return (await own.receive(request, local)).status;
      },
      ask: async (traceId) => (await get(`/v1/traces/${traceId}`)).status,
      dropped: async () => (await (await get("/v1/traces")).json()).dropped,
    };
  }

  test(
    "before it starts: it keeps telemetry in memory, and says so",
    async () => {
      await using disk = await mountSmallDisk(diskBytes);
      await disk.fill(0);
      const { own, told, send, ask } = open(disk.path);
      expect(told).toEqual(["the console keeps telemetry in memory: its file cannot be opened"]);
      expect([await send(ids[0]), await ask(ids[0])]).toEqual([200, 200]);
      own.stop();
    },
    limitMs,
  );

  test(
    "while it runs: what comes is dropped and counted, what it has is answered, and with room it goes on",
    async () => {
      await using disk = await mountSmallDisk(diskBytes);
      const { own, told, send, ask, dropped } = open(disk.path);
      expect([await send(ids[0]), await ask(ids[0])]).toEqual([200, 200]);
      await disk.fill(0);
      await eventually(async () => {
        expect(await send(ids[1])).toBe(200);
        return (await dropped()) > 0;
      });
      expect(told).toEqual(["the console cannot write its file"]);
      expect(await ask(ids[0])).toBe(200);
      await disk.clear();
      await eventually(async () => {
        expect(await send(ids[2])).toBe(200);
        return (await ask(ids[2])) === 200;
      });
      expect(told.at(-1)).toBe("the console writes its file again");
      own.stop();
    },
    limitMs,
  );
});
