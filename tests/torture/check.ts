/**
 * Judges what a torture left behind. Pure: it gets what was accepted, what stands in the store, what the handlers wrote
 * down and who was killed when, and gives a line for everything that cannot be so. What is allowed to be odd must be
 * told by a kill: an attempt without an end, a run without an outcome, a task whose attempts were used up.
 */

import { type Attempt, isEnded, toAttempts, transitions } from "../../src/words/task.ts";
import type { RunsTold, RunTold } from "./journal.ts";
import type { Accepted, KeyUse } from "./load.ts";
import { messages, type ScriptPayload, scriptedOutcome } from "./scripts.ts";
import type { StoredTask } from "./stored.ts";
import type { Life } from "./victim.ts";

export interface Evidence {
  accepted: readonly Accepted[];
  keys: readonly KeyUse[];
  tasks: readonly StoredTask[];
  runs: RunsTold;
  lives: readonly Life[];
}

/** An outcome that is not committed by then has been lost by something else than the kill that follows. */
const commitLimitMs = 5000;

export interface Problem {
  /** Undefined: of no single task. */
  taskId: string | undefined;
  what: string;
}

/** Everything that cannot be so; empty after a torture that was survived. */
export function checkTorture(evidence: Evidence): Problem[] {
  const runsOf = Map.groupBy(evidence.runs.runs, ({ task }) => task);
  const known = new Set(evidence.tasks.map(({ id }) => id));
  const unknownRuns = [...runsOf.keys()].filter((id) => !known.has(id));
  return [
    ...checkAccepted(evidence.accepted, known),
    ...checkKeys(evidence.keys, evidence.tasks),
    ...unknownRuns.map((taskId) => ({ taskId, what: "ran, but is not in the store" })),
    ...checkJournal(evidence.runs),
    ...evidence.tasks.flatMap((task) =>
      checkTask(task, runsOf.get(task.id) ?? [], evidence.lives).map((what) => ({ taskId: task.id, what })),
    ),
  ];
}

function checkAccepted(accepted: readonly Accepted[], known: ReadonlySet<string>): Problem[] {
  const lost = new Set(accepted.map(({ id }) => id).filter((id) => !known.has(id)));
  return [...lost].map((taskId) => ({ taskId, what: "was accepted and is lost" }));
}

/** One key, one task: in all answers, and in the store, whatever was answered. */
function checkKeys(keys: readonly KeyUse[], tasks: readonly StoredTask[]): Problem[] {
  const made = Map.groupBy(tasks, (task) => payloadOf(task).key);
  made.delete(undefined);
  const answered = keys
    .filter(({ ids }) => new Set(ids).size > 1)
    .map(({ key, ids }) => `the key "${key}" was answered with several tasks: ${[...new Set(ids)].join(", ")}`);
  const stored = [...made]
    .filter(([, each]) => each.length > 1)
    .map(([key, each]) => `the key "${key}" made ${each.length} tasks: ${each.map(({ id }) => id).join(", ")}`);
  return [...answered, ...stored].map((what) => ({ taskId: undefined, what }));
}

function checkJournal({ overlaps, strays, runs }: RunsTold): Problem[] {
  return [
    ...overlaps.map(([earlier, later]) => ({
      taskId: later.task,
      what: `attempt ${later.attempt} began in process ${later.pid} while attempt ${earlier.attempt} ran in process ${earlier.pid}`,
    })),
    ...strays.map((line) => ({
      taskId: undefined,
      what: `a line of the journal fits to nothing: ${JSON.stringify(line)}`,
    })),
    ...runs
      .filter(({ how }) => how === "open")
      .map(({ task, attempt }) => ({
        taskId: task,
        what: `the run of attempt ${attempt} never ended, and nobody killed it`,
      })),
  ];
}

function checkTask(task: StoredTask, runs: readonly RunTold[], lives: readonly Life[]): string[] {
  return [...checkTimeline(task), ...checkAttempts(task, runs, lives), ...checkEnd(task)];
}

/** The history is a walk through `transitions`, from the creation to the status that the task has. */
function checkTimeline(task: StoredTask): string[] {
  const { timeline, status } = task;
  const problems: string[] = [];
  const [first] = timeline;
  if (!first || first.from !== null || !(first.to === "queued" || first.to === "scheduled")) {
    problems.push(`the timeline begins with ${first?.from ?? "nothing"} → ${first?.to ?? "nothing"}`);
  }
  timeline.slice(1).forEach((entry, index) => {
    const before = timeline[index];
    if (entry.from !== before?.to) problems.push(`the timeline goes on from ${entry.from} after ${before?.to}`);
    if (entry.from === null || !transitions[entry.from].includes(entry.to)) {
      problems.push(`the timeline has the step ${entry.from} → ${entry.to}`);
    }
  });
  const last = timeline.at(-1);
  if (last?.to !== status) problems.push(`the timeline ends with ${last?.to}, the task is ${status}`);
  const { delayMs = 0 } = payloadOf(task);
  const waitedMs = (timeline.find(({ to }) => to === "running")?.atMs ?? Number.NaN) - (first?.atMs ?? 0);
  if (waitedMs < delayMs) problems.push(`attempt 1 began after ${waitedMs} ms, not before ${delayMs} ms were over`);
  return problems;
}

