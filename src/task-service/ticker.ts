/**
 * The ticker, in every task service: looks for schedules that are due, and makes their runs. Each step is a change of the
 * schedule under the version that it was decided from, with the run's task in the same commit: of several tickers that
 * come to the same tick one makes its run, and a crash leaves the tick due or its run made. What is committed is sent as
 * every task is; what is not sent then is the sweeper's.
 */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { repeat } from "../limits/repeat.ts";
import type { Schedule, ScheduleStore } from "../store/ports/schedules.ts";
import type { NewTask, TaskStore } from "../store/ports/tasks.ts";
import { fromCarrier, withoutSpan } from "../telemetry/context/propagation.ts";
import type { Fields, Logger } from "../telemetry/logs/log.ts";
import { createScheduleMetrics, type ScheduleMetrics } from "../telemetry/metrics/task-metrics.ts";
import { housekeeping } from "../telemetry/spans/tracing.ts";
import { createTrouble } from "../telemetry/trouble.ts";
import { isEnded } from "../words/task.ts";
import { createRuns, type RunDeps } from "./runs.ts";
import { nextStep, type TickStep } from "./tick-step.ts";

export interface TickerDeps extends RunDeps {
  store: Pick<ScheduleStore, "dueSchedules" | "changeSchedule"> & Pick<TaskStore, "get">;
}

export interface Ticker {
  /** Runs until the signal aborts, then waits for what it has begun. */
  loop(signal: AbortSignal): Promise<void>;
  /** Looks at once: a schedule was made or changed here. */
  wake(): void;
  /** Makes a run that no tick asks for; otherwise as `make` of runs.ts. */
  fire(schedule: Schedule, tickMs: number, parent: Context): Promise<NewTask | undefined>;
}

/** How often the ticker looks when it knows of nothing due: other processes make schedules, too. */
const lookEveryMs = 1000;
/** Schedules of one look, which are seen to side by side, and the steps that each of them takes then. */
const dueLimit = 20;
const stepLimit = 20;
/** Others were faster: they are about to finish. */
const lostPauseMs = 25;

/** The schedule after its next step; undefined when nothing is due, or it had moved on before. */
type TakeStep = (schedule: Schedule) => Promise<Schedule | undefined>;

export function createTicker(deps: TickerDeps): Ticker {
  const { store, clock, telemetry } = deps;
  const log = telemetry.log.module("task-service.ticker");
  const metrics = createScheduleMetrics(telemetry.meter);
  const runs = createRuns(deps);
  const rest = createRest(clock);
  const msg = "a tick failed, it is tried again";
  const trouble = createTrouble({ log, nowMs: () => clock.monotonicMs(), msg, over: "ticks succeed again" });

  const takeStep: TakeStep = async (schedule) => {
    const step = nextStep(schedule, clock.nowMs(), await isRunGoing(schedule, store));
    if (!step) return undefined;
    if (step.kind === "fire") return fireTick(schedule, step.tickMs);
    if ((await store.changeSchedule(step.after, null, housekeeping)) !== "changed") return undefined;
    tell(step, schedule, log, metrics);
    return step.after;
  };

  const fireTick = async (schedule: Schedule, tickMs: number): Promise<Schedule | undefined> => {
    // A trace of its own: what the schedule's maker gave it to carry goes with each run.
    const run = await runs.make(schedule, tickMs, withoutSpan(fromCarrier(schedule.origin)));
    if (!run) return undefined;
    metrics.ticked("fired");
    metrics.late(run.atMs - tickMs, run.active.span.spanContext());
    return run.after;
  };

  /** Gives how long to rest: until the next tick, but not for long. */
  const look = async (signal: AbortSignal): Promise<number> => {
    rest.begin();
    const { due, nextMs } = await store.dueSchedules(dueLimit, clock.nowMs());
    const seen = await Promise.allSettled(due.map((schedule) => seeTo(schedule, signal, takeStep)));
    const failed = seen.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    if (due.length > 0) return seen.some((result) => result.status === "fulfilled" && result.value) ? 0 : lostPauseMs;
    return Math.max(1, Math.min(lookEveryMs, (nextMs ?? Number.POSITIVE_INFINITY) - clock.nowMs()));
  };

  return {
    loop: async (signal) => {
      const onFailure = { trouble, pauseMs: lookEveryMs };
      await repeat(() => look(signal), { signal, clock: { sleep: rest.sleep }, onFailure });
      await runs.sent();
    },
    wake: rest.end,
    fire: async (schedule, tickMs, parent) => {
      const run = await runs.make(schedule, tickMs, parent);
      if (run) metrics.ticked("triggered");
      return run?.task;
    },
  };
}

/** A sleep that `end` ends; one that ends the look before it counts: what it was about may not have been there yet. */
function createRest(clock: Clock) {
  let ending = new AbortController();
  const end = (): void => ending.abort();
  return {
    begin: (): void => {
      ending = new AbortController();
    },
    end,
    sleep: async (ms: number, signal?: AbortSignal): Promise<void> => {
      signal?.addEventListener("abort", end);
      await clock.sleep(ms, ending.signal);
      signal?.removeEventListener("abort", end);
    },
  };
}

/** Takes the steps that are due; false when it took none, for others did. */
async function seeTo(found: Schedule, signal: AbortSignal, takeStep: TakeStep): Promise<boolean> {
  let schedule = found;
  for (let steps = 0; steps < stepLimit && !signal.aborted; steps++) {
    const after = await takeStep(schedule);
    if (!after) return steps > 0;
    schedule = after;
  }
  return true;
}

async function isRunGoing({ overlap, lastRun }: Schedule, store: Pick<TaskStore, "get">): Promise<boolean> {
  if (overlap === "allow" || !lastRun) return false;
  const task = await store.get(lastRun.taskId, housekeeping);
  return task !== undefined && !isEnded(task.status);
}

/** Lines about a tick without a run stand in the trace in which the schedule was changed last. */
function tell(
  step: Exclude<TickStep, { kind: "fire" }>,
  { id, origin, lastRun }: Schedule,
  log: Logger,
  metrics: ScheduleMetrics,
): void {
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
}

function tickOf({ tickMs }: { tickMs: number }): Fields {
  return { scheduled_for: new Date(tickMs).toISOString() };
}
