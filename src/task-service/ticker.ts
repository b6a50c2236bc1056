/**
 * The ticker, in every task service: looks for schedules that are due, and makes their runs. Each step is a change of the
 * schedule under the version that it was decided from, with the run's task in the same commit: of several tickers that
 * come to the same tick one makes its run, and a crash leaves the tick due or its run made. What is committed is sent as
 * every task is; what is not sent then is the sweeper's.
 */

import { type Context, SpanKind } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { repeat } from "../limits/repeat.ts";
import { runMetadata, type Schedule, type ScheduleStore } from "../store/ports/schedules.ts";
import { actorOf, type NewTask, type TaskStore } from "../store/ports/tasks.ts";
import type { TaskTypes } from "../store/ports/types.ts";
import { fromCarrier, spanContextOf, toCarrier, withoutSpan } from "../telemetry/context/propagation.ts";
import type { Fields } from "../telemetry/logs/log.ts";
import type { ScheduleMetrics } from "../telemetry/metrics/task-metrics.ts";
import { ownKey } from "../telemetry/names.ts";
import { metadataAttributes } from "../telemetry/spans/attributes.ts";
import { type ActiveSpan, housekeeping, linksTo, startSpan } from "../telemetry/spans/tracing.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTrouble } from "../telemetry/trouble.ts";
import { TaskError } from "../words/errors.ts";
import { isEnded } from "../words/task.ts";
import { newTaskId } from "../words/task-id.ts";
import { sendConfirmMs } from "./sweeper.ts";
import { afterRun, nextStep, type TickStep } from "./tick-step.ts";

export interface TickerDeps {
  store: Pick<ScheduleStore, "dueSchedules" | "changeSchedule"> & Pick<TaskStore, "get">;
  clock: Clock;
  telemetry: Telemetry;
  types: TaskTypes;
  metrics: ScheduleMetrics;
  /** Default number of attempts. */
  maxAttempts: number;
  /** Keys of the metadata that spans show. */
  metadataAttributes: readonly string[];
  /** Tells of a task that was committed, and sends it. Never rejects. */
  follow(task: NewTask, context: Context, createdAtMs: number, fields: Fields): Promise<void>;
}

export interface Ticker {
  /** Runs until the signal aborts, then waits for what it has begun. */
  loop(signal: AbortSignal): Promise<void>;
  /** Looks at once: a schedule was made or changed here. */
  wake(): void;
  /**
   * Makes a run below `parent`. undefined: the schedule has moved on since it was read, and nothing was written. Throws
   * `unavailable` when the store has no room.
   */
  fire(schedule: Schedule, tickMs: number, parent: Context): Promise<NewTask | undefined>;
}

/** How often the ticker looks when it knows of nothing due: other processes make schedules, too. */
const lookEveryMs = 1000;
/** Schedules of one look, which are seen to side by side, and the steps that each of them takes then. */
const dueLimit = 20;
const stepLimit = 20;
/** Others were faster: they are about to finish. */
const lostPauseMs = 25;

interface Run {
  task: NewTask;
  active: ActiveSpan;
}

