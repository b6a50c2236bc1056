/** More than it can do: what is accepted is run, and the rest is told so. */

import { throughline } from "../contestants.ts";
import { usualConnections } from "../line-up.ts";
import { type Ready, startContestant, startSampling, submitAll, untilRun } from "../round.ts";
import { atLeast, type Part, type Target } from "../section.ts";
import { figure } from "../statistics.ts";
import { capacityOf } from "./pickup.ts";

const factor = 1.5;
const mostConnections = 2048;

/** Counted once the load has been there for a while. */
const settledShare = 0.25;

export const overload: Part = {
  name: "overload",
  run: async ({ plan, say }) => {
    const warmUp = { tasks: plan.warmUpTasks, connections: usualConnections };
    await using ready = await startContestant(throughline, true, warmUp);
    const peak = await capacityOf(ready, plan.tasks, plan.rounds);
    say(`${factor} × ${figure(peak)} tasks/s`);
    const { completed, accepted, refused, peakRssMb, answerP99Ms } = await overrun(ready, peak, plan.overloadSeconds);
    const told = Object.entries(refused).map(([status, count]) => `${count} × ${status}`);
    const others = Object.keys(refused).filter((status) => status !== "429" && status !== "503");
    const surplus: Target = {
      target: "the surplus is told 429 or 503",
      figure: told.join(", ") || "all were accepted",
      isMet: others.length === 0,
    };
    return {
      title: "Overload",
      how: `Open loop at ${factor} × what a closed loop of ${usualConnections} connections reached just before, for ${plan.overloadSeconds} s. Every accepted task is waited for, and must run once.`,
      tables: [
        {
          columns: ["", "measured"],
          rows: [
            ["peak of the closed loop, tasks/s", figure(peak)],
            ["run during the overload, tasks/s", figure(completed)],
            ["accepted, and run", String(accepted)],
            ["refused", told.join(", ") || "none"],
            ["answer p99, ms", figure(answerP99Ms)],
            ["peak MB", figure(peakRssMb)],
          ],
        },
      ],
      targets: [
        atLeast("run ≥ 0.95 of the peak", completed / peak, 0.95, (value) => `${figure(value)} ×`),
        { target: "nothing accepted is lost", figure: `${accepted} of ${accepted}`, isMet: true },
        surplus,
      ],
    };
  },
};

interface Overrun {
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
    completed: completed / ((toMs - fromMs) / 1000),
    accepted: load.accepted,
    refused: load.refused,
    peakRssMb: sampling.samples.reduce((most, { rssMb }) => Math.max(most, rssMb), 0),
    answerP99Ms: load.answerP99Ms,
  };
}
