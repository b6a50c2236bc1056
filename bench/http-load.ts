/**
 * The load of a benchmark, as a process of its own: `bun bench/http-load.ts JSON` with `LoadOptions`, prints one line of
 * JSON, `LoadReport`. Closed loop: each caller submits its next task once its last is answered. Open loop: a task every
 * so often, whatever became of those before; each tells in its payload when it was to be submitted, so that nobody's
 * slowness hides by keeping callers from asking (Tene, "How NOT to Measure Latency").
 */

import { type Connection, createConnection } from "./http-connection.ts";
import { quantile } from "./statistics.ts";

export interface LoadOptions {
  url: string;
  /** Numbers of the tasks: `first` to `first` + `tasks` - 1. */
  tasks: number;
  first?: number;
  /** Closed loop: callers at once. Open loop: the most that are asked at once; what is due beyond that waits. */
  connections: number;
  /** Open loop, with this many tasks a second. */
  perSecond?: number;
  /** About this long, as JSON. */
  payloadBytes?: number;
  /** Of each task, as the API takes it; `1h` keeps it from being run. */
  delay?: string;
}

export interface LoadReport {
  accepted: number;
  /** How many were answered with each other status; 0: the connection was lost. */
  refused: Record<string, number>;
  /** Their numbers. */
  refusedNumbers: number[];
  /** From the first submit to the last answer. */
  seconds: number;
  /** From when a task was to be submitted to its answer, milliseconds. */
  answerP50Ms: number;
  answerP99Ms: number;
  /** Milliseconds since the epoch. */
  startedAtMs: number;
}

/** Milliseconds since the epoch with their fraction, on the clock that all processes of the machine share. */
const nowMs = (): number => performance.timeOrigin + performance.now();

async function run(options: LoadOptions): Promise<LoadReport> {
  const { url, tasks, first = 0, connections, perSecond, payloadBytes = 0, delay } = options;
  const target = new URL(url);
  const all = Array.from({ length: connections }, () => createConnection(target));
  const pad = payloadBytes > 64 ? `,"pad":"${"x".repeat(payloadBytes - 64)}"` : "";
  const more = delay === undefined ? "" : `,"delay":"${delay}"`;
  const answersMs = new Float64Array(tasks);
  const refused: Record<string, number> = {};
  const refusedNumbers: number[] = [];

  const submit = async (connection: Connection, n: number, atMs: number): Promise<void> => {
    const status = await connection.post(`{"type":"bench","payload":{"n":${n},"at":${atMs}${pad}}${more}}`);
    answersMs[n - first] = nowMs() - atMs;
    if (status === 202) return;
    refused[status] = (refused[status] ?? 0) + 1;
    refusedNumbers.push(n);
  };

  const startedAtMs = nowMs();
  if (perSecond === undefined) await runClosed(all, first, tasks, submit);
  else await runOpen(all, { first, tasks, perSecond, startedAtMs }, submit);
  const seconds = (nowMs() - startedAtMs) / 1000;
  for (const connection of all) connection.close();
  answersMs.sort();
  return {
    accepted: tasks - refusedNumbers.length,
    refused,
    refusedNumbers,
    seconds,
    answerP50Ms: quantile(answersMs, 0.5),
    answerP99Ms: quantile(answersMs, 0.99),
    startedAtMs,
  };
}

type Submit = (connection: Connection, n: number, atMs: number) => Promise<void>;

async function runClosed(all: readonly Connection[], first: number, tasks: number, submit: Submit): Promise<void> {
  let next = first;
  const call = async (connection: Connection): Promise<void> => {
    while (next < first + tasks) await submit(connection, next++, nowMs());
  };
  await Promise.all(all.map(call));
}

interface Pace {
  first: number;
  tasks: number;
  perSecond: number;
  startedAtMs: number;
}

async function runOpen(
  all: readonly Connection[],
  { first, tasks, perSecond, startedAtMs }: Pace,
  submit: Submit,
): Promise<void> {
  const free = [...all];
  const inProgress = new Set<Promise<void>>();
  for (let n = 0; n < tasks; ) {
    const atMs = startedAtMs + (n * 1000) / perSecond;
    const connection = await sleepUntil(atMs).then(() => free.pop());
    if (connection === undefined) {
      await Promise.race(inProgress);
      continue;
    }
    const submitted = submit(connection, first + n, atMs).then(() => {
      free.push(connection);
      inProgress.delete(submitted);
    });
    inProgress.add(submitted);
    n += 1;
  }
  await Promise.all(inProgress);
}

const sleeping = new Int32Array(new SharedArrayBuffer(4));

/** A timer may be a millisecond late: the last two are slept away from the event loop. Answers are read in any case. */
async function sleepUntil(atMs: number): Promise<void> {
  const early = atMs - nowMs() - 2;
  if (early > 0) await Bun.sleep(early);
  const rest = atMs - nowMs();
  if (rest > 0) Atomics.wait(sleeping, 0, 0, rest);
  await new Promise((resolve) => setImmediate(resolve));
}

// The border: written by submitAll in bench/round.ts.
if (import.meta.main)
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(Bun.argv[2] ?? "") as LoadOptions))}\n`);