export function createTicker(deps: TickerDeps): Ticker {
  const { store, clock, telemetry, types, metrics, follow } = deps;
  const log = telemetry.log.module("task-service.ticker");
  const trouble = createTrouble({
    log,
    nowMs: () => clock.monotonicMs(),
    msg: "a tick failed, it is tried again",
    over: "ticks succeed again",
  });
  /** Runs that are committed and on their way to the broker. */
  const following = new Set<Promise<void>>();
  let rest = new AbortController();

  const loop = async (signal: AbortSignal): Promise<void> => {
    const step = (): Promise<number> => {
      rest = new AbortController();
      return look(signal);
    };
    await repeat(step, { signal, clock: { sleep: pause }, onFailure: { trouble, pauseMs: lookEveryMs } });
    await Promise.all(following);
  };

  /** A wake during the look counts: what it was about may not have been there yet. */
  const pause = async (ms: number, signal?: AbortSignal): Promise<void> => {
    const end = (): void => rest.abort();
    signal?.addEventListener("abort", end);
    await clock.sleep(ms, rest.signal);
    signal?.removeEventListener("abort", end);
  };

  /** Gives how long to rest: until the next tick, but not for long. */
  const look = async (signal: AbortSignal): Promise<number> => {
    const { due, nextMs } = await store.dueSchedules(dueLimit, clock.nowMs());
    const seen = await Promise.allSettled(due.map((schedule) => seeTo(schedule, signal)));
    const failed = seen.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    if (due.length > 0) return seen.some((result) => result.status === "fulfilled" && result.value) ? 0 : lostPauseMs;
    return Math.max(1, Math.min(lookEveryMs, (nextMs ?? Number.POSITIVE_INFINITY) - clock.nowMs()));
  };

  /** Takes the steps that are due; false when it took none, for others did. */
  const seeTo = async (found: Schedule, signal: AbortSignal): Promise<boolean> => {
    let schedule = found;
    for (let steps = 0; steps < stepLimit && !signal.aborted; steps++) {
      const step = nextStep(schedule, clock.nowMs(), await isRunGoing(schedule));
      if (!step) return steps > 0;
      const after = await take(step, schedule);
      if (!after) return steps > 0;
      schedule = after;
    }
    return true;
  };

  const isRunGoing = async ({ overlap, lastRun }: Schedule): Promise<boolean> => {
    if (overlap === "allow" || !lastRun) return false;
    const task = await store.get(lastRun.taskId, housekeeping);
    return task !== undefined && !isEnded(task.status);
  };

  /** The schedule after the step; undefined when it had moved on before. */
  const take = async (step: TickStep, schedule: Schedule): Promise<Schedule | undefined> => {
    if (step.kind === "fire") return fireTick(schedule, step.tickMs);
    const written = await store.changeSchedule(step.after, null, housekeeping);
    if (written !== "changed") return undefined;
    tell(step, schedule);
    return step.after;
  };

  const fireTick = async (schedule: Schedule, tickMs: number): Promise<Schedule | undefined> => {
    const nowMs = clock.nowMs();
    // A trace of its own: what the schedule's maker gave it to carry goes with each run.
    const run = await begin(schedule, tickMs, withoutSpan(fromCarrier(schedule.origin)), nowMs);
    const after = await commit(schedule, tickMs, run, nowMs);
    if (after) {
      metrics.ticked("fired");
      metrics.late(nowMs - tickMs, run.active.span.spanContext());
    }
    return after;
  };

  const fire: Ticker["fire"] = async (schedule, tickMs, parent) => {
    const nowMs = clock.nowMs();
    const run = await begin(schedule, tickMs, parent, nowMs);
    if (!(await commit(schedule, tickMs, run, nowMs))) return undefined;
    metrics.ticked("triggered");
    return run.task;
  };

  /** The span of the run, and its task, which is not written yet. */
  const begin = async (schedule: Schedule, tickMs: number, parent: Context, nowMs: number): Promise<Run> => {
    const { type, payload, metadata: given, maxAttempts, timeoutMs } = schedule.task;
    // Those that were known when the schedule was made may be gone; the worker of this one may be about to come.
    const known = await types.find(type).catch(() => undefined);
    const [id, correlationId] = [newTaskId(), newTaskId()];
    const scheduledFor = new Date(tickMs).toISOString();
    const metadata = { ...given, [runMetadata.scheduleId]: schedule.id, [runMetadata.scheduledFor]: scheduledFor };
    const active = startSpan(telemetry.tracer, "fire schedule", parent, {
      kind: SpanKind.INTERNAL,
      links: linksTo(spanContextOf(fromCarrier(schedule.origin))),
      attributes: {
        [ownKey.taskId]: id,
        [ownKey.taskType]: type,
        [ownKey.correlationId]: correlationId,
        [ownKey.scheduleId]: schedule.id,
        [ownKey.scheduledFor]: scheduledFor,
        ...metadataAttributes(metadata, deps.metadataAttributes),
      },
    });
    const task: NewTask = {
      id,
      type,
      payload,
      metadata,
      maxAttempts: maxAttempts ?? known?.maxAttempts ?? deps.maxAttempts,
      timeoutMs,
      correlationId,
      runAtMs: nowMs,
      isTimed: false,
      status: "queued",
      origin: toCarrier(active.context),
      sendAtMs: nowMs + sendConfirmMs,
      idempotency: null,
    };
    return { task, active };
  };

  /** A span that never ends is never exported: a run that was not made has no trace. */
  const commit = async (
    schedule: Schedule,
    tickMs: number,
    { task, active }: Run,
    nowMs: number,
  ): Promise<Schedule | undefined> => {
    const after = afterRun(schedule, { taskId: task.id, scheduledForMs: tickMs }, nowMs);
    const actor = actorOf(telemetry.service, active.context, nowMs);
    const written = await store.changeSchedule(after, { task, actor }, active.context);
    if (written === "no_room") throw new TaskError("unavailable", "the store has no room for another task");
    if (written === "moved_on") return undefined;
    const fields = { schedule_id: schedule.id, scheduled_for: new Date(tickMs).toISOString() };
    const followed = follow(task, active.context, nowMs, fields).finally(() => {
      active.span.end();
      following.delete(followed);
    });
    following.add(followed);
    return after;
  };

  /** Lines about a tick without a run stand in the trace in which the schedule was changed last. */
  const tell = (step: Exclude<TickStep, { kind: "fire" }>, { id, origin, lastRun }: Schedule): void => {
    const lines = log.in(fromCarrier(origin)).with({ schedule_id: id });
    switch (step.kind) {
      case "skip":
        metrics.ticked("skipped");
        lines.info("tick skipped, the run before it goes on", { ...tickOf(step), task_id: lastRun?.taskId });
        break;
      case "hold":
        lines.info("tick waits for the end of the run before it", { ...tickOf(step), task_id: lastRun?.taskId });
        break;
      case "miss":
        metrics.ticked("missed", step.count);
        lines.warn("ticks were missed", { count: step.count, since: new Date(step.fromMs).toISOString() });
        break;
      case "wait":
        lines.debug("tick still waits for the end of the run before it", { task_id: lastRun?.taskId });
    }
  };

  return { loop, wake: () => rest.abort(), fire };
}

function tickOf({ tickMs }: { tickMs: number }): Fields {
  return { scheduled_for: new Date(tickMs).toISOString() };
}
