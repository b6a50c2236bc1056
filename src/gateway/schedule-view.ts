/** Schedules as the HTTP API shows them: every field there, durations with a unit. */

import type { ScheduledTaskJson, ScheduleJson } from "../gen/tasks_pb.ts";
import { showDuration } from "../settings/parsers.ts";
import { toHttpTime } from "./responses.ts";

export function toHttpSchedule(schedule: ScheduleJson): Record<string, unknown> {
  const { spec = {}, lastRun } = schedule;
  return {
    id: schedule.id,
    cron: spec.cron || null,
    time_zone: spec.timeZone || null,
    every: toHttpDuration(spec.every),
    task: spec.task && toHttpScheduledTask(spec.task),
    overlap: spec.overlap,
    catch_up: spec.catchUp ?? 0,
    start_at: toHttpTime(spec.startAt),
    end_at: toHttpTime(spec.endAt),
    paused: spec.paused ?? false,
    created_at: toHttpTime(schedule.createdAt),
    updated_at: toHttpTime(schedule.updatedAt),
    trace_id: schedule.traceId,
    next_runs: (schedule.nextRuns ?? []).map(toHttpTime),
    last_run: lastRun
      ? { task_id: lastRun.taskId, scheduled_for: toHttpTime(lastRun.scheduledFor), status: lastRun.status || null }
      : null,
    fired: Number(schedule.fired ?? 0),
    skipped: Number(schedule.skipped ?? 0),
    missed: Number(schedule.missed ?? 0),
  };
}

function toHttpScheduledTask(task: ScheduledTaskJson): Record<string, unknown> {
  return {
    type: task.type,
    payload: task.payload ?? null,
    timeout: toHttpDuration(task.timeout),
    max_attempts: task.maxAttempts || null,
    metadata: task.metadata ?? {},
  };
}

/** Protobuf JSON has seconds. */
export function toHttpDuration(seconds: string | undefined): string | null {
  return seconds === undefined ? null : showDuration(Math.round(Number.parseFloat(seconds) * 1000));
}
