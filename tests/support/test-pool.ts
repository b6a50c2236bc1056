/** The pool alone, on real threads, with handlers that do not do as they are told. */

import { join } from "node:path";
import { readConfig } from "../../src/config.ts";
import type { Outcome } from "../../src/words/retry.ts";
import { startPool, type ThreadPool } from "../../src/worker/threads/pool.ts";
import type { CancelReason } from "../../src/worker/threads/thread-messages.ts";
import type { RunListener } from "../../src/worker/threads/thread-runs.ts";
import { projectFolder } from "./executable.ts";
import type { TestFlags } from "./system.ts";

export interface PoolTask {
  type: string;
  payload?: unknown;
}

interface RunOptions {
  /** Default: none that a test would meet. */
  timeoutMs?: number;
  isAlone?: boolean;
}

interface PoolRun {
  outcome: Promise<Outcome>;
  signal(reason: CancelReason): void;
}

export interface TestPool extends AsyncDisposable {
  pool: ThreadPool;
  run(task: PoolTask, options?: RunOptions): PoolRun;
  /** Tasks that have their outcome, by type, in the order in which they got it. */
  settled: string[];
  /** Names and reasons. */
  condemned: [name: string, reason: string][];
  ended: [name: string, reason: string][];
}

/** A folder of handlers that do not do as they are told. */
export const stubbornHandlers = join(projectFolder, "tests/fixtures/stubborn-handlers");

export async function startTestPool(flags: TestFlags = {}, watchesHandlers = false): Promise<TestPool> {
  const settings = readConfig({ threads: "1", handlers: stubbornHandlers, ...flags }, {});
  const config = { ...settings.config, watchesHandlers };
  const condemned: TestPool["condemned"] = [];
  const ended: TestPool["ended"] = [];
  const settled: string[] = [];
  const pool = await startPool(config, {
    onSpans: () => {},
    onLog: () => {},
    onThreadCondemned: (...told) => condemned.push(told),
    onThreadEnded: (...told) => ended.push(told),
  });
  const unended = new Map<number, (outcome: Outcome) => void>();
  const listener: RunListener = {
    onEnded: (number, { outcome }) => unended.get(number)?.(outcome),
    onProgress: () => {},
  };
  let number = 0;
  return {
    pool,
    settled,
    condemned,
    ended,
    run: ({ type, payload = null }, { timeoutMs = 3_600_000, isAlone = false } = {}) => {
      const own = ++number;
      const run = {
        number: own,
        taskId: `task-${own}`,
        type,
        attempt: 1,
        correlationId: "c-1",
        metadata: {},
        carrier: {},
        spanId: "00f067aa0ba902b7",
      };
      const { promise: outcome, resolve } = Promise.withResolvers<Outcome>();
      unended.set(own, (given) => {
        settled.push(type);
        resolve(given);
      });
      pool.run({ run, payload: JSON.stringify(payload), timeoutMs, isAlone, listener });
      return { outcome, signal: (reason) => pool.cancel(own, reason) };
    },
    [Symbol.asyncDispose]: async () => pool.close(),
  };
}
