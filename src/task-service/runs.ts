/**
 * The runs of schedules: a run's task is committed together with the change of its schedule, under the version that it was
 * decided from, so that of several tickers one makes it. What is committed is reported and sent as every task is.
 */

import { type Context, SpanKind } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { runMetadata, type Schedule, type ScheduleStore } from "../store/ports/schedules.ts";
import { actorOf, type NewTask } from "../store/ports/tasks.ts";
import type { TaskTypes } from "../store/ports/types.ts";
import { fromCarrier, spanContextOf, toCarrier } from "../telemetry/context/propagation.ts";
import { ownKey } from "../telemetry/names.ts";
import { metadataAttributes } from "../telemetry/spans/attributes.ts";
import { type ActiveSpan, linksTo, startSpan } from "../telemetry/spans/tracing.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { TaskError } from "../words/errors.ts";
import type { TaskType } from "../words/task.ts";
import { newTaskId } from "../words/task-id.ts";
import type { News } from "./news.ts";
import { type Sends, sendConfirmMs } from "./sends.ts";
import { afterRun } from "./tick-step.ts";

export interface RunDeps {
  store: Pick<ScheduleStore, "changeSchedule">;
  clock: Clock;
  telemetry: Telemetry;
  types: TaskTypes;
  sends: Pick<Sends, "first">;
  news: Pick<News, "made">;
  /** Default number of attempts. */
  maxAttempts: number;
  /** Keys of the metadata that spans show. */
  metadataAttributes: readonly string[];
}

interface Run {
  task: NewTask;
  active: ActiveSpan;
}

interface MadeRun extends Run {
  /** The schedule by now. */
  after: Schedule;
  atMs: number;
}

export interface Runs {
  /**
   * Makes a run below `parent`. undefined: the schedule has moved on since it was read, and nothing was written. Throws
   * `unavailable` when the store has no room.
   */
  make(schedule: Schedule, tickMs: number, parent: Context): Promise<MadeRun | undefined>;
  /** Resolves when those that were committed are sent. */
  sent(): Promise<unknown>;
}

export function createRuns(deps: RunDeps): Runs {
  const { store, clock, telemetry, types, sends, news } = deps;
  /** Runs that are committed and on their way to the broker. */
  const following = new Set<Promise<void>>();

  /** The span of a run holds its send as well. */
  const follow = ({ task, active }: Run, schedule: Schedule, tickMs: number, atMs: number): void => {
    const fields = { schedule_id: schedule.id, scheduled_for: new Date(tickMs).toISOString() };
    news.made(task, active.context, atMs, fields);
    const followed = sends.first([{ task, context: active.context }]).finally(() => {
      active.span.end();
      following.delete(followed);
    });
    following.add(followed);
  };

  return {
    make: async (schedule, tickMs, parent) => {
      const atMs = clock.nowMs();
      // Those that were known when the schedule was made may be gone; the worker of this one may be about to come.
      const known = await types.find(schedule.task.type).catch(() => undefined);
      // A span that never ends is never exported: a run that was not made has no trace.
      const run = begin(schedule, { tickMs, atMs, parent, known }, deps);
      const after = afterRun(schedule, { taskId: run.task.id, scheduledForMs: tickMs }, atMs);
      const { context } = run.active;
      const actor = actorOf(telemetry.service, context, atMs);
      const written = await store.changeSchedule(after, { task: run.task, actor }, context);
      if (written === "no_room") throw new TaskError("unavailable", "the store has no room for another task");
      if (written === "moved_on") return undefined;
      follow(run, schedule, tickMs, atMs);
      return { ...run, after, atMs };
    },
    sent: () => Promise.all(following),
  };
}

interface RunStart {
  tickMs: number;
  atMs: number;
  parent: Context;
  known: TaskType | undefined;
}

/** The span of the run, and its task, which is not written yet. */
function begin(schedule: Schedule, { tickMs, atMs, parent, known }: RunStart, deps: RunDeps): Run {
  const { type, payload, metadata: given, maxAttempts, timeoutMs } = schedule.task;
  const [id, correlationId] = [newTaskId(), newTaskId()];
  const scheduledFor = new Date(tickMs).toISOString();
  const metadata = { ...given, [runMetadata.scheduleId]: schedule.id, [runMetadata.scheduledFor]: scheduledFor };
  const active = startSpan(deps.telemetry.tracer, "fire schedule", parent, {
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
    runAtMs: atMs,
    isTimed: false,
    status: "queued",
    origin: toCarrier(active.context),
    sendAtMs: atMs + sendConfirmMs,
    idempotency: null,
  };
  return { task, active };
}
