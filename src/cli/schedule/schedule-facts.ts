/** One schedule with all that is known of it. Pure. */

import { styles } from "../../terminal/style.ts";
import type { Canvas } from "../../terminal/table.ts";
import { type Fact, jsonText, renderFacts } from "../../terminal/table.ts";
import { fullTime } from "../../terminal/times.ts";
import type { ScheduleAnswer } from "../api-answers.ts";
import { styleOfStatus } from "../task-style.ts";

export function renderSchedule(schedule: ScheduleAnswer, canvas: Canvas, nowMs: number): string[] {
  const { task, last_run: lastRun } = schedule;
  const when = (time: string | null): string | null => time && fullTime(time, canvas, nowMs);
  const facts: Fact[] = [
    ["schedule", schedule.id, styles.bold],
    ["state", stateOf(schedule), schedule.paused ? styles.yellow : undefined],
    ["due", ruleOf(schedule)],
    ["overlap", schedule.overlap],
    ["catch up", String(schedule.catch_up)],
    ["starts", when(schedule.start_at)],
    ["ends", when(schedule.end_at)],
    ["next", schedule.next_runs.map(when).join("\n")],
    ["last", lastRun && when(lastRun.scheduled_for)],
    ["last task", lastRun && `${lastRun.task_id} ${lastRun.status ?? "removed"}`, lastStyle(schedule)],
    ["fired", String(schedule.fired)],
    ["skipped", String(schedule.skipped || "")],
    ["missed", String(schedule.missed || ""), styles.yellow],
    ["type", task.type],
    ["payload", jsonText(task.payload, canvas)],
    ["timeout", task.timeout],
    ["attempts", task.max_attempts === null ? null : String(task.max_attempts)],
    [
      "metadata",
      Object.entries(task.metadata)
        .map(([name, value]) => `${name}=${value}`)
        .join("\n"),
    ],
    ["changed", when(schedule.updated_at)],
    ["trace", schedule.trace_id],
  ];
  return renderFacts(facts, canvas);
}

/** `30 3 * * * Europe/Berlin`, `every 15m`. */
export function ruleOf({ cron, time_zone: timeZone, every }: ScheduleAnswer): string {
  return cron === null ? `every ${every}` : `${cron} ${timeZone}`;
}

/** `over`: it has no tick left. */
export function stateOf({ paused, next_runs: next }: ScheduleAnswer): string {
  if (paused) return "paused";
  return next.length === 0 ? "over" : "active";
}

function lastStyle({ last_run: lastRun }: ScheduleAnswer): string | undefined {
  return lastRun?.status ? styleOfStatus(lastRun.status) : undefined;
}
