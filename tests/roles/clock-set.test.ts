/** What the SQLite store makes of a wall clock that is set while it runs. The clock is the test's. */

import { expect, setSystemTime, test } from "bun:test";
import { trace } from "@opentelemetry/api";
import fc from "fast-check";
import type { Store } from "../../src/store/ports/store.ts";
import { connectSqlite } from "../../src/store/sqlite/client.ts";
import { startStoreThread } from "../../src/store/sqlite/thread.ts";
import { openTestQueues, startEmbedded, takeAll, takeOne } from "../support/brokers.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { hideOne, sendOne } from "../support/queue-calls.ts";
import { changed, schedulesIn } from "../support/stored-schedules.ts";
import { leaseMs, t0, tasksIn } from "../support/stored-tasks.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;
const table = "tasks";
const secondMs = 1000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const steps = [-365 * dayMs, -hourMs, -30 * secondMs, -3 * secondMs, 3 * secondMs, 60 * secondMs, hourMs, 365 * dayMs];

interface OpenedStore extends Disposable {
  store: Store;
}

/** The store of one process, under a clock of the test's own. */
function openStore(folder: string, clock: FakeClock): OpenedStore {
  const thread = startStoreThread({ folder, table }, clock);
  const { port1, port2 } = new MessageChannel();
  thread.serve(port2);
  return {
    store: connectSqlite({ port: port1, tracer: trace.getTracer("test"), table }),
    [Symbol.dispose]: () => {
      port1.close();
      port2.close();
      thread.close();
    },
  };
}

const error = { type: "Error", message: "no" };
const retryAt = (runAtMs: number) =>
  ({ to: "retrying", runAtMs, sendAtMs: runAtMs + 30_000, outcome: "failed", error }) as const;

test.each(steps)(
  "set by %i ms, what is a duration goes on as it was, and what is a time stays",
  async (stepMs) => {
    await using folder = await tempFolder();
    const clock = createFakeClock(t0);
    using opened = openStore(folder.path, clock);
    const tasks = tasksIn(opened.store);
    const soon = { status: "scheduled", runAtMs: t0 + 6000, sendAtMs: t0 + 6000 } as const;
    const delayed = await tasks.create(soon);
    const timed = await tasks.create({ ...soon, isTimed: true });
    const queued = await tasks.create({ isTimed: true });
    const retried = await tasks.create();
    const { claim } = await tasks.win(retried.id, t0);
    await tasks.finish(retried.id, claim, retryAt(t0 + 5000), t0);
    const running = await tasks.create();
    await tasks.win(running.id, t0);
    await clock.advance(2000);

    clock.set(stepMs);
    const nowMs = clock.nowMs();
    const claimNow = (id: string) => tasks.claim(id, clock.nowMs(), "w2");
    expect(await claimNow(running.id)).toEqual({ kind: "leased", untilMs: nowMs + leaseMs - 2000 });
    expect(await claimNow(retried.id)).toEqual({ kind: "early", untilMs: nowMs + 3000 });
    expect(await claimNow(delayed.id)).toEqual({ kind: "early", untilMs: nowMs + 4000 });
    expect((await tasks.get(timed.id))?.runAtMs).toBe(t0 + 6000);
    const isPast = nowMs >= t0 + 6000;
    expect((await claimNow(timed.id)).kind).toBe(isPast ? "won" : "early");
    expect((await claimNow(queued.id)).kind).toBe("won");
    expect(await tasks.due(clock.nowMs())).toEqual([]);

    await clock.advance(3999);
    expect((await claimNow(retried.id)).kind).toBe("won");
    expect((await claimNow(delayed.id)).kind).toBe("early");
    await clock.advance(1);
    expect(await tasks.due(clock.nowMs())).toContain(delayed.id);
    expect((await claimNow(delayed.id)).kind).toBe("won");
    await clock.advance(leaseMs - 6001);
    expect((await claimNow(running.id)).kind).toBe("leased");
    await clock.advance(1);
    expect((await claimNow(running.id)).kind).toBe("won");
  },
  limitMs,
);

