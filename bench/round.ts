/** One round: tasks go in over HTTP, and the time counts until a handler has begun the last of them. */

import { join } from "node:path";
import { type Contestant, type Running, startOtlpSink } from "./contestants.ts";
import { type DoneCounter, type DoneTasks, startDoneCounter } from "./done-counter.ts";
import type { LoadOptions, LoadReport } from "./http-load.ts";
import { costOf } from "./process-cost.ts";
import { quantile } from "./statistics.ts";

export interface RoundOptions extends Omit<LoadOptions, "url" | "first" | "delay"> {
  /** So long nothing may happen before what is missing counts as lost. */
  stillMs?: number;
}

export interface Round {
  tasksPerSecond: number;
  /** Of all its processes, microseconds a task. */
  cpuMicros: number;
  /** The most that all its processes had together, looked at ten times a second. */
  peakRssMb: number;
  answerP50Ms: number;
  answerP99Ms: number;
  /** From when a task was to be submitted until its handler began. */
  pickupP50Ms: number;
  pickupP99Ms: number;
  samples: readonly Sample[];
  /** By number of the task. */
  waitsMs: Float64Array;
}

/** What its processes have, at a moment of a round. */
export interface Sample {
  seconds: number;
  rssMb: number;
}

/** A contestant that was started, and has warmed up. */
export interface Ready extends AsyncDisposable {
  name: string;
  running: Running;
  done: DoneCounter;
}

const sampleMs = 100;

/** Longer than any of them pauses, a lease that runs out included. */
const usualStillMs = 60_000;

export async function startContestant(contestant: Contestant, isTraced: boolean, warmUp: RoundOptions): Promise<Ready> {
  await using stack = new AsyncDisposableStack();
  const done = stack.use(startDoneCounter());
  const otlpUrl = isTraced ? stack.use(await startOtlpSink()).url : undefined;
  const running = stack.use(await contestant.start({ doneUrl: done.url, otlpUrl }));
  const ready: Ready = { name: contestant.name, running, done, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  if (warmUp.tasks > 0) await runRound(ready, warmUp);
  const owned = stack.move();
  return ready;
}

/** Rejects unless every task was accepted, and run once. */
export async function runRound(
  { name, running, done }: Ready,
  { stillMs = usualStillMs, ...options }: RoundOptions,
): Promise<Round> {
  const tasks = done.begin(options.tasks);
  const before = costOf(running.pids);
  using sampling = startSampling(running.pids);
  const load = await submitAll({ ...options, url: running.url });
  if (load.accepted !== options.tasks) {
    throw new Error(`${name}: of ${options.tasks} tasks some were not accepted: ${JSON.stringify(load.refused)}`);
  }
  await untilRun(name, tasks, options.tasks, stillMs);
  const lastAtMs = tasks.startedAtMs.reduce((last, at) => Math.max(last, at), 0);
  const waitsMs = tasks.waitsMs.slice().sort();
  return {
    tasksPerSecond: options.tasks / ((lastAtMs - load.startedAtMs) / 1000),
    cpuMicros: ((costOf(running.pids).cpuSeconds - before.cpuSeconds) / options.tasks) * 1e6,
    peakRssMb: sampling.samples.reduce((most, { rssMb }) => Math.max(most, rssMb), 0),
    answerP50Ms: load.answerP50Ms,
    answerP99Ms: load.answerP99Ms,
    pickupP50Ms: quantile(waitsMs, 0.5),
    pickupP99Ms: quantile(waitsMs, 0.99),
    samples: sampling.samples,
    waitsMs: tasks.waitsMs,
  };
}

export interface Sampling extends Disposable {
  samples: Sample[];
}

/** Looks at once, and then ten times a second. */
export function startSampling(pids: readonly number[]): Sampling {
  const samples: Sample[] = [];
  const startMs = performance.now();
  const look = (): void => {
    samples.push({ seconds: (performance.now() - startMs) / 1000, rssMb: costOf(pids).rssBytes / 1e6 });
  };
  look();
  const timer = setInterval(look, sampleMs);
  return { samples, [Symbol.dispose]: () => clearInterval(timer) };
}

/** Resolves when `wanted` different tasks were run; rejects when nothing happens any more, or one was run twice. */
export async function untilRun(
  name: string,
  tasks: DoneTasks,
  wanted: number,
  stillMs: number = usualStillMs,
): Promise<void> {
  let seen = tasks.count;
  let stillSinceMs = performance.now();
  while (tasks.count < wanted) {
    await Bun.sleep(10);
    const now = performance.now();
    if (tasks.count > seen) stillSinceMs = now;
    seen = tasks.count;
    if (now - stillSinceMs > stillMs) throw new Error(`${name}: of ${wanted} tasks ${wanted - seen} were not run`);
  }
  if (tasks.extra > 0) throw new Error(`${name}: ${tasks.extra} of ${wanted} tasks were run again`);
}

/** The load runs in a process of its own. */
export async function submitAll(options: LoadOptions): Promise<LoadReport> {
  const command = [process.execPath, join(import.meta.dir, "http-load.ts"), JSON.stringify(options)];
  const load = Bun.spawn(command, { stdout: "pipe" });
  const text = await new Response(load.stdout).text();
  if ((await load.exited) !== 0) throw new Error(`the load on ${options.url} has failed`);
  // The border: written by bench/http-load.ts.
  return JSON.parse(text) as LoadReport;
}
