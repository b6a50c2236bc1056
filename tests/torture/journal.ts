/**
 * The file in which handlers write down their runs and the killer its kills. All append, so the order of the lines is
 * the order of what happened: a run that is open when its process is noted as killed was in flight at that kill.
 */

import { appendFileSync, existsSync, readFileSync } from "node:fs";

interface RunLine {
  kind: "start" | "end";
  run: string;
  task: string;
  attempt: number;
  pid: number;
  atMs: number;
  /** On `end`. */
  how?: "returned" | "threw" | "aborted";
}

/** Written once the killed process is gone. */
export interface KillLine {
  kind: "killed";
  pid: number;
  victim: string;
  atMs: number;
}

export type JournalLine = RunLine | KillLine;

export function noteKill(path: string, kill: Omit<KillLine, "kind">): void {
  appendFileSync(path, `${JSON.stringify({ kind: "killed", ...kill } satisfies KillLine)}\n`);
}

/** Every line so far. Throws on one that is not whole: appended in one call, none can be. */
export function readJournal(path: string): JournalLine[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line): JournalLine => JSON.parse(line));
}

/** A run as its lines tell it. */
export interface RunTold {
  run: string;
  task: string;
  attempt: number;
  pid: number;
  startedAtMs: number;
  /** When it told its end; null when it told none. */
  endedAtMs: number | null;
  /** `killed`: in flight when its process was killed; `open`: nothing was said of its end. */
  how: "returned" | "threw" | "aborted" | "killed" | "open";
}

export interface RunsTold {
  runs: RunTold[];
  /** Runs that began while another of the same task was in flight in a process that lived. */
  overlaps: [earlier: RunTold, later: RunTold][];
  /** For each kill, how many runs were in flight. */
  inFlightAtKills: number[];
  /** Lines that fit to nothing. */
  strays: JournalLine[];
}

/** Reads the lines in their order. Pure. */
export function toRuns(lines: readonly JournalLine[]): RunsTold {
  const told: RunsTold = { runs: [], overlaps: [], inFlightAtKills: [], strays: [] };
  const open = new Map<string, RunTold>();
  for (const line of lines) {
    switch (line.kind) {
      case "start": {
        const { run, task, attempt, pid, atMs } = line;
        const begun: RunTold = { run, task, attempt, pid, startedAtMs: atMs, endedAtMs: null, how: "open" };
        for (const other of open.values()) if (other.task === task) told.overlaps.push([other, begun]);
        open.set(run, begun);
        told.runs.push(begun);
        break;
      }
      case "end": {
        const begun = open.get(line.run);
        if (!begun || !line.how) told.strays.push(line);
        else Object.assign(begun, { how: line.how, endedAtMs: line.atMs });
        open.delete(line.run);
        break;
      }
      case "killed":
        told.inFlightAtKills.push(cutShort(open, line.pid));
    }
  }
  return told;
}

/** Closes the runs of a killed process; gives their number. */
function cutShort(open: Map<string, RunTold>, pid: number): number {
  const cut = [...open.values()].filter((run) => run.pid === pid);
  for (const run of cut) {
    run.how = "killed";
    open.delete(run.run);
  }
  return cut.length;
}
