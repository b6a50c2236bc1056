/** Which attempt runs where, and what becomes of threads whose handlers do not let go. */

import { describe, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Outcome } from "../../src/words/retry.ts";
import { eventually } from "../support/eventually.ts";
import { type Gate, startGate } from "../support/gate.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { type PoolTask, startTestPool, type TestPool } from "../support/test-pool.ts";

const limitMs = 60_000;
const patience = { timeoutMs: 30_000 };

const timedOut: Outcome = {
  kind: "timed_out",
  error: { type: "timed_out", message: "the attempt did not end by its deadline" },
};
const leaseLost: Outcome = {
  kind: "lease_lost",
  error: { type: "lease_lost", message: "another worker may run the task now" },
};
const canceled: Outcome = {
  kind: "canceled",
  error: { type: "canceled", message: "the task was canceled while it ran" },
};
const passed: Outcome = { kind: "succeeded", result: '{"status":200,"body":"through"}' };

const notObeyed = "a task did not end 2000 ms after its signal";
const blocked = `${notObeyed}, and the thread does not yield`;
const exited = "the thread ended";

function interrupted(reason: string, isSuspect = false): Outcome {
  const message = `cut short through no fault of its own: ${reason}`;
  return { kind: "interrupted", isSuspect, error: { type: "interrupted", message } };
}

const ignore: PoolTask = { type: "ignore-signal" };

/** Hears nothing until the gate opens. */
function ignoreUntil(gate: Gate, next: "return" | "spin" | "exit"): PoolTask {
  const { payload } = gate.task();
  return { type: "ignore-until", payload: { ...Object(payload), next } };
}

/** One thread, with a task that ignores its signal beside one at the gate; returns once it is condemned. */
async function condemnOne(running: TestPool, gate: Gate, ignoring = ignore) {
  const asked = gate.asked();
  const innocent = running.run(gate.task());
  await gate.held(asked + 1);
  const culprit = running.run(ignoring, { timeoutMs: 100 });
  const count = running.condemned.length + 1;
  await eventually(() => running.condemned.length === count, patience);
  return { innocent, culprit };
}

async function replaced({ pool }: TestPool): Promise<void> {
  await pool.intake.whenFree(AbortSignal.timeout(30_000));
}

describe("a place", () => {
  test(
    "that is reserved is not free, is used up by a run, and wakes who waits when it is released",
    async () => {
      await using running = await startTestPool({ threadConcurrency: "3" });
      await using gate = startGate();
      const { pool } = running;
      expect(pool.intake.free()).toBe(3);
      pool.intake.reserve(3);
      expect(pool.intake.free()).toBe(0);
      let isAwake = false;
      const waiting = pool.intake.whenFree(new AbortController().signal).then(() => {
        isAwake = true;
      });
      running.run(gate.task());
      await gate.held(1);
      expect([pool.intake.free(), isAwake]).toEqual([0, false]);
      pool.intake.release(2);
      await waiting;
      expect(pool.intake.free()).toBe(2);
    },
    limitMs,
  );

  test(
    "is waited for until the signal aborts",
    async () => {
      await using running = await startTestPool();
      const { pool } = running;
      pool.intake.reserve(pool.intake.free());
      const draining = new AbortController();
      const waiting = pool.intake.whenFree(draining.signal);
      draining.abort();
      await waiting;
      expect(pool.intake.free()).toBe(0);
    },
    limitMs,
  );

  test(
    "is there for nobody while the intake is closed, and for one at a time while it is single",
    async () => {
      await using running = await startTestPool();
      await using gate = startGate();
      const { pool } = running;
      pool.intake.setMode("closed");
      expect(pool.intake.free()).toBe(0);
      const waiting = pool.intake.whenFree(new AbortController().signal);
      pool.intake.setMode("single");
      await waiting;
      expect(pool.intake.free()).toBe(1);
      const { outcome } = running.run(gate.task());
      expect(pool.intake.free()).toBe(0);
      gate.open();
      await outcome;
      expect(pool.intake.free()).toBe(1);
      pool.intake.reserve(1);
      expect(pool.intake.free()).toBe(0);
    },
    limitMs,
  );
});