test(
  "a retry waits for as long as it was told to, however often and however far the clock is set",
  async () => {
    await using folder = await tempFolder();
    const clock = createFakeClock(t0);
    using opened = openStore(folder.path, clock);
    const tasks = tasksIn(opened.store);
    const step = fc.integer({ min: -30 * dayMs, max: 30 * dayMs }).filter((ms) => Math.abs(ms) > 2 * secondMs);
    const change = fc.record({ passMs: fc.integer({ min: 0, max: 20_000 }), stepMs: step });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60_000 }),
        fc.array(change, { maxLength: 6 }),
        async (delayMs, all) => {
          const { id } = await tasks.create({}, clock.nowMs());
          const { claim } = await tasks.win(id, clock.nowMs());
          await tasks.finish(id, claim, retryAt(clock.nowMs() + delayMs), clock.nowMs());
          const beganMs = clock.monotonicMs();
          for (const { passMs, stepMs } of all) {
            await clock.advance(passMs);
            clock.set(stepMs);
            const claimed = await tasks.claim(id, clock.nowMs());
            const leftMs = delayMs - (clock.monotonicMs() - beganMs);
            if (leftMs <= 0) return expect(claimed.kind).toBe("won");
            expect(claimed).toEqual({ kind: "early", untilMs: clock.nowMs() + leftMs });
          }
        },
      ),
      { numRuns: 60 },
    );
  },
  limitMs,
);

test(
  "of several processes on one file one moves its times, whichever looks first and whoever comes later",
  async () => {
    await using folder = await tempFolder();
    const clock = createFakeClock(t0);
    using one = openStore(folder.path, clock);
    using other = openStore(folder.path, clock);
    const { id } = await tasksIn(one.store).create({ status: "scheduled", runAtMs: t0 + 9000, sendAtMs: t0 + 9000 });
    const early = async ({ store }: OpenedStore) =>
      expect(await tasksIn(store).claim(id, clock.nowMs())).toEqual({
        kind: "early",
        untilMs: clock.nowMs() + 9000 - clock.monotonicMs(),
      });
    clock.set(-hourMs);
    await early(one);
    await early(other);
    // Two steps before the second process looks again.
    clock.set(hourMs);
    await early(one);
    clock.set(60 * secondMs);
    await early(one);
    await early(other);
    using late = openStore(folder.path, clock);
    await clock.advance(1000);
    clock.set(-dayMs);
    for (const opened of [late, one, other]) await early(opened);
  },
  limitMs,
);

test(
  "an interval ticks on at its pace, a daily tick comes once, and a change decided before the step is refused",
  async () => {
    await using folder = await tempFolder();
    const clock = createFakeClock(t0);
    using opened = openStore(folder.path, clock);
    const schedules = schedulesIn(opened.store);
    const pace = await schedules.create();
    const rule = { kind: "cron", cron: "0 3 * * *", timeZone: "UTC" } as const;
    const daily = await schedules.create({
      id: "daily",
      timing: { rule, startAtMs: null, endAtMs: null },
      nextTickMs: t0 + dayMs,
      lookAtMs: t0 + dayMs,
    });
    await clock.advance(50_000);
    clock.set(-hourMs);
    expect(await schedules.due(clock.nowMs())).toEqual({ ids: [], nextMs: clock.nowMs() + 10_000 });
    expect(await schedules.get(daily.id)).toMatchObject({ nextTickMs: t0 + dayMs, version: 2 });
    expect(await schedules.change(changed(pace))).toBe("moved_on");
    await clock.advance(10_000);
    expect((await schedules.due(clock.nowMs())).ids).toEqual([pace.id]);
  },
  limitMs,
);

test(
  "the embedded broker shows a message when its time has passed, whatever the clock was set to",
  async () => {
    try {
      await using broker = await startEmbedded();
      await using queues = await openTestQueues(broker);
      const send = (delayMs: number) =>
        sendOne(queues.tasks, { body: "{}", attributes: {}, correlationId: undefined, delayMs });
      await send(0);
      await hideOne(queues.tasks, await takeOne(queues.tasks), 1000);
      await send(1000);
      setSystemTime(Date.now() - hourMs);
      await takeAll(queues.tasks, 2);
      await hideOne(queues.tasks, await send(0).then(() => takeOne(queues.tasks)), 60_000);
      setSystemTime(Date.now() + 2 * hourMs);
      expect(await queues.tasks.depth()).toMatchObject({ visible: 0, inFlight: 3 });
    } finally {
      setSystemTime();
    }
  },
  limitMs,
);
