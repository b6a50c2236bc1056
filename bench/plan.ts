/** How much is measured: everything, what fits into three minutes, or just enough to see that it works. */

export interface Plan {
  /** How often each contestant has its turn. */
  rounds: number;
  /** Before anything counts. */
  warmUpTasks: number;
  /** Of a round. */
  tasks: number;
  /** Of the longer rounds of the whole path; 0: none. */
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
}

export const fullPlan: Plan = {
  rounds: 5,
  warmUpTasks: 20_000,
  tasks: 10_000,
  manyTasks: 100_000,
  connections: [1, 32, 128],
  traced: [true, false],
  accepts: 20_000,
  pickups: 2000,
  backlogs: [0, 10_000, 250_000],
  threads: [1, 2, 4, 8, 16],
  payloadKib: [0.1, 1, 16, 64, 255],
  starts: 10,
  overloadSeconds: 20,
  soakSeconds: 120,
};

/** Under three minutes. What it measures says little: hardly anything is warm. */
export const quickPlan: Plan = {
  rounds: 2,
  warmUpTasks: 500,
  tasks: 600,
  manyTasks: 0,
  connections: [32],
  traced: [true, false],
  accepts: 600,
  pickups: 100,
  backlogs: [0, 2000],
  threads: [1, 4],
  payloadKib: [0.1, 16, 255],
  starts: 2,
  overloadSeconds: 3,
  soakSeconds: 5,
};

/** For the test of the checks themselves. */
export const smallestPlan: Plan = {
  ...quickPlan,
  rounds: 1,
  warmUpTasks: 0,
  tasks: 150,
  traced: [true],
  accepts: 150,
  pickups: 10,
  backlogs: [0, 300],
  threads: [1, 2],
  payloadKib: [0.1, 255],
  starts: 1,
  overloadSeconds: 1,
  soakSeconds: 1,
};
