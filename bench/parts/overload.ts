/** More than it can do: what is accepted is run, and the rest is told so. */

import { throughline } from "../contestants.ts";
import { usualConnections } from "../line-up.ts";
import { type Ready, startContestant, startSampling, submitAll, untilRun } from "../round.ts";
import type { Part } from "../section.ts";
import { figure, summary } from "../statistics.ts";
import { judge } from "../targets.ts";
import { ratesOf } from "./pickup.ts";

const factor = 1.5;
const mostConnections = 2048;

/** Counted once the load has been there for a while. */
const settledShare = 0.25;

export const overload: Part = {
  name: "overload",
  run: async ({ plan, say }) => {
    const warmUp = { tasks: plan.warmUpTasks, connections: usualConnections };
    await using ready = await startContestant(throughline, true, warmUp);
    const rounds: Overrun[] = [];
    while (rounds.length < plan.rounds) {
      const [peak = 0] = await ratesOf(ready, plan.tasks, 1);
      say(`${factor} × ${figure(peak)} tasks/s`);
      rounds.push(await overrun(ready, peak, plan.overloadSeconds));
    }
    const of = (pick: (round: Overrun) => number): string => summary(rounds.map(pick));
    const accepted = rounds.reduce((sum, round) => sum + round.accepted, 0);
    const refused = countRefused(rounds);
    return {
      title: "Overload",
      how: `Each round is an open loop at ${factor} × what a closed loop of ${usualConnections} connections reached just before, for ${plan.overloadSeconds} s. Every accepted task is waited for, and must run once.`,
      tables: [
        {
          columns: ["", "measured"],
          rows: [
            ["peak of the closed loop, tasks/s", of(({ peak }) => peak)],
            ["run during the overload, tasks/s", of(({ completed }) => completed)],
            ["the same, to the peak", of(({ completed, peak }) => completed / peak)],
            ["accepted, and run", String(accepted)],
            ["refused", refused.told],
            ["answer p99, ms", of(({ answerP99Ms }) => answerP99Ms)],
            ["peak MB", of(({ peakRssMb }) => peakRssMb)],
          ],
        },
      ],
      targets: [
        judge(
          "overload",
          rounds.map(({ completed, peak }) => completed / peak),
        ),
        { target: "accepted tasks that were run", wanted: "all", measured: `${accepted} of ${accepted}`, isMet: true },
        { target: "what the surplus is told", wanted: "429 or 503", measured: refused.told, isMet: refused.isMeant },
      ],
    };
  },
};

function countRefused(rounds: readonly Overrun[]): { told: string; isMeant: boolean } {
  const counts = new Map<string, number>();
  for (const { refused } of rounds) {
    for (const [status, count] of Object.entries(refused)) counts.set(status, (counts.get(status) ?? 0) + count);
  }
  const told = [...counts].map(([status, count]) => `${count} × ${status}`).join(", ");
  return { told: told || "none", isMeant: [...counts.keys()].every((status) => status === "429" || status === "503") };
}

interface Overrun {
  /** Of the closed loop just before, tasks a second. */
  peak: number;
  /** Tasks a second, while there were too many. */
  completed: number;
  accepted: number;
  refused: Record<string, number>;
  peakRssMb: number;
  answerP99Ms: number;
}

async function overrun({ name, running, done }: Ready, peak: number, seconds: number): Promise<Overrun> {
  const perSecond = Math.ceil(peak * factor);
  const tasks = perSecond * seconds;
  const ran = done.begin(tasks);
  using sampling = startSampling(running.pids);
  const load = await submitAll({ url: running.url, tasks, perSecond, connections: mostConnections });
  const refused = new Set(load.refusedNumbers);
  await untilRun(name, ran, load.accepted);
  // What was refused may have been run instead of what was accepted.
  const lost = ran.runs.reduce((sum, runs, n) => sum + Number(runs === 0 && !refused.has(n)), 0);
  if (lost > 0) throw new Error(`${name}: ${lost} accepted tasks were not run`);
  const fromMs = load.startedAtMs + load.seconds * 1000 * settledShare;
  const toMs = load.startedAtMs + load.seconds * 1000;
  const completed = ran.startedAtMs.reduce((sum, at) => sum + Number(at >= fromMs && at < toMs), 0);
  return {
    peak,
    completed: completed / ((toMs - fromMs) / 1000),
    accepted: load.accepted,
    refused: load.refused,
    peakRssMb: sampling.samples.reduce((most, { rssMb }) => Math.max(most, rssMb), 0),
    answerP99Ms: load.answerP99Ms,
  };
}
