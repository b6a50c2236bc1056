/** The worker's keeper of leases, with the real store and the real queue, and a clock that the test owns. */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { readConfig } from "../../src/config.ts";
import type { Queue } from "../../src/queue/queue.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { createLeaseKeeper } from "../../src/worker/lease.ts";
import { openTestQueues, startEmbedded, takeOne } from "../support/brokers.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock } from "../support/fake-clock.ts";
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
      changeVisibility: async (message, delayMs) => {
        await answered.promise;
        await queues.tasks.changeVisibility(message, delayMs);
      },
    };
    const { log } = startTelemetry("worker", readConfig({ handlers: "" }, {}).config, () => {});
    const leases = createLeaseKeeper({ store: opened.store, queue: hanging, clock, log, leaseMs });

    await queues.tasks.send({ body: "{}", attributes: {}, correlationId: undefined }, ROOT_CONTEXT);
    const tasks = tasksIn(opened.store);
    const { id } = await tasks.create();
    const { claim } = await tasks.win(id, t0, "w1");
    const lost: string[] = [];
    const message = await takeOne(queues.tasks);
    leases.hold({ id, claim, message, onLost: () => lost.push(id), onCanceled: () => {} });
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
