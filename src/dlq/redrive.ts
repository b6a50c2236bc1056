/**
 * Brings dead letters back: takes the next step of whichever redrive is due, begins a trace for each of its tasks,
 * commits the step, and sends what came back. A crash after the commit leaves the sends to the sweeper, which starts
 * from the same traces; one before it leaves the step to be proposed again.
 */

import { SpanKind } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { repeat } from "../limits/repeat.ts";
import type { Queue } from "../queue/queue.ts";
import { sendSpanOf, toTaskMessage } from "../queue/task-message.ts";
import type { RedriveCandidate, RedriveStep, RedriveStore } from "../store/ports/redrives.ts";
import type { DueTask, SendStore } from "../store/ports/sends.ts";
import { actorOf } from "../store/ports/tasks.ts";
import { fromCarrier, spanContextOf, toCarrier, withoutSpan } from "../telemetry/context/propagation.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import type { TaskMetrics } from "../telemetry/metrics/task-metrics.ts";
import { ownKey } from "../telemetry/names.ts";
import { asSampled, inheritSampling } from "../telemetry/spans/sampling.ts";
import { type ActiveSpan, housekeeping, linksTo, markFailed, startSpan } from "../telemetry/spans/tracing.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTrouble, type Trouble } from "../telemetry/trouble.ts";
import { toFailure } from "../words/errors.ts";

export interface RedriverDeps {
  store: Pick<RedriveStore, "proposeRedrive" | "commitRedrive"> & Pick<SendStore, "markSent">;
  /** Where tasks go back to. */
  tasks: Queue;
  telemetry: Telemetry;
  metrics: TaskMetrics;
  clock: Clock;
}

/** Tasks in one step at most: one commit, and ten calls to the broker. */
const stepLimit = 100;
/** How soon an order is seen while none runs, and a failed step is tried again. */
const lookEveryMs = 500;
/** The sweeper sends what was not confirmed within this time. */
const sendConfirmMs = 30_000;

/** A task that came back, and the root of its new trace. */
interface RevivedTask {
  task: DueTask;
  active: ActiveSpan | undefined;
}

export class Redriver {
  readonly #deps: RedriverDeps;
  readonly #log: Logger;
  readonly #stepTrouble: Trouble;
  readonly #sendTrouble: Trouble;

  constructor(deps: RedriverDeps) {
    const log = deps.telemetry.log.module("dlq.redrive");
    const nowMs = (): number => deps.clock.monotonicMs();
    this.#deps = deps;
    this.#log = log;
    this.#stepTrouble = createTrouble({
      log,
      nowMs,
      msg: "a step of a redrive failed, it is tried again",
      over: "steps of redrives succeed again",
    });
    this.#sendTrouble = createTrouble({
      log,
      nowMs,
      msg: "send failed, the sweeper will repeat it",
      over: "redriven tasks are sent again",
    });
  }

  loop(draining: AbortSignal): Promise<void> {
    const onFailure = { trouble: this.#stepTrouble, pauseMs: lookEveryMs };
    return repeat(() => this.#takeStep(), { signal: draining, clock: this.#deps.clock, onFailure });
  }

  /** Gives how long to pause before the next. */
  async #takeStep(): Promise<number> {
    const { store, clock } = this.#deps;
    const step = await store.proposeRedrive(stepLimit, clock.nowMs());
    if ("waitMs" in step) return Math.min(step.waitMs ?? lookEveryMs, lookEveryMs);
    const begun = new Map(step.candidates.map((candidate) => [candidate.id, this.#beginTrace(step, candidate)]));
    const committedAtMs = clock.nowMs();
    const revived = await this.#commit(step, begun, committedAtMs);
    if (!revived) return 0;
    const tasks = revived.map((task) => ({ task, active: begun.get(task.id) }));
    for (const { task, active } of tasks) {
      this.#logOf(task, active).info("task redriven", { redrive_id: step.redrive.id });
      this.#deps.telemetry.events.publish("task.redriven", committedAtMs);
    }
    try {
      await this.#send(tasks);
      this.#report(step, revived.length);
    } finally {
      // A span that never ends is never exported: what was not moved has no new trace.
      for (const { active } of tasks) active?.span.end();
    }
    return 0;
  }

  /** The root of the task's new trace, linked to the one that it died in. */
  #beginTrace({ redrive }: RedriveStep, candidate: RedriveCandidate): ActiveSpan {
    const origin = fromCarrier(candidate.origin);
    const death = fromCarrier({ traceparent: candidate.deathTraceparent });
    // What died was kept, and so is what becomes of it now.
    const sampled = inheritSampling(withoutSpan(origin), spanContextOf(asSampled(origin)));
    return startSpan(this.#deps.telemetry.tracer, "redrive tasks", sampled, {
      kind: SpanKind.INTERNAL,
      links: linksTo(spanContextOf(death), spanContextOf(origin)),
      attributes: {
        [ownKey.taskId]: candidate.id,
        [ownKey.taskType]: candidate.type,
        [ownKey.correlationId]: candidate.correlationId,
        [ownKey.redriveId]: redrive.id,
        ...(redrive.reason && { [ownKey.redriveReason]: redrive.reason }),
      },
    });
  }

  #commit(step: RedriveStep, begun: ReadonlyMap<string, ActiveSpan>, nowMs: number): Promise<DueTask[] | undefined> {
    const { store, telemetry } = this.#deps;
    const moves = [...begun].map(([id, { context }]) => {
      return { id, origin: toCarrier(context), actor: actorOf(telemetry.service, context, nowMs) };
    });
    const { redrive, candidates: _, ...rest } = step;
    return store.commitRedrive(
      { redriveId: redrive.id, step: rest, moves, nowMs, sendWithinMs: sendConfirmMs },
      housekeeping,
    );
  }

  /** What the broker does not take is the sweeper's. */
  async #send(tasks: readonly RevivedTask[]): Promise<void> {
    const { store, tasks: queue, clock } = this.#deps;
    const results = await queue.send(
      tasks.map(({ task, active }) => ({
        message: toTaskMessage(task),
        context: active?.context ?? fromCarrier(task.origin),
        span: sendSpanOf(task),
      })),
    );
    const confirmed: DueTask[] = [];
    for (const [index, { task, active }] of tasks.entries()) {
      const result = results[index];
      if (result?.kind === "failed") {
        if (active) markFailed(active.span, toFailure(result.error));
        this.#sendTrouble.met({ error: result.error }, this.#logOf(task, active));
      } else {
        this.#sendTrouble.passed();
        confirmed.push(task);
      }
    }
    if (confirmed.length > 0) await store.markSent(confirmed, clock.nowMs(), housekeeping);
  }

  /** Lines in the task's new trace. */
  #logOf(task: DueTask, active: ActiveSpan | undefined): Logger {
    return this.#log
      .in(active?.context ?? fromCarrier(task.origin))
      .with({ correlation_id: task.correlationId, task_id: task.id, task_type: task.type });
  }

  #report({ redrive, candidates, refused, isLast }: RedriveStep, moved: number): void {
    const { metrics, clock } = this.#deps;
    metrics.redriven("moved", moved);
    metrics.redriven("failed", refused + candidates.length - moved);
    const fields = { redrive_id: redrive.id, moved, refused };
    if (isLast) this.#log.info("redrive completed", { ...fields, elapsed_ms: clock.nowMs() - redrive.createdAtMs });
    else this.#log.debug("redrive went on", fields);
  }
}