/** Attempts count from 1; each ended as its script says or was cut short by a kill; and each run belongs to one. */
function checkAttempts(task: StoredTask, runs: readonly RunTold[], lives: readonly Life[]): string[] {
  const problems: string[] = [];
  const attempts = toAttempts(task.timeline);
  attempts.forEach((attempt, index) => {
    if (attempt.number !== index + 1) problems.push(`attempt ${attempt.number} stands at place ${index + 1}`);
    const own = runs.filter((run) => run.attempt === attempt.number);
    if (own.length > 1) problems.push(`attempt ${attempt.number} ran ${own.length} times`);
    problems.push(...checkAttempt(task, attempt, own[0], lives));
  });
  for (const { attempt } of runs) {
    if (attempt > attempts.length) problems.push(`attempt ${attempt} ran without a claim`);
  }
  return problems;
}

function checkAttempt(task: StoredTask, attempt: Attempt, run: RunTold | undefined, lives: readonly Life[]): string[] {
  const { number, outcome } = attempt;
  if (outcome === "crashed") return checkCrashed(attempt, run, lives);
  if (outcome === null && !isEnded(task.status)) return [];
  const expected = scriptedOutcome(task.type, payloadOf(task), number);
  if (outcome !== expected) return [`attempt ${number} ended as ${outcome}, its script says ${expected}`];
  const how = expected === "succeeded" ? "returned" : "threw";
  return run?.how === how ? [] : [`attempt ${number} is told as ${outcome}, its run ${run?.how ?? "is in no journal"}`];
}

/** Only a kill of the worker that had claimed it, and after it had, leaves an attempt without an end. */
function checkCrashed(
  { number, startedAtMs, worker }: Attempt,
  run: RunTold | undefined,
  lives: readonly Life[],
): string[] {
  const life = lifeOf(worker, startedAtMs, lives);
  if (!life) return [`attempt ${number} crashed in ${worker}, which no process was`];
  if (life.killedAtMs === undefined) return [`attempt ${number} crashed, and nobody killed its worker ${worker}`];
  if (life.killedAtMs < startedAtMs) return [`attempt ${number} began after its worker ${worker} was killed`];
  if (run && run.pid !== life.pid) return [`attempt ${number} of process ${life.pid} ran in process ${run.pid}`];
  const uncommittedMs = life.killedAtMs - (run?.endedAtMs ?? life.killedAtMs);
  return uncommittedMs > commitLimitMs
    ? [`attempt ${number} ended ${uncommittedMs} ms before the kill that cut it short`]
    : [];
}

/** A life that was killed before it could tell its worker's id is known by its time. */
function lifeOf(worker: string | null, atMs: number, lives: readonly Life[]): Life | undefined {
  const told = lives.find(({ workers }) => worker !== null && workers.includes(worker));
  return told ?? lives.find((life) => life.workers.length === 0 && isWithin(life, atMs));
}

function isWithin({ spawnedAtMs, killedAtMs }: Life, atMs: number): boolean {
  return spawnedAtMs <= atMs && killedAtMs !== undefined && atMs <= killedAtMs;
}

/** The end is the one that the last attempt makes. */
function checkEnd(task: StoredTask): string[] {
  const last = toAttempts(task.timeline).at(-1);
  if (!isEnded(task.status)) return [`has not ended, it is ${task.status}`];
  const { status, result, error, reason } = task;
  const told = { status, result: result === null ? null : JSON.parse(result), error: error?.message ?? null, reason };
  const expected = expectedEnd(task, last);
  return Bun.deepEquals(told, expected) ? [] : [`ended as ${JSON.stringify(told)}, not as ${JSON.stringify(expected)}`];
}

function expectedEnd(task: StoredTask, last: Attempt | undefined): Record<string, unknown> {
  if (last?.outcome === "succeeded") {
    const result = { n: payloadOf(task).n, attempt: last.number };
    return { status: "succeeded", result, error: null, reason: null };
  }
  const dead = { status: "dead", result: null };
  if (last?.outcome === "failed" && task.type === "torture-refuse") {
    return { ...dead, error: messages[task.type], reason: "fatal" };
  }
  if (last?.number !== task.maxAttempts) return { anything: `but an end after attempt ${last?.number}` };
  if (last.outcome === "failed") return { ...dead, error: messages[task.type], reason: "attempts_exhausted" };
  return { ...dead, error: `attempt ${last.number} never finished`, reason: "never_finished" };
}

function payloadOf(task: StoredTask): ScriptPayload {
  return JSON.parse(task.payload);
}
