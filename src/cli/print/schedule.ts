/** How a schedule is printed: as facts, and as a row of a table. */

import { type FormFlags, printResult } from "../../terminal/screen.ts";
import { styles } from "../../terminal/style.ts";
import { type Canvas, type Column, type Fact, jsonText, renderFacts, renderTable } from "../../terminal/table.ts";
import { fullTime, whenText } from "../../terminal/times.ts";
import type { ScheduleAnswer } from "../api-answers.ts";
import type { ApiAnswer } from "../api-client.ts";
import { metadataText, styleOfStatus } from "./task.ts";

export function showSchedule({ body, text }: ApiAnswer<ScheduleAnswer>, flags: FormFlags): void {
  printResult(flags, {
    json: text,
    ids: [body.id],
    forPeople: ({ canvas }) => renderSchedule(body, canvas, Date.now()),
  });
}

function renderSchedule(schedule: ScheduleAnswer, canvas: Canvas, nowMs: number): string[] {
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
    ["metadata", metadataText(task.metadata)],
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
function stateOf({ paused, next_runs: next }: ScheduleAnswer): string {
  if (paused) return "paused";
  return next.length === 0 ? "over" : "active";
}

function lastStyle({ last_run: lastRun }: ScheduleAnswer): string | undefined {
  return lastRun?.status ? styleOfStatus(lastRun.status) : undefined;
}

export function renderSchedules(schedules: readonly ScheduleAnswer[], canvas: Canvas, nowMs: number): string[] {
  return renderTable(columnsOf(canvas, nowMs), schedules, canvas);
}

function columnsOf(canvas: Canvas, nowMs: number): Column<ScheduleAnswer>[] {
  return [
    { title: "ID", cell: ({ id }) => id, least: 8 },
    { title: "STATE", cell: stateOf, style: ({ paused }) => (paused ? styles.yellow : undefined) },
    { title: "DUE", cell: ruleOf, least: 10, spare: 1 },
    { title: "NEXT", cell: ({ next_runs: [next] }) => (next ? whenText(next, canvas, nowMs) : ""), spare: 2 },
    { title: "LAST", cell: ({ last_run: lastRun }) => lastRun?.status ?? "", style: lastStyle, spare: 3 },
    { title: "TYPE", cell: ({ task }) => task.type, least: 6, spare: 4 },
    { title: "FIRED", cell: ({ fired }) => String(fired), isFigure: true, spare: 5 },
    { title: "SKIPPED", cell: ({ skipped }) => String(skipped || ""), isFigure: true, spare: 6 },
    { title: "MISSED", cell: ({ missed }) => String(missed || ""), isFigure: true, spare: 6 },
  ];
}
