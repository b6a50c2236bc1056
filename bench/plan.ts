/** How much is measured: everything, or what fits into two minutes. */

export interface Plan {
  /** How often each contestant has its turn. */
  rounds: number;
  /** Before anything counts. */
  warmUpTasks: number;
  /** Of a round of the whole path. */
  wholeTasks: number;
  /** Of a round of the other parts. */
  tasks: number;
  /** Of the one long round of the whole path; 0: none. */
  manyTasks: number;
  connections: readonly number[];
  /** Of the whole path. */
  traced: readonly boolean[];
  accepts: number;
  /** One after the other, when nothing else happens. */
  pickups: number;
  backlogs: readonly number[];
  threads: readonly number[];
  payloadKib: readonly number[];
  starts: number;
  overloadSeconds: number;
  soakSeconds: number;
  /** Of a round with the console and without: rounds together are a minute of full load. */
  consoleTasks: number;
  /** Of the file that is searched. */
  consoleSpans: number;
}

export const fullPlan: Plan = {
  rounds: 3,
  warmUpTasks: 12_000,
  wholeTasks: 10_000,
  tasks: 5000,
  manyTasks: 100_000,
  connections: [1, 8, 32, 128],
  traced: [true, false],
  accepts: 5000,
  pickups: 500,
  backlogs: [0, 10_000, 250_000],
  threads: [1, 2, 4, 8, 16],
  payloadKib: [0.1, 4, 64, 255],
  starts: 5,
  overloadSeconds: 20,
  soakSeconds: 600,
  consoleTasks: 20_000,
  consoleSpans: 10_000_000,
};

/** Under two minutes. What it measures says little: nothing is warm. */
export const quickPlan: Plan = {
  rounds: 1,
  warmUpTasks: 100,
  wholeTasks: 200,
  tasks: 150,
  manyTasks: 0,
  connections: [32],
  traced: [true, false],
  accepts: 150,
  pickups: 25,
  backlogs: [0, 1000],
  threads: [2],
  payloadKib: [0.1, 255],
  starts: 1,
  overloadSeconds: 2,
  soakSeconds: 2,
  consoleTasks: 150,
  consoleSpans: 3000,
};
