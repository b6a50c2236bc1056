/** The ten tasks of the demo, what must become of each, and what is printed of them. Pure. */

import { defaultConsoleUrl } from "../config.ts";
import { createPaint, styles } from "../terminal/style.ts";
import { type Canvas, type Column, renderTable } from "../terminal/table.ts";
import type { TaskStatus } from "../words/task.ts";
import type { TaskAnswer } from "./api-answers.ts";
import { styleOfStatus, tookText } from "./print/task.ts";

export interface ScriptedTask {
  type: string;
  payload: unknown;
  maxAttempts?: number;
  /** What it shows, in a few words. */
  shows: string;
  fate: { status: TaskStatus; attempts: number };
}

const succeeds = { status: "succeeded", attempts: 1 } as const;

export const demoScript: readonly ScriptedTask[] = [
  { type: "echo", payload: { order: 1001 }, shows: "succeeds", fate: succeeds },
  { type: "echo", payload: { order: 1002 }, shows: "succeeds", fate: succeeds },
  { type: "sleep", payload: { ms: 900 }, shows: "is slow", fate: succeeds },
  { type: "echo", payload: { order: 1003 }, shows: "succeeds", fate: succeeds },
  {
    type: "flaky",
    payload: { failures: 1 },
    shows: "fails once, is retried",
    fate: { status: "succeeded", attempts: 2 },
  },
  { type: "echo", payload: { order: 1004 }, shows: "succeeds", fate: succeeds },
  {
    type: "fail",
    payload: { message: "card declined" },
    maxAttempts: 3,
    shows: "fails three times, dies",
    fate: { status: "dead", attempts: 3 },
  },
  {
    type: "flaky",
    payload: { failures: 2 },
    shows: "fails twice, is retried",
    fate: { status: "succeeded", attempts: 3 },
  },
  { type: "echo", payload: { order: 1005 }, shows: "succeeds", fate: succeeds },
  { type: "echo", payload: { order: 1006 }, shows: "succeeds", fate: succeeds },
];

export function isAsScripted(scripted: ScriptedTask, task: TaskAnswer): boolean {
  return task.status === scripted.fate.status && task.attempt === scripted.fate.attempts;
}

export interface DemoOutcome {
  scripted: ScriptedTask;
  task: TaskAnswer;
}

export function renderFates(outcomes: readonly DemoOutcome[], canvas: Canvas): string[] {
  return renderTable(columns, outcomes, canvas);
}

const columns: readonly Column<DemoOutcome>[] = [
  { title: "TASK", cell: ({ scripted: { type, payload } }) => `${type} ${JSON.stringify(payload)}`, least: 12 },
  { title: "SHOWS", cell: ({ scripted }) => scripted.shows, least: 12, spare: 2 },
  { title: "BECAME", cell: ({ task }) => task.status, style: ({ task }) => styleOfStatus(task.status) },
  { title: "TRIES", cell: ({ task }) => String(task.attempt), isFigure: true },
  { title: "TOOK", cell: ({ task }) => tookText(task.created_at, task.ended_at), isFigure: true, spare: 1 },
  { title: "TRACE", cell: ({ task }) => task.trace_id, style: () => styles.dim, spare: 3 },
  {
    title: "",
    cell: ({ scripted, task }) => (isAsScripted(scripted, task) ? "✓" : "✗ not as scripted"),
    style: ({ scripted, task }) => (isAsScripted(scripted, task) ? styles.green : styles.red),
  },
];

interface DemoPlaces {
  gatewayUrl: string;
  adminUrl: string;
  logFile: string;
  /** How this program is called. */
  command: string;
  /** It listens where the commands look by themselves. */
  isDefaultUrl: boolean;
  /** Undefined: there is no console. */
  consoleUrl: string | undefined;
}

/** Commands with the ids of the demo's own tasks: each can be typed as it stands. */
export function renderPlaces(outcomes: readonly DemoOutcome[], places: DemoPlaces, color: boolean): string[] {
  const { gatewayUrl, adminUrl, logFile, command, isDefaultUrl, consoleUrl } = places;
  const paint = createPaint(color);
  const retried = outcomes.find(({ task }) => task.status === "succeeded" && task.attempt > 1)?.task.id;
  const dead = outcomes.find(({ task }) => task.status === "dead")?.task.id;
  const isElsewhere = consoleUrl !== undefined && consoleUrl !== defaultConsoleUrl;
  const lines: (readonly [line: string, does: string] | false | undefined)[] = [
    !isDefaultUrl && [`export THROUGHLINE_URL=${gatewayUrl}`, "these tasks, not those of another system"],
    isElsewhere && [`export THROUGHLINE_CONSOLE_URL=${consoleUrl}`, "and their traces"],
    [`${command} task list`, "the ten, and their states"],
    retried !== undefined && [`${command} task timeline ${retried}`, "failed, tried again, succeeded"],
    dead !== undefined && [`${command} dlq show ${dead}`, "why it died"],
    consoleUrl !== undefined && dead !== undefined && [`${command} trace ${dead}`, "all of it as one waterfall"],
    dead !== undefined && [`${command} dlq redrive ${dead} --wait`, "bring it back"],
    [`${command} task submit echo '{"hello":"world"}' --wait`, "one of your own"],
    consoleUrl !== undefined && [`${command} verify`, "whether every hop passes the trace on"],
  ];
  const shown = lines.filter((line) => line !== false && line !== undefined);
  return [
    paint(styles.bold, "It keeps serving. In another terminal:"),
    ...shown.flatMap(([line, does]) => [paint(styles.dim, `  # ${does}`), `  ${line}`]),
    paint(styles.dim, "  # the same over HTTP"),
    `  curl -s ${gatewayUrl}/v1/tasks -H 'content-type: application/json' -d '{"type":"echo"}'`,
    paint(styles.bold, "To look at:"),
    ...(consoleUrl === undefined
      ? []
      : [`  ${consoleUrl}  ${paint(styles.dim, "tasks, traces and dead letters on one page")}`]),
    `  ${gatewayUrl}/docs  ${paint(styles.dim, "the HTTP API")}`,
    `  ${adminUrl}/metrics  ${paint(styles.dim, "and /health")}`,
    `  ${logFile}  ${paint(styles.dim, "every line has its trace_id")}`,
    paint(styles.dim, "Ctrl-C stops it."),
  ];
}
