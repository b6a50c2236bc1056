/** What the demo prints: the fates of its tasks as a table, and where to look next. Pure. */

import { formatDuration } from "../console/duration-text.ts";
import { createPaint, fit, styles, textWidth } from "../console/terminal.ts";
import { isAsScripted, type ScriptedTask, type TaskAnswer } from "./demo-script.ts";

export interface DemoOutcome {
  scripted: ScriptedTask;
  task: TaskAnswer;
}

const green = "32";

export function renderFates(outcomes: readonly DemoOutcome[], color: boolean): string[] {
  const paint = createPaint(color);
  const head = ["", "task", "shows", "became", "attempts", "took", "trace"];
  const rows = outcomes.map(({ scripted, task }, index) => [
    String(index + 1),
    `${task.type} ${JSON.stringify(scripted.payload)}`,
    scripted.shows,
    task.status,
    String(task.attempt),
    tookOf(task),
    task.trace_id,
  ]);
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => textWidth(row[column] ?? title))),
  );
  const line = (cells: readonly string[]): string[] => cells.map((cell, column) => alignCell(cell, column, widths));
  return [
    paint(styles.dim, line(head).join("  ")),
    ...rows.map((row, index) => {
      const outcome = outcomes[index];
      const cells = line(row);
      cells[3] = paint(row[3] === "succeeded" ? green : styles.red, cells[3] ?? "");
      cells[6] = paint(styles.dim, cells[6] ?? "");
      const isRight = outcome !== undefined && isAsScripted(outcome.scripted, outcome.task);
      return `${cells.join("  ")}  ${isRight ? paint(green, "✓") : paint(styles.red, "✗ not as scripted")}`;
    }),
  ];
}

/** Numbers to the right, words to the left. */
function alignCell(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] ?? 0;
  const isFigure = column === 0 || column === 4 || column === 5;
  return isFigure ? cell.padStart(width) : fit(cell, width);
}

function tookOf(task: TaskAnswer): string {
  if (task.ended_at === null) return "";
  return formatDuration(Date.parse(task.ended_at) - Date.parse(task.created_at));
}

export interface DemoPlaces {
  gatewayUrl: string;
  adminUrl: string;
  logFile: string;
}

export function renderPlaces({ gatewayUrl, adminUrl, logFile }: DemoPlaces, color: boolean): string[] {
  const paint = createPaint(color);
  const request = `curl -s ${gatewayUrl}/v1/tasks -H 'content-type: application/json' -d '{"type":"echo","payload":{"hello":"world"}}'`;
  return [
    paint(styles.bold, "It keeps serving. Try:"),
    `  ${request}`,
    `  curl -s '${gatewayUrl}/v1/tasks/ID?wait=10s'        and  /v1/tasks/ID/timeline`,
    `  curl -s ${adminUrl}/metrics                    and  ${adminUrl}/health`,
    `  every log line has its trace_id: ${logFile}`,
    paint(styles.dim, "Ctrl-C stops it."),
  ];
}
