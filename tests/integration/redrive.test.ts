/**
 * Many dead tasks are brought back by the compiled executable, which is killed in the middle; what remains is canceled
 * in the middle. No task is lost, none is moved twice, and each new trace leads back to the old one.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { deadLettersAt, type HttpRedrive } from "../support/dead-letters.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** 10,000 takes minutes: the same happens to fewer. */
const taskCount = 3000;
const ratePerSecond = 500;
const timeoutMs = 600_000;

/** A task as it came back: where its old trace ended, and where its new one began. */
interface Return {
  id: string;
  oldTrace: string;
  newTrace: string;
  atMs: number;
}

interface Run {
  /** As the answer to the cancel told it, and as it stands at the end. */
  canceled: HttpRedrive;
  ended: HttpRedrive;
  returns: Return[];
  /** Tasks by state, and whether they ever came back. */
  states: Record<string, unknown>[];
  /** Of the spans that begin a new trace, or an attempt in it. */
  spans: ReceivedSpan[];
  killedAtMs: number;
  exitCode: number;
}

describe("a redrive of many tasks, killed and then canceled", () => {
  const stack = new AsyncDisposableStack();
  let run: Run;
  beforeAll(async () => {
    run = await runRedrive(stack);
  }, timeoutMs);
  afterAll(() => stack.disposeAsync(), timeoutMs);

  test("has counts that add up: what it moved, and what is still dead and never came back", () => {
    const { canceled, ended } = run;
    expect(ended).toEqual(canceled);
    expect(ended).toMatchObject({ status: "canceled", matched: taskCount, failed: 0 });
    expect(run.states).toEqual([
      { status: "dead", redrives: 0, count: taskCount - ended.moved },
      { status: "dead", redrives: 1, count: ended.moved },
    ]);
    expect(run.exitCode).toBe(0);
  });

  test("has moved each of its tasks once", () => {
    expect(run.returns).toHaveLength(run.ended.moved);
    expect(new Set(run.returns.map(({ id }) => id)).size).toBe(run.ended.moved);
  });

  test("has begun a trace of its own for each of them", () => {
    expect(run.returns.filter(({ oldTrace, newTrace }) => oldTrace === newTrace)).toEqual([]);
    expect(new Set(run.returns.map(({ newTrace }) => newTrace)).size).toBe(run.ended.moved);
  });

  test("has linked each new trace to the old one, whatever spans the kill has cost", () => {
    const linked = new Set(
      run.spans.flatMap(({ traceId, links }) => links.map((link) => `${traceId} ${link.traceId}`)),
    );
    const isLinked = ({ oldTrace, newTrace }: Return): boolean => linked.has(`${newTrace} ${oldTrace}`);
    const seen = new Set(run.spans.map(({ traceId }) => traceId));
    expect(run.returns.filter((each) => seen.has(each.newTrace) && !isLinked(each))).toEqual([]);
    // Only what had come back and died again before its spans left can have no span at all.
    const lost = run.returns.filter(({ newTrace }) => !seen.has(newTrace));
    expect(lost.filter(({ atMs }) => atMs > run.killedAtMs)).toEqual([]);
    expect(lost.length).toBeLessThan(run.returns.filter(({ atMs }) => atMs <= run.killedAtMs).length);
  });
});

async function runRedrive(stack: AsyncDisposableStack): Promise<Run> {
  const spans: ReceivedSpan[] = [];
  const receiver = await startReceiver(
    { host: "127.0.0.1", port: 0 },
    {
      spans: (more) =>
        spans.push(...more.filter(({ name }) => name === "redrive tasks" || name === "process task-events")),
    },
  );
  stack.defer(() => receiver.stop());
  const folder = stack.use(await tempFolder());
  const args = [`--data-dir=${folder.path}`, ...freePorts];
  const start = async () => {
    const process = stack.use(await startThroughline(args, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url } }));
    return { process, dead: deadLettersAt(process.addresses.gateway_url) };
  };
  const db = () => new DatabaseSync(join(folder.path, databaseFile), { readOnly: true });

  const first = await start();
  await acceptMany(first.process.addresses.gateway_url);
  await eventually(() => countAlive(db) === 0, { timeoutMs: 300_000, intervalMs: 100 });
  const isBegun = (): boolean => spans.some(({ name }) => name === "redrive tasks");
  const ordered = await first.dead.order({ filter: {}, rate_per_second: ratePerSecond, reason: "the cause is gone" });
  await first.dead.moved(ordered, taskCount * 0.15);
  await eventually(isBegun);
  first.process.kill("SIGKILL");
  const killedAtMs = Date.now();
  await first.process.exited;

  const second = await start();
  await second.dead.moved(ordered, taskCount * 0.4);
  const canceled = await second.dead.control(ordered, "cancel");
  await eventually(() => countAlive(db) === 0, { timeoutMs: 300_000, intervalMs: 100 });
  const ended = await second.dead.redrive(ordered);
  const exitCode = await second.process.stop();
  return { canceled, ended, ...readStore(db), spans, killedAtMs, exitCode };
}

/** Submits all, 32 callers at a time: each task fails for good in its first attempt. */
async function acceptMany(gatewayUrl: string | undefined): Promise<void> {
  const api = httpApi(gatewayUrl);
  let left = taskCount;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await api.submit({ type: "fail", payload: { fatal: true } });
  };
  await Promise.all(Array.from({ length: 32 }, caller));
}

function countAlive(open: () => DatabaseSync): number {
  using db = open();
  return Number(db.prepare("SELECT count(*) AS count FROM tasks WHERE status <> 'dead'").get()?.count);
}

function readStore(open: () => DatabaseSync): Pick<Run, "returns" | "states"> {
  using db = open();
  const states = db.prepare("SELECT status, redrives, count(*) AS count FROM tasks GROUP BY 1, 2 ORDER BY 1, 2").all();
  const returns = db
    .prepare(
      `SELECT came.task_id AS id, tasks.trace_id AS old_trace, came.trace_id AS new_trace, came.at
         FROM tasks_timeline AS came JOIN tasks ON tasks.id = came.task_id
        WHERE came.from_status = 'dead' AND came.to_status = 'queued'`,
    )
    .all();
  const toReturn = (row: Record<string, unknown>): Return => ({
    id: String(row.id),
    oldTrace: String(row.old_trace),
    newTrace: String(row.new_trace),
    atMs: Number(row.at),
  });
  return { states, returns: returns.map(toReturn) };
}
