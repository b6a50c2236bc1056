/** Counts which tasks were run, as the handlers of a benchmark tell: each must be run, and none twice. */

export interface DoneCounter extends AsyncDisposable {
  /** Where bench/done.mjs tells. */
  url: string;
  /** Where the handler `hold` waits for `openGate`. */
  gateUrl: string;
  /** How many wait there. */
  held(): number;
  openGate(): void;
  /** Begins again; tasks 0 to `tasks` - 1 may come. What was told before is forgotten. */
  begin(tasks: number): DoneTasks;
}

export interface DoneTasks {
  /** How many different tasks were run. */
  count: number;
  /** Runs beyond one for each task. */
  extra: number;
  /** By number: how often it was run. */
  runs: Uint8Array;
  /** By number: when its handler began, milliseconds since the epoch; 0: not yet. */
  startedAtMs: Float64Array;
  /** By number: from when it was to be submitted until its handler began. */
  waitsMs: Float64Array;
}

export function startDoneCounter(): DoneCounter {
  let tasks = noTasks(0);
  let gate = Promise.withResolvers<Response>();
  let held = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request) => {
      if (request.method === "GET") {
        held += 1;
        return (await gate.promise).clone();
      }
      // The border: written by bench/done.mjs.
      count(tasks, (await request.json()) as number[]);
      return new Response();
    },
  });
  return {
    url: `${server.url}`,
    gateUrl: `${server.url}gate`,
    held: () => held,
    openGate: () => {
      gate.resolve(new Response());
      gate = Promise.withResolvers();
      held = 0;
    },
    begin: (size) => {
      tasks = noTasks(size);
      return tasks;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function noTasks(size: number): DoneTasks {
  return {
    count: 0,
    extra: 0,
    runs: new Uint8Array(size),
    startedAtMs: new Float64Array(size),
    waitsMs: new Float64Array(size),
  };
}

/** `told`: number, start and wait of one task after the other. */
function count(tasks: DoneTasks, told: readonly number[]): void {
  for (let at = 0; at < told.length; at += 3) {
    const [n = 0, startedAtMs = 0, waitMs = 0] = told.slice(at, at + 3);
    if (tasks.runs[n] === 0) {
      tasks.count += 1;
      tasks.startedAtMs[n] = startedAtMs;
      tasks.waitsMs[n] = waitMs;
    } else tasks.extra += 1;
    tasks.runs[n] = (tasks.runs[n] ?? 0) + 1;
  }
}