describe("a task that obeys its signal", () => {
  test(
    "ends as what it was signalled for, whatever it returns, and its thread takes tasks again",
    async () => {
      await using running = await startTestPool({ threadConcurrency: "2" });
      const { pool } = running;
      const obeying = running.run({ type: "obey" });
      expect(pool.intake.free()).toBe(1);
      obeying.signal("canceled");
      // Nothing is given to a thread that may have to be ended.
      expect([pool.intake.free(), pool.figures()]).toEqual([0, { threads: 1, busy: 1, stuck: 1, condemned: 0 }]);
      expect(pool.threadStates()).toEqual({ idle: 0, busy: 0, stuck: 1, condemned: 0 });
      expect(await obeying.outcome).toEqual(canceled);
      expect([pool.intake.free(), pool.figures()]).toEqual([2, { threads: 1, busy: 0, stuck: 0, condemned: 0 }]);
      expect([running.condemned, running.ended]).toEqual([[], []]);
    },
    limitMs,
  );
});

test(
  "a task that is called off after its deadline, while it goes on, ends as canceled",
  async () => {
    await using running = await startTestPool();
    const ignoring = running.run(ignore, { timeoutMs: 1 });
    await eventually(() => running.pool.figures().stuck === 1, patience);
    ignoring.signal("canceled");
    expect(await ignoring.outcome).toEqual(canceled);
  },
  limitMs,
);

describe("a task that ignores its signal, on a thread that yields,", () => {
  test(
    "condemns the thread: those beside it finish, and only then it is ended",
    async () => {
      await using running = await startTestPool({ threadConcurrency: "3" });
      await using gate = startGate();
      const { innocent, culprit } = await condemnOne(running, gate);
      expect(running.condemned).toEqual([["handlers-1", notObeyed]]);

      // Another thread serves meanwhile.
      await replaced(running);
      expect(running.pool.figures()).toEqual({ threads: 1, busy: 0, stuck: 1, condemned: 1 });
      expect(running.pool.threadStates()).toEqual({ idle: 1, busy: 0, stuck: 0, condemned: 1 });
      expect(running.pool.intake.free()).toBe(3);
      const echo = running.run({ type: "echo", payload: "beside" });
      expect(await echo.outcome).toEqual({ kind: "succeeded", result: '"beside"' });
      expect([running.settled, running.ended]).toEqual([["echo"], []]);

      gate.open();
      expect(await Promise.all([innocent.outcome, culprit.outcome])).toEqual([passed, timedOut]);
      expect(running.settled).toEqual(["echo", "http", "ignore-signal"]);
      expect(running.ended).toEqual([["handlers-1", notObeyed]]);
      expect(running.pool.figures()).toEqual({ threads: 1, busy: 0, stuck: 0, condemned: 0 });
    },
    limitMs,
  );

  test(
    "and alone on it: the thread is ended at once",
    async () => {
      await using running = await startTestPool();
      const { outcome } = running.run(ignore, { timeoutMs: 100 });
      expect(await outcome).toEqual(timedOut);
      expect([running.condemned, running.ended]).toEqual([[], [["handlers-1", notObeyed]]]);
      await replaced(running);
      const echo = running.run({ type: "echo" });
      expect(await echo.outcome).toEqual({ kind: "succeeded", result: "null" });
    },
    limitMs,
  );

  test(
    "has its outcome when it ends after all, and not before; its thread is ended all the same",
    async () => {
      await using running = await startTestPool();
      await using gate = startGate();
      await using ownGate = startGate();
      const { innocent, culprit } = await condemnOne(running, gate, ignoreUntil(ownGate, "return"));
      expect(running.settled).toEqual([]);
      ownGate.open();
      expect(await culprit.outcome).toEqual(timedOut);
      expect(running.ended).toEqual([]);
      gate.open();
      expect(await innocent.outcome).toEqual(passed);
      expect(running.ended).toEqual([["handlers-1", notObeyed]]);
    },
    limitMs,
  );

  test(
    "is joined by another that ignores its signal: both end with the thread",
    async () => {
      await using running = await startTestPool();
      await using gate = startGate();
      const other = running.run(ignore);
      const { innocent, culprit } = await condemnOne(running, gate);
      const signalledMs = performance.now();
      other.signal("lease_lost");
      gate.open();
      expect(await innocent.outcome).toEqual(passed);
      expect(await Promise.all([culprit.outcome, other.outcome])).toEqual([timedOut, leaseLost]);
      expect(running.ended).toEqual([["handlers-1", notObeyed]]);
      // It had a grace of its own, two seconds but for what timers are early.
      expect(performance.now() - signalledMs).toBeGreaterThan(1900);
    },
    limitMs,
  );

  test(
    "condemns at most as many threads as serve: one more, and the first is ended at once",
    async () => {
      await using running = await startTestPool();
      await using gate = startGate();
      const first = await condemnOne(running, gate);
      await replaced(running);
      const second = await condemnOne(running, gate);
      const tooMany = "too many threads are condemned, this one for longest";
      expect(running.ended).toEqual([["handlers-1", tooMany]]);
      expect(await Promise.all([first.innocent.outcome, first.culprit.outcome])).toEqual([
        interrupted(tooMany),
        timedOut,
      ]);
      gate.open();
      expect(await Promise.all([second.innocent.outcome, second.culprit.outcome])).toEqual([passed, timedOut]);
      expect(running.condemned.map(([name]) => name)).toEqual(["handlers-1", "handlers-2"]);
    },
    limitMs,
  );
});

