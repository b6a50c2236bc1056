/**
 * Role: records dead tasks, and brings them back. Receives dead letters, those that workers sent and those that the broker
 * moved by itself, and moves their tasks to `dead`. A letter is deleted only after its death is recorded; one that names no
 * task is stored unchanged, and never comes back.
 */

import type { Config } from "./config.ts";
import { Letters, type LettersDeps } from "./dlq/letters.ts";
import { Redriver, type RedriverDeps } from "./dlq/redrive.ts";
import { checkParts } from "./http/health.ts";
import type { Clock } from "./limits/clock.ts";
import type { Queues } from "./queue/queue.ts";
import type { Service } from "./service.ts";
import type { StoreHealth } from "./store/ports/store.ts";
import { createTaskMetrics, observeQueueDepth } from "./telemetry/metrics/task-metrics.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import { Intake } from "./worker/attempts/intake.ts";
import { Receiver } from "./worker/attempts/receive.ts";

export interface DlqDeps extends Omit<LettersDeps, "intake"> {
  visibilityMs: number;
}

/** Letters that are recorded at once. */
const maxLetters = 40;

/** Receives until the signal aborts, then finishes what it has. */
export function createDlq({ visibilityMs, ...deps }: DlqDeps): { run(draining: AbortSignal): Promise<void> } {
  const { queue, clock, telemetry } = deps;
  const intake = new Intake({ vacant: () => maxLetters, taken: () => 0 });
  const letters = new Letters({ ...deps, intake });
  const receiver = new Receiver({
    queue,
    intake,
    clock,
    log: telemetry.log,
    visibilityMs,
    isPaused: () => letters.isPaused(),
    take: (messages) => letters.take(messages),
    giveBack: (messages) => queue.settle(messages.map((message) => ({ message, hideMs: 0 }))),
    lines: { failed: "receiving dead letters failed", over: "dead letters are received again" },
  });
  return {
    run: async (draining) => {
      await receiver.loop(draining);
      await receiver.done();
    },
  };
}

/** Begins to receive dead letters. */
export async function startDlq(
  config: Config,
  telemetry: Telemetry,
  parts: { store: DlqDeps["store"] & RedriverDeps["store"] & StoreHealth; queues: Queues; clock: Clock },
): Promise<Service> {
  const { store, queues, clock } = parts;
  observeQueueDepth(telemetry.meter, queues.deadLetters);
  const draining = new AbortController();
  const dlq = createDlq({
    store,
    queue: queues.deadLetters,
    telemetry,
    clock,
    visibilityMs: config.visibilityTimeout,
    sourceQueue: config.queueName,
  });
  const redriver = new Redriver({
    store,
    tasks: queues.tasks,
    telemetry,
    metrics: createTaskMetrics(telemetry.meter),
    clock,
  });
  const running = Promise.all([dlq.run(draining.signal), redriver.loop(draining.signal)]);
  telemetry.log.info("dead-letter processor receives");
  return {
    addresses: {},
    checks: () => checkParts({ store, queues: [queues.deadLetters, queues.tasks] }),
    drain: async () => {
      draining.abort();
      await running;
    },
    abort: () => draining.abort(),
  };
}
