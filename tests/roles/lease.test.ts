/** The worker's keeper of leases, with the real store and the real queue, and a clock that the test owns. */

import { expect, test } from "bun:test";
import { readConfig } from "../../src/config.ts";
import type { Queue } from "../../src/queue/queue.ts";
import type { LeaseState } from "../../src/store/ports/attempts.ts";
import type { Store } from "../../src/store/ports/store.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { LeaseKeeper } from "../../src/worker/attempts/lease.ts";
import { openTestQueues, startEmbedded, takeOne } from "../support/brokers.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { sendOne } from "../support/queue-calls.ts";
import { openSqliteStore } from "../support/sqlite-store.ts";
import { leaseMs, t0, tasksIn } from "../support/stored-tasks.ts";

const limitMs = 60_000;

test(
  "a broker that does not answer ends no lease: the claim in the store is prolonged all the same",
  async () => {
    await using broker = await startEmbedded();
    await using queues = await openTestQueues(broker);
    await using opened = await openSqliteStore();
    const clock = createFakeClock(t0);
    const answered = Promise.withResolvers<void>();
    const hanging: Queue = {
      ...queues.tasks,
      settle: async (settlings) => {
        await answered.promise;
        return queues.tasks.settle(settlings);
      },
    };
    const { log } = startTelemetry("worker", readConfig({ handlers: "" }, {}).config, () => {});
    const lost: string[] = [];
    const leases = new LeaseKeeper({
      store: opened.store,
      queue: hanging,
      clock,
      log,
      leaseMs,
      onLost: (lease) => lost.push(lease.id),
      onCanceled: () => {},
    });

    await sendOne(queues.tasks, { body: "{}", attributes: {}, correlationId: undefined });
    const tasks = tasksIn(opened.store);
    const { id } = await tasks.create();
    const { claim } = await tasks.win(id, t0, "w1");
    const message = await takeOne(queues.tasks);
    leases.hold({ id, claim, message }, clock.monotonicMs());
    const done = new AbortController();
    const keeping = leases.loop(done.signal);
    for (let thirds = 0; thirds < 7; thirds += 1) {
      await eventually(() => clock.sleepers() === 1);
      await clock.advance(leaseMs / 3);
      const prolonged = { kind: "leased", untilMs: clock.nowMs() + leaseMs };
      await eventually(async () => Bun.deepEquals(await tasks.claim(id, clock.nowMs(), "w2"), prolonged));
    }

    expect(lost).toEqual([]);
    done.abort();
    answered.resolve();
    await keeping;
  },
  limitMs,
);

/** A keeper with a lease in the store that was claimed at `t0`, and what came of it. */
async function startKeeping(extend?: Store["extend"]) {
  const stack = new AsyncDisposableStack();
  const broker = stack.use(await startEmbedded());
  const queues = stack.use(await openTestQueues(broker));
  const { store } = stack.use(await openSqliteStore());
  const clock = createFakeClock(t0);
  const { log } = startTelemetry("worker", readConfig({ handlers: "" }, {}).config, () => {});
  const prolonged: number[] = [];
  const noted: Store["extend"] = (leases, ms, nowMs, context) => {
    prolonged.push(clock.monotonicMs());
    return (extend ?? store.extend)(leases, ms, nowMs, context);
  };
  const lost: number[] = [];
  const leases = new LeaseKeeper({
    store: { ...store, extend: noted },
    queue: queues.tasks,
    clock,
    log,
    leaseMs,
    onLost: () => lost.push(clock.monotonicMs()),
    onCanceled: () => {},
  });
  await sendOne(queues.tasks, { body: "{}", attributes: {}, correlationId: undefined });
  const tasks = tasksIn(store);
  const { id } = await tasks.create();
  const { claim } = await tasks.win(id, t0, "w1");
  const message = await takeOne(queues.tasks);
  const lease = { id, claim, message };
  const done = new AbortController();
  const keeping = leases.loop(done.signal);
  stack.defer(async () => {
    done.abort();
    await keeping;
  });
  return { clock, leases, lease, lost, prolonged, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test(
  "a wall clock that is set ends no lease, and prolongs none that the store does not answer for",
  async () => {
    await using kept = await startKeeping(async () => ["kept"]);
    const answered = Promise.withResolvers<LeaseState[]>();
    await using silent = await startKeeping(() => answered.promise);
    for (const { clock, leases, lease, lost } of [kept, silent]) {
      leases.hold(lease, clock.monotonicMs());
      for (const stepMs of [3_600_000, -7_200_000, 60_000, -86_400_000]) {
        clock.set(stepMs);
        await eventually(() => clock.sleepers() === 1);
        await clock.advance(leaseMs / 3);
      }
      expect(lost).toEqual(kept.clock === clock ? [] : [leaseMs]);
    }
    answered.resolve(["lost"]);
  },
  limitMs,
);

test(
  "a lease counts from when its claim was sent: one whose answer took long is prolonged at once",
  async () => {
    await using late = await startKeeping();
    await late.clock.advance(leaseMs / 2);
    late.leases.hold(late.lease, 0);
    expect(late.prolonged).toEqual([leaseMs / 2]);
    const answered = Promise.withResolvers<LeaseState[]>();
    await using silent = await startKeeping(() => answered.promise);
    await silent.clock.advance(leaseMs - 1);
    silent.leases.hold(silent.lease, 0);
    await eventually(() => silent.clock.sleepers() === 1);
    await silent.clock.advance(leaseMs / 3);
    expect(silent.lost).toEqual([leaseMs]);
    answered.resolve(["lost"]);
  },
  limitMs,
);