describe("a thread that does not yield", () => {
  test(
    "is ended at once when a task's grace is over: its neighbours are interrupted, and no suspects",
    async () => {
      await using running = await startTestPool();
      await using gate = startGate();
      const innocent = running.run(gate.task());
      await gate.held(1);
      const culprit = running.run({ type: "spin" }, { timeoutMs: 100 });
      expect(await Promise.all([innocent.outcome, culprit.outcome])).toEqual([interrupted(blocked), timedOut]);
      expect([running.condemned, running.ended]).toEqual([[], [["handlers-1", blocked]]]);
    },
    limitMs,
  );

  test(
    "any more since it was condemned is ended at once",
    async () => {
      await using running = await startTestPool();
      await using gate = startGate();
      await using ownGate = startGate();
      const { innocent, culprit } = await condemnOne(running, gate, ignoreUntil(ownGate, "spin"));
      ownGate.open();
      expect(await Promise.all([innocent.outcome, culprit.outcome])).toEqual([interrupted(blocked), timedOut]);
      expect(running.ended).toEqual([["handlers-1", blocked]]);
    },
    limitMs,
  );
});

test(
  "a thread that is ended has to be gone before what ran on it has its outcome",
  async () => {
    await using folder = await tempFolder();
    await using running = await startTestPool();
    const path = join(folder.path, "come");
    const { outcome } = running.run({ type: "wait-outside", payload: { path } }, { timeoutMs: 100 });
    await eventually(() => running.ended.length > 0, patience);
    expect([running.ended, running.settled]).toEqual([[["handlers-1", blocked]], []]);
    await writeFile(path, "");
    expect(await outcome).toEqual(timedOut);
  },
  limitMs,
);

describe("a crash", () => {
  test(
    "of a condemned thread: what was signalled ends as that, the others may each have done it",
    async () => {
      await using running = await startTestPool();
      await using gate = startGate();
      await using ownGate = startGate();
      const crashing = running.run(ignoreUntil(ownGate, "exit"));
      const { innocent, culprit } = await condemnOne(running, gate);
      ownGate.open();
      const suspect = interrupted(exited, true);
      expect(await Promise.all([innocent.outcome, crashing.outcome, culprit.outcome])).toEqual([
        suspect,
        suspect,
        timedOut,
      ]);
      expect(running.ended).toEqual([["handlers-1", exited]]);
    },
    limitMs,
  );

  test(
    "while a thread starts is no reason to start two: never are there more than asked for",
    async () => {
      await using folder = await tempFolder();
      const mine = join(folder.path, "mine");
      const source = `import { existsSync } from "node:fs";
        if (existsSync(${JSON.stringify(mine)})) process.exit(70);
        export default { run: () => null };`;
      await writeFile(join(folder.path, "treads-on-it.ts"), source);
      await using running = await startTestPool({ handlers: folder.path, threadConcurrency: "4" });
      await writeFile(mine, "");
      await running.run({ type: "crash" }).outcome;
      await eventually(() => running.ended.length > 2, patience);
      // One that does not load does not serve, and it is said why.
      expect([running.pool.figures().threads, running.pool.threadStates().idle]).toEqual([0, 0]);
      expect(running.pool.failure()).toStartWith('handler file "treads-on-it.ts": process.exit(70) was called');
      await rm(mine);
      await replaced(running);
      expect(running.ended.slice(1).filter(([name]) => name !== "handlers")).toEqual([]);
      expect([running.pool.intake.free(), running.pool.figures().threads]).toEqual([4, 1]);
      expect(running.pool.failure()).toBeUndefined();
    },
    limitMs,
  );
});

