/** From when a task was to be submitted until its handler begins: with nothing else to do, and at half load. */

import { throughline } from "../contestants.ts";
import { interleave } from "../interleave.ts";
import { startLineUp, usualConnections } from "../line-up.ts";
import { bullMq } from "../peers.ts";
import { type Ready, type Round, runRound } from "../round.ts";
import { atMost, type Part } from "../section.ts";
import { figure, median, summary } from "../statistics.ts";

/** Twenty milliseconds apart: each finds everything asleep. */
const idlePerSecond = 50;

const mostConnections = 256;

export const pickup: Part = {
  name: "pickup",
  run: async (context) => {
    const { plan, say } = context;
    await using lineUp = await startLineUp([throughline, bullMq("everysec")], true, context);
    const toRows = (load: string, results: Map<string, Round[]>): string[][] =>
      [...results].map(([name, rounds]) => [
        name,
        load,
        summary(rounds.map(({ pickupP50Ms }) => pickupP50Ms)),
        summary(rounds.map(({ pickupP99Ms }) => pickupP99Ms)),
      ]);

    say(`${plan.pickups} tasks, ${idlePerSecond} a second`);
    const idle = await interleave(lineUp.all, plan.rounds, (ready) =>
      runRound(ready, { tasks: plan.pickups, perSecond: idlePerSecond, connections: mostConnections }),
    );
    const capacity = new Map<string, number>();
    for (const ready of lineUp.all) capacity.set(ready.name, await capacityOf(ready, plan.tasks, plan.rounds));
    say("at half load");
    const half = await interleave(lineUp.all, plan.rounds, (ready) => {
      const perSecond = Math.max(1, Math.floor((capacity.get(ready.name) ?? 0) / 2));
      return runRound(ready, { tasks: plan.tasks, perSecond, connections: mostConnections });
    });
    const ours = (pick: (round: Round) => number): number => median((idle.get(throughline.name) ?? []).map(pick));
    const show = (value: number): string => `${figure(value)} ms`;
    return {
      title: "Submit to handler start",
      how: "Open loop, traced: a task is submitted every so often, whatever became of those before, and its wait counts from when it was to be submitted. Half load is half of what the same contestant did in a closed loop just before.",
      tables: [
        {
          columns: ["contestant", "load", "p50 ms", "p99 ms"],
          rows: [...toRows(`idle, ${idlePerSecond}/s`, idle), ...toRows("half", half)],
        },
      ],
      targets: [
        atMost(
          "idle p50 ≤ 1.6 ms",
          ours(({ pickupP50Ms }) => pickupP50Ms),
          1.6,
          show,
        ),
        atMost(
          "idle p99 ≤ 4.4 ms",
          ours(({ pickupP99Ms }) => pickupP99Ms),
          4.4,
          show,
        ),
      ],
    };
  },
};

/** Tasks a second in a closed loop. */
export async function capacityOf(ready: Ready, tasks: number, rounds: number): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    rates.push((await runRound(ready, { tasks, connections: usualConnections })).tasksPerSecond);
  }
  return median(rates);
}
