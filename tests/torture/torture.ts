/**
 * One torture: a load, kills beside it, a wait until every task in the store has ended, and the judgement. The folder
 * with the data, the journal and the logs is removed only when there was no problem and nobody asked for it.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { checkTorture, type Evidence, type Problem } from "./check.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { readJournal, toRuns } from "./journal.ts";
import { killOften } from "./killer.ts";
import { type Load, startLoad } from "./load.ts";
import { createRandom } from "./random.ts";
import { type Told, toProblemReport, toReport } from "./report.ts";
import { readStoredTasks, readUnended } from "./stored.ts";
import { type Mode, startTortured, type TorturedSystem } from "./systems.ts";

export interface TortureOptions {
  mode: Mode;
  kills: number;
  seed: number;
  tasksPerSecond: number;
  /** Whether a broker of its own process is emptied once or twice. */
  wipesBroker: boolean;
  /** Whether the folder stays though nothing was wrong. */
  keepsFolder?: boolean;
  /** Told now and then how far it is. */
  onProgress?: (line: string) => void;
}

export interface TortureResult {
  problems: Problem[];
  figures: Figures;
  /** What to show of it: with problems, all about the tasks that have one. */
  report: string;
}

const connections = 6;
/** Nothing has ended for so long: what has not by then never will. Longer than the sweeper's longest wait. */
const standstillMs = 90_000;

export async function runTorture(options: TortureOptions): Promise<TortureResult> {
  const folder = await mkdtemp(join(tmpdir(), "throughline-torture-"));
  const { told, evidence, problems } = await torture(options, folder);
  const isKept = problems.length > 0 || options.keepsFolder === true;
  if (!isKept) await rm(folder, { recursive: true, force: true });
  const kept = isKept ? `everything is kept in ${folder}\n` : "";
  return { problems, figures: told, report: toReport(told, problems) + toProblemReport(problems, evidence) + kept };
}

interface Judged {
  told: Told;
  evidence: Evidence;
  problems: Problem[];
}

async function torture(options: TortureOptions, folder: string): Promise<Judged> {
  const { mode, kills, seed, onProgress = () => {} } = options;
  await using system = await startTortured(mode, folder);
  const startMs = performance.now();
  const load = startLoad({ seed, connections, tasksPerSecond: options.tasksPerSecond, gatewayUrl: system.gatewayUrl });
  await killOften(system, { kills, wipesBefore: wipesOf(options) }, createRandom(seed), (kill) => {
    load.replayKeys();
    if (kill % 10 === 0) onProgress(`${kill} kills, ${load.accepted.length} accepted\n`);
  });
  await load.finish();
  const loadedMs = performance.now();
  await untilEnded(system.dataDir, onProgress);
  const settleMs = performance.now() - loadedMs;
  const exitCodes = await stopAll(system);
  const evidence = collect(system, load);
  const told = {
    ...figuresOf(evidence),
    ...load.figures,
    title: `${mode}, seed ${seed}`,
    loadMs: loadedMs - startMs,
    settleMs,
    complaints: complaintsOf(system),
  };
  return { told, evidence, problems: [...checkTorture(evidence), ...checkExits(exitCodes)] };
}

/** One in a short torture, two in a long one. */
function wipesOf({ kills, wipesBroker }: TortureOptions): number[] {
  if (!wipesBroker) return [];
  return kills < 10 ? [Math.ceil(kills / 3)] : [Math.ceil(kills / 3), Math.ceil((2 * kills) / 3)];
}

/** Resolves when every task has ended, or none does any more. */
async function untilEnded(dataDir: string, onProgress: (line: string) => void): Promise<void> {
  let fewest = Number.POSITIVE_INFINITY;
  for (let atMs = performance.now(); performance.now() - atMs < standstillMs; ) {
    const left = readUnended(dataDir).length;
    if (left === 0) return;
    if (left < fewest) {
      atMs = performance.now();
      onProgress(`${left} tasks have not ended\n`);
    }
    fewest = Math.min(fewest, left);
    await pause(500);
  }
}

async function stopAll({ victims }: TorturedSystem): Promise<Record<string, number>> {
  const exitCodes: Record<string, number> = {};
  // From the edge inwards, so that nobody asks one that is gone.
  for (const victim of victims.toReversed()) exitCodes[victim.name] = await victim.stop();
  return exitCodes;
}

function checkExits(exitCodes: Record<string, number>): Problem[] {
  return Object.entries(exitCodes)
    .filter(([, exitCode]) => exitCode !== 0)
    .map(([name, exitCode]) => ({ taskId: undefined, what: `${name} ended with exit code ${exitCode}` }));
}

function collect({ dataDir, journal, victims }: TorturedSystem, load: Load): Evidence {
  return {
    accepted: load.accepted,
    keys: load.keys(),
    tasks: readStoredTasks(dataDir),
    runs: toRuns(readJournal(journal)),
    lives: victims.flatMap(({ lives }) => lives),
  };
}

function complaintsOf({ victims }: TorturedSystem): Told["complaints"] {
  const all = new Map<string, number>();
  for (const [sentence, count] of victims.flatMap(({ complaints }) => [...complaints])) {
    all.set(sentence, (all.get(sentence) ?? 0) + count);
  }
  return [...all].sort(([, a], [, b]) => b - a);
}