describe("an exclusive task", () => {
  test(
    "waits until a thread is empty, which takes nothing new meanwhile",
    async () => {
      await using running = await startTestPool({ threadConcurrency: "4" });
      await using gate = startGate();
      await using ownGate = startGate();
      const before = running.run(gate.task());
      await gate.held(1);
      const exclusive = running.run(ownGate.task(), { isAlone: true });
      const after = running.run({ type: "echo" });
      expect([running.pool.intake.free(), running.pool.figures().busy]).toEqual([0, 1]);
      gate.open();
      expect(await before.outcome).toEqual(passed);
      await ownGate.held(1);
      expect(running.settled).toEqual(["http"]);
      ownGate.open();
      await Promise.all([exclusive.outcome, after.outcome]);
      expect(running.settled).toEqual(["http", "http", "echo"]);
      expect(running.pool.intake.free()).toBe(4);
    },
    limitMs,
  );

  test(
    "that still waits at a drain goes back at once, what runs goes on, and nothing waits any more",
    async () => {
      await using running = await startTestPool();
      await using gate = startGate();
      const shared = running.run(gate.task());
      await gate.held(1);
      const waiting = running.run({ type: "echo" }, { isAlone: true });
      running.pool.drain();
      expect(await waiting.outcome).toEqual(interrupted("the worker stops"));
      const late = running.run({ type: "echo" }, { isAlone: true });
      expect(await late.outcome).toEqual(interrupted("the worker stops"));
      gate.open();
      expect(await shared.outcome).toEqual(passed);
      expect(running.ended).toEqual([]);
    },
    limitMs,
  );

  test(
    "that still waits when it is signalled never starts, and its thread is there for others again",
    async () => {
      await using running = await startTestPool({ threadConcurrency: "4" });
      await using gate = startGate();
      running.run(gate.task());
      await gate.held(1);
      const waiting = running.run({ type: "spin" }, { isAlone: true });
      expect(running.pool.intake.free()).toBe(0);
      waiting.signal("lease_lost");
      expect(await waiting.outcome).toEqual(leaseLost);
      expect(running.pool.intake.free()).toBe(3);
    },
    limitMs,
  );
});

describe("threads whose memory is wanted back", () => {
  const above = "memory is above its limit";

  test(
    "are replaced one after the other, idle ones at once and a busy one when its task has ended",
    async () => {
      await using running = await startTestPool({ threads: "3", threadConcurrency: "4" });
      await using gate = startGate();
      const { pool } = running;
      const [first, second] = [running.run(gate.task()), running.run(gate.task())];
      await gate.held(2);
      expect(pool.recycle([1, 2, 3])).toEqual([1, 2]);
      expect(running.ended).toEqual([["handlers-3", above]]);
      // The next one's turn comes when the new thread has started.
      expect(pool.recycle([1, 2])).toEqual([1, 2]);
      expect(running.condemned).toEqual([]);
      await eventually(() => pool.recycle([1, 2]).length === 2 && running.condemned.length === 1, patience);
      expect(running.condemned).toEqual([["handlers-1", above]]);
      // One busy thread at a time.
      await eventually(() => pool.intake.free() === 11, patience);
      expect(pool.recycle([1, 2])).toEqual([2, 1]);
      expect(running.condemned).toHaveLength(1);

      gate.open();
      expect(await Promise.all([first.outcome, second.outcome])).toEqual([passed, passed]);
      expect(running.ended.map(([name]) => name)).toEqual(["handlers-3", "handlers-1"]);
      await eventually(() => pool.recycle([1, 2]).length === 0, patience);
      expect(running.ended.map(([name]) => name)).toEqual(["handlers-3", "handlers-1", "handlers-2"]);
    },
    limitMs,
  );
});
