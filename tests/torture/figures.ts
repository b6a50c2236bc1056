/** What a torture was like, in numbers. Pure. */

import { toAttempts } from "../../src/words/task.ts";
import type { Evidence } from "./check.ts";

export interface Figures {
  kills: number;
  killsWhileStarting: number;
  accepted: number;
  stored: number;
  succeeded: number;
  /** By reason. */
  dead: Record<string, number>;
  runs: number;
  /** Runs whose outcome nobody was told: in flight at a kill, or ended and not yet committed. */
  extraRuns: number;
  inFlightAtKills: number;
  endedUncommitted: number;
  /** Attempts that a kill ended before their handler began. */
  claimsWithoutRun: number;
  startMs: { p50: number; p99: number };
}

export function figuresOf({ accepted, tasks, runs, lives }: Evidence): Figures {
  const attempts = tasks.flatMap(({ id, timeline }) => toAttempts(timeline).map((attempt) => ({ id, ...attempt })));
  const crashed = attempts.filter(({ outcome }) => outcome === "crashed");
  const told = new Map(runs.runs.map((run) => [`${run.task} ${run.attempt}`, run]));
  const crashedRuns = crashed.map(({ id, number }) => told.get(`${id} ${number}`));
  const dead = Map.groupBy(
    tasks.filter(({ status }) => status === "dead"),
    ({ reason }) => reason ?? "none",
  );
  const starts = lives.flatMap(({ startMs }) => (startMs === undefined ? [] : [startMs])).sort((a, b) => a - b);
  const killed = lives.filter(({ killedAtMs }) => killedAtMs !== undefined);
  return {
    kills: killed.length,
    killsWhileStarting: killed.filter(({ startMs }) => startMs === undefined).length,
    accepted: new Set(accepted.map(({ id }) => id)).size,
    stored: tasks.length,
    succeeded: tasks.filter(({ status }) => status === "succeeded").length,
    dead: Object.fromEntries([...dead].map(([reason, each]) => [reason, each.length])),
    runs: runs.runs.length,
    extraRuns: runs.runs.length - (attempts.length - crashed.length),
    inFlightAtKills: runs.inFlightAtKills.reduce((sum, count) => sum + count, 0),
    endedUncommitted: crashedRuns.filter((run) => run && run.how !== "killed").length,
    claimsWithoutRun: crashedRuns.filter((run) => run === undefined).length,
    startMs: { p50: quantile(starts, 0.5), p99: quantile(starts, 0.99) },
  };
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
