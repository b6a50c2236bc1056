/** A torture in a few lines of text. */

import type { Evidence, Problem } from "./check.ts";
import type { Figures } from "./figures.ts";

export interface Told extends Figures {
  title: string;
  refused: number;
  replays: number;
  loadMs: number;
  settleMs: number;
  complaints: [sentence: string, count: number][];
}

const mostShown = 20;

export function toReport(told: Told, problems: readonly Problem[]): string {
  const dead = Object.entries(told.dead).map(([reason, count]) => `${count} ${reason}`);
  const lines = [
    told.title,
    `  kills        ${told.kills}, ${told.killsWhileStarting} of them while it started, in ${seconds(told.loadMs)}`,
    `  start        p50 ${seconds(told.startMs.p50)}, p99 ${seconds(told.startMs.p99)}`,
    `  submitted    ${told.accepted} accepted, ${told.refused} not, ${told.replays} keys again; ${told.stored} in the store`,
    `  ended        ${told.succeeded} succeeded, dead: ${dead.join(", ") || "none"}; all ${seconds(told.settleMs)} after the load`,
    `  runs         ${told.runs}, ${told.extraRuns} extra: ${told.inFlightAtKills} in flight at a kill, ${told.endedUncommitted} ended and not committed`,
    `  claims       ${told.claimsWithoutRun} cut short before their run began`,
    ...told.complaints.map(([sentence, count]) => `  log          ${count} × ${sentence}`),
    problems.length === 0 ? "  no problem" : `  PROBLEMS     ${problems.length}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Each problem with all that is known of its task. */
export function toProblemReport(problems: readonly Problem[], { tasks, runs, accepted }: Evidence): string {
  const shown = [...Map.groupBy(problems, ({ taskId }) => taskId)].slice(0, mostShown);
  const lines = shown.flatMap(([taskId, each]) => {
    const task = tasks.find(({ id }) => id === taskId);
    return [
      `${taskId ?? "(no single task)"}${accepted.some(({ id }) => id === taskId) ? ", accepted" : ""}`,
      ...each.map(({ what }) => `  ! ${what}`),
      ...(task ? [`  ${task.type} ${task.payload}, at most ${task.maxAttempts} attempts`] : []),
      ...(task?.timeline ?? []).map(
        ({ atMs, from, to, attempt, outcome, service, worker }) =>
          `    ${time(atMs)} ${from} → ${to} attempt ${attempt} ${outcome ?? ""} ${service} ${worker ?? ""}`,
      ),
      ...runs.runs
        .filter((run) => taskId !== undefined && run.task === taskId)
        .map((run) => `    ${time(run.startedAtMs)} run of attempt ${run.attempt} in process ${run.pid}: ${run.how}`),
    ];
  });
  return lines.map((line) => `${line}\n`).join("");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function time(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}
