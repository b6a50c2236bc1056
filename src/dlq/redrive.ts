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
import { createTrouble } from "../telemetry/trouble.ts";
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

export function createRedriver(deps: RedriverDeps): { loop(draining: AbortSignal): Promise<void> } {
  const { store, tasks: queue, telemetry, metrics, clock } = deps;
  const log = telemetry.log.module("dlq.redrive");

  const nowMs = (): number => clock.monotonicMs();
  const stepTrouble = createTrouble({
    log,
    nowMs,
    msg: "a step of a redrive failed, it is tried again",
    over: "steps of redrives succeed again",
  });
  const sendTrouble = createTrouble({
    log,
    nowMs,
    msg: "send failed, the sweeper will repeat it",
    over: "redriven tasks are sent again",
  });

  const loop = (draining: AbortSignal): Promise<void> =>
    repeat(takeStep, { signal: draining, clock, onFailure: { trouble: stepTrouble, pauseMs: lookEveryMs } });

  /** Gives how long to pause before the next. */
  const takeStep = async (): Promise<number> => {
    const step = await store.proposeRedrive(stepLimit, clock.nowMs());
    if ("waitMs" in step) return Math.min(step.waitMs ?? lookEveryMs, lookEveryMs);
    const begun = new Map(step.candidates.map((candidate) => [candidate.id, beginTrace(step, candidate)]));
    const committedAtMs = clock.nowMs();
    const revived = await commit(step, begun, committedAtMs);
    if (!revived) return 0;
    for (const task of revived) tellRedriven(task, step, { active: begun.get(task.id), committedAtMs });
    try {
      await sendAll(revived, begun);
      report(step, revived.length);
    } finally {
      // A span that never ends is never exported: what was not moved has no new trace.
      for (const { id } of revived) begun.get(id)?.span.end();
    }
    return 0;
  };

  /** The root of the task's new trace, linked to the one that it died in. */
  const beginTrace = ({ redrive }: RedriveStep, candidate: RedriveCandidate): ActiveSpan => {
    const origin = fromCarrier(candidate.origin);
    const death = fromCarrier({ traceparent: candidate.deathTraceparent });
    // What died was kept, and so is what becomes of it now.
    const sampled = inheritSampling(withoutSpan(origin), spanContextOf(asSampled(origin)));
    return startSpan(telemetry.tracer, "redrive tasks", sampled, {
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
  };

  const tellRedriven = (
    task: DueTask,
    { redrive }: RedriveStep,
    { active, committedAtMs }: { active: ActiveSpan | undefined; committedAtMs: number },
  ): void => {
    logOf(task, active).info("task redriven", { redrive_id: redrive.id });
    telemetry.events.publish("task.redriven", committedAtMs);
  };

  /** Lines in the task's new trace. */
  const logOf = (task: DueTask, active: ActiveSpan | undefined): Logger =>
    log
      .in(active?.context ?? fromCarrier(task.origin))
      .with({ correlation_id: task.correlationId, task_id: task.id, task_type: task.type });

  const commit = (
    step: RedriveStep,
    begun: ReadonlyMap<string, ActiveSpan>,
    nowMs: number,
  ): Promise<DueTask[] | undefined> => {
    const moves = [...begun].map(([id, { context }]) => {
      return { id, origin: toCarrier(context), actor: actorOf(telemetry.service, context, nowMs) };
    });
    const { redrive, candidates: _, ...rest } = step;
    return store.commitRedrive(
      { redriveId: redrive.id, step: rest, moves, nowMs, sendWithinMs: sendConfirmMs },
      housekeeping,
    );
  };

  const sendAll = async (revived: readonly DueTask[], begun: ReadonlyMap<string, ActiveSpan>): Promise<void> => {
    const sent = await Promise.all(revived.map((task) => send(task, begun.get(task.id))));
    const confirmed = revived.filter((_task, index) => sent[index]);
    if (confirmed.length > 0) await store.markSent(confirmed, clock.nowMs(), housekeeping);
  };

  /** False when the broker did not take it: it is the sweeper's then. */
  const send = async (task: DueTask, active: ActiveSpan | undefined): Promise<boolean> => {
    const context = active?.context ?? fromCarrier(task.origin);
    const [result] = await queue.send([{ message: toTaskMessage(task), context, span: sendSpanOf(task) }]);
    if (result?.kind === "failed") {
      if (active) markFailed(active.span, toFailure(result.error));
      sendTrouble.met({ error: result.error }, logOf(task, active));
      return false;
    }
    sendTrouble.passed();
    return true;
  };

  const report = ({ redrive, candidates, refused, isLast }: RedriveStep, moved: number): void => {
    metrics.redriven("moved", moved);
    metrics.redriven("failed", refused + candidates.length - moved);
    const fields = { redrive_id: redrive.id, moved, refused };
    if (isLast) log.info("redrive completed", { ...fields, elapsed_ms: clock.nowMs() - redrive.createdAtMs });
    else log.debug("redrive went on", fields);
  };

  return { loop };
}
