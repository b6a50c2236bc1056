/** A short torture in each mode; `bun run torture` is the long one. */

import { beforeAll, describe, expect, test } from "bun:test";
import { compiledExecutable } from "../support/executable.ts";
import { describeWith } from "../support/requires.ts";
import type { Mode } from "../torture/systems.ts";
import { runTorture } from "../torture/torture.ts";

const kills = 8;
const limitMs = 240_000;

// A build takes its time: none of the tests' own.
beforeAll(async () => {
  await compiledExecutable();
}, 180_000);

async function survive(mode: Mode): Promise<void> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const { problems, figures, report } = await runTorture({ mode, kills, seed, tasksPerSecond: 30, wipesBroker: true });
  // The report names the seed, and everything that is known of a task with a problem.
  if (problems.length > 0) throw new Error(report);
  expect(figures.kills).toBe(kills);
  expect(figures.accepted).toBeGreaterThan(kills);
}

describe("one process that is killed again and again", () => {
  test("loses no task that it has accepted, and runs none without need", () => survive("all-in-one"), limitMs);
});

describeWith("elasticmq")("a process for each role, killed one at a time, and their broker emptied once", () => {
  test("lose no task that they have accepted, and run none without need", () => survive("four-processes"), limitMs);
});
