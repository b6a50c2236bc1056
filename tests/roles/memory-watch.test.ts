/** What the worker does above its memory limit: with figures that the test gives, and in a process that holds too much. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { logLevelsOf } from "../../src/settings/parsers.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { createMemoryWatch, type MemoryWatch } from "../../src/worker/threads/memory-watch.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { startGate } from "../support/gate.ts";
import { type HttpApi, httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { startTestPool, stubbornHandlers, type TestPool } from "../support/test-pool.ts";

const limitMs = 90_000;
const patience = { timeoutMs: 30_000 };

const closedLine = "memory is above its limit, no task is taken and threads are replaced";
const openLine = "memory is below its limit again, tasks are taken";
const singleLine = "memory stays high though every thread was replaced, tasks run one at a time";

interface WatchedPool extends AsyncDisposable {
  running: TestPool;
  watch: MemoryWatch;
  /** Level, message and resident bytes. */
  lines: unknown[][];
  /** Sets the process's memory and lets the watch look. */
  look(bytes: number): Promise<void>;
  /** Lets it look until one more thread has ended. */
  lookUntilReplaced(bytes: number): Promise<void>;
}

/** Two threads of four, and a limit of 1000 bytes. */
async function startWatchedPool(): Promise<WatchedPool> {
  const running = await startTestPool({ threads: "2", threadConcurrency: "4" });
  const clock = createFakeClock();
  const stopping = new AbortController();
  const lines: unknown[][] = [];
  let bytes = 0;
  const log = createLogger({
    service: "worker",
    levels: logLevelsOf("info"),
    writeLine: (line) => {
      const { level, msg, rss_bytes, limit_bytes } = JSON.parse(line);
      lines.push([level, msg, rss_bytes, limit_bytes]);
    },
    otlp: undefined,
    context: ROOT_CONTEXT,
  });
  const { pool } = running;
  const watch = createMemoryWatch({ pool, clock, log, limitBytes: 1000, residentBytes: () => bytes });
  const looping = watch.loop(stopping.signal);
  const look = async (now: number): Promise<void> => {
    bytes = now;
    await clock.advance(2000);
  };
  return {
    running,
    watch,
    lines,
    look,
    lookUntilReplaced: async (now) => {
      const count = running.ended.length;
      await eventually(async () => {
        await look(now);
        return running.ended.length > count;
      }, patience);
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await looping;
      await running[Symbol.asyncDispose]();
    },
  };
}

describe("above its memory limit the pool", () => {
  test(
    "takes no task and replaces its threads one after the other, until the memory is well below it",
    async () => {
      await using watched = await startWatchedPool();
      const { running, watch, lines } = watched;
      await watched.look(1000);
      expect([running.pool.intake.free(), watch.isAbove(), running.ended]).toEqual([8, false, []]);
      await watched.look(1001);
      expect([running.pool.intake.free(), watch.isAbove(), lines]).toEqual([
        0,
        true,
        [["warn", closedLine, 1001, 1000]],
      ]);
      expect(namesOf(running)).toEqual(["handlers-1"]);
      await watched.lookUntilReplaced(900);
      expect(namesOf(running)).toEqual(["handlers-1", "handlers-2"]);
      await watched.look(899);
      expect([watch.isAbove(), lines.slice(1)]).toEqual([false, [["info", openLine, 899, 1000]]]);
      await eventually(() => running.pool.intake.free() === 8, patience);
    },
    limitMs,
  );

  test(
    "runs one task at a time when replacing every thread was not enough",
    async () => {
      await using watched = await startWatchedPool();
      await using gate = startGate();
      const { running, watch, lines } = watched;
      await watched.look(2000);
      await watched.lookUntilReplaced(2000);
      expect(running.pool.intake.free()).toBe(0);
      await watched.look(2000);
      expect(lines.slice(1)).toEqual([["error", singleLine, 2000, 1000]]);
      await running.pool.intake.whenFree(AbortSignal.timeout(30_000));
      expect([running.pool.intake.free(), watch.isAbove()]).toEqual([1, true]);
      const { outcome } = running.run(gate.task());
      expect(running.pool.intake.free()).toBe(0);
      gate.open();
      expect((await outcome).kind).toBe("succeeded");
      expect(running.pool.intake.free()).toBe(1);

      // It has grown by less than a tenth of the limit, and then by more: only then all are replaced again.
      await watched.look(2100);
      expect(running.ended).toHaveLength(2);
      await watched.lookUntilReplaced(2101);
      await watched.lookUntilReplaced(2101);
      await watched.look(2101);
      expect(namesOf(running)).toEqual(["handlers-1", "handlers-2", "handlers-3", "handlers-4"]);
      await watched.look(899);
      expect(lines.slice(2)).toEqual([["info", openLine, 899, 1000]]);
    },
    limitMs,
  );
});

describe("a process above its memory limit", () => {
  test(
    "gets rid of what a handler keeps by ending its thread, and goes on",
    async () => {
      await using running = await startWith("--memory-limit=640MB");
      const api = httpApi(running.addresses.gateway_url);
      expect(await workersOf(running)).toMatchObject({ status: "healthy", threads: 2 });
      const kept = await toEnd(api, { type: "keep-memory", payload: { megabytes: 700 } });
      expect(kept).toMatchObject({ status: "succeeded", result: { megabytes: 700 } });
      await eventually(() => messagesOf(running).includes(openLine), patience);
      expect(messagesOf(running)).toEqual([closedLine, openLine]);
      // On a new thread nothing is left of it.
      const again = await toEnd(api, { type: "keep-memory", payload: { megabytes: 1 } });
      expect(again).toMatchObject({ status: "succeeded", result: { megabytes: 1 } });
      // The new thread serves once it has loaded its handlers.
      await eventually(async () => {
        expect(await workersOf(running)).toMatchObject({ status: "healthy", threads: 2 });
        return true;
      }, patience);
    },
    limitMs,
  );

  test(
    "that has nothing to get rid of is degraded, and runs one task after the other",
    async () => {
      await using running = await startWith("--memory-limit=64MB");
      const api = httpApi(running.addresses.gateway_url);
      const tasks = await Promise.all([1, 2, 3].map((payload) => toEnd(api, { type: "echo", payload })));
      expect(tasks.map(({ status, result }) => [status, result])).toEqual([1, 2, 3].map((n) => ["succeeded", n]));
      expect(messagesOf(running)).toEqual([closedLine, singleLine]);
      expect(await workersOf(running)).toMatchObject({ status: "degraded", threads: 2 });
    },
    limitMs,
  );
});

/** The threads that have ended. */
function namesOf({ ended }: TestPool): string[] {
  return ended.map(([name]) => name);
}

function startWith(flag: string): Promise<ThroughlineProcess> {
  const args = ["--threads=2", `--handlers=${stubbornHandlers}`, flag, ...freePorts];
  return startThroughline(args, { command: "source" });
}

async function toEnd(api: HttpApi, body: unknown) {
  return api.ended((await api.submit(body)).id);
}

async function workersOf({ addresses }: ThroughlineProcess): Promise<unknown> {
  const answer = await fetch(`${addresses.admin_url}/health`);
  const health: { checks: Record<string, unknown> } = await answer.json();
  return health.checks.workers;
}

/** What the watch has said so far. */
function messagesOf(running: ThroughlineProcess): string[] {
  return running
    .logs()
    .filter(({ module }) => module === "worker.memory")
    .map(({ msg }) => msg);
}
