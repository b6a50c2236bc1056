/** Schedules in protobuf's JSON form, as the RPC gives them. */

import type { ScheduleJson, ScheduleSpecJson } from "../gen/tasks_pb.ts";
import type { Schedule } from "../store/ports/schedules.ts";
import type { TaskStatus } from "../words/task.ts";
import { toWellFormedJson } from "../words/text.ts";
import { nextTicks } from "../words/ticks.ts";
import { toTimestamp } from "./task-view.ts";

/** Runs to come that are told. */
const toldRuns = 5;

/** `lastStatus`: of the last run's task; undefined when it was removed. */
export function toScheduleJson(schedule: Schedule, lastStatus: TaskStatus | undefined): ScheduleJson {
  const { nextTickMs, timing, lastRun } = schedule;
  const next = nextTickMs === null ? [] : nextTicks(timing, nextTickMs - 1, toldRuns);
  return {
    id: schedule.id,
    spec: toSpecJson(schedule),
    createdAt: toTimestamp(schedule.createdAtMs),
    updatedAt: toTimestamp(schedule.updatedAtMs),
    // version-traceid-spanid-flags
    traceId: schedule.origin.traceparent?.split("-")[1] ?? "",
    nextRuns: next.map(toTimestamp),
    ...(lastRun && {
      lastRun: {
        taskId: lastRun.taskId,
        scheduledFor: toTimestamp(lastRun.scheduledForMs),
        ...(lastStatus && { status: lastStatus }),
      },
    }),
    fired: String(schedule.fired),
    skipped: String(schedule.skipped),
    missed: String(schedule.missed),
  };
}

/** What was said of it, with what holds where nothing was said. */
export function toSpecJson({ timing, task, overlap, catchUp, isPaused }: Schedule): ScheduleSpecJson {
  const { rule, startAtMs, endAtMs } = timing;
  return {
    ...(rule.kind === "cron" ? { cron: rule.cron, timeZone: rule.timeZone } : { every: toSeconds(rule.everyMs) }),
    task: {
      type: task.type,
      payload: JSON.parse(toWellFormedJson(task.payload)),
      metadata: task.metadata,
      ...(task.timeoutMs !== null && { timeout: toSeconds(task.timeoutMs) }),
      ...(task.maxAttempts !== null && { maxAttempts: task.maxAttempts }),
    },
    overlap,
    catchUp,
    ...(startAtMs !== null && { startAt: toTimestamp(startAtMs) }),
    ...(endAtMs !== null && { endAt: toTimestamp(endAtMs) }),
    paused: isPaused,
  };
}

function toSeconds(ms: number): `${number}s` {
  return `${ms / 1000}s`;
}
