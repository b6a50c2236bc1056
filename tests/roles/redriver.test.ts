/** The redriver on a real store and a real broker, when a redrive is stopped between a step's proposal and its commit. */

import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { Redriver } from "../../src/dlq/redrive.ts";
import { systemClock } from "../../src/limits/clock.ts";
import type { Store } from "../../src/store/ports/store.ts";
import { createTaskMetrics } from "../../src/telemetry/metrics/task-metrics.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { openTestQueues, startEmbedded } from "../support/brokers.ts";
import { eventually } from "../support/eventually.ts";
import { redrivesIn } from "../support/redrives.ts";
import { openSqliteStore } from "../support/sqlite-store.ts";
import { tasksIn } from "../support/stored-tasks.ts";
import { kill } from "../support/task-states.ts";
import { startTestTracing } from "../support/test-tracing.ts";

/** The same store; a redrive whose step has been proposed is paused before the one who asked hears of it. */
function pausingAfterProposal(store: Store, onPaused: () => void): Store {
  return {
    ...store,
    proposeRedrive: async (limit, nowMs) => {
      const step = await store.proposeRedrive(limit, nowMs);
      if ("redrive" in step) await store.controlRedrive(step.redrive.id, "pause", nowMs, ROOT_CONTEXT);
      else onPaused();
      return step;
    },
  };
}

test("a step that came too late has moved nothing: it begins no trace, and is not counted", async () => {
  await using place = await openSqliteStore();
  await using broker = await startEmbedded();
  await using queues = await openTestQueues(broker);
  const { tracer, spans } = startTestTracing();
  const telemetry = { ...startTelemetry("dlq-processor", queues.config, () => {}), tracer };
  const metrics = createTaskMetrics(telemetry.meter);
  const redrives = redrivesIn(place.store);
  const ids = await kill(tasksIn(place.store), 3);
  const { id } = await redrives.start(Date.now());

  /** Runs a redriver on `store` until `isOver`, and gives how many traces it has begun so far. */
  const runUntil = async (store: Store, isOver: () => boolean | Promise<boolean>): Promise<number> => {
    const draining = new AbortController();
    const deps = { store, tasks: queues.tasks, telemetry, metrics, clock: systemClock };
    const running = new Redriver(deps).loop(draining.signal);
    await eventually(isOver);
    draining.abort();
    await running;
    return spans().filter(({ name }) => name === "redrive tasks").length;
  };

  const counted = async () => (await telemetry.scrape()).find(({ name }) => name === "task_redrives")?.series ?? [];

  let isPaused = false;
  const pausing = pausingAfterProposal(place.store, () => {
    isPaused = true;
  });
  expect(await runUntil(pausing, () => isPaused)).toBe(0);
  expect(await redrives.progress(id)).toMatchObject({ status: "paused", moved: 0, failed: 0 });
  expect(await counted()).toEqual([]);

  await redrives.control(id, "resume", Date.now());
  const isCompleted = async (): Promise<boolean> => (await redrives.get(id))?.status === "completed";
  expect(await runUntil(place.store, isCompleted)).toBe(ids.length);
  expect(await counted()).toMatchObject([{ labels: expect.arrayContaining([["result", "moved"]]), value: 3 }]);
  await telemetry.stop();
}, 60_000);
