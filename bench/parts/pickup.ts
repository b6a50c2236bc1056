/** From when a task was to be submitted until its handler begins: with nothing else to do, and at half load. */

import { throughline } from "../contestants.ts";
import { interleave, startLineUp, usualConnections } from "../line-up.ts";
import { bullMq } from "../peers.ts";
import { type Ready, type Round, runRound } from "../round.ts";
import type { Part } from "../section.ts";
import { median, ratios, summary } from "../statistics.ts";
import { judge } from "../targets.ts";

/** Twenty milliseconds apart: each finds everything asleep. */
const idlePerSecond = 50;

const mostConnections = 256;

const p50 = ({ pickupP50Ms }: Round): number => pickupP50Ms;
const p99 = ({ pickupP99Ms }: Round): number => pickupP99Ms;

export const pickup: Part = {
  name: "pickup",
  run: async (context) => {
    const { plan, say } = context;
    const other = bullMq("everysec");
    await using lineUp = await startLineUp([throughline, other], true, context);
    const toOther = (results: Map<string, Round[]>, pick: (round: Round) => number): number[] =>
      ratios(results.get(throughline.name)?.map(pick), results.get(other.name)?.map(pick));
    const toRows = (load: string, results: Map<string, Round[]>): string[][] =>
      [...results].map(([name, rounds]) => [
        name,
        load,
        ...[p50, p99].flatMap((pick) => [
          summary(rounds.map(pick)),
          name === throughline.name ? summary(toOther(results, pick)) : "",
        ]),
      ]);

    say(`${plan.pickups} tasks, ${idlePerSecond} a second`);
    const idle = await interleave(lineUp.all, plan.rounds, (ready) =>
      runRound(ready, { tasks: plan.pickups, perSecond: idlePerSecond, connections: mostConnections }),
    );
    const capacity = new Map<string, number>();
    for (const ready of lineUp.all) capacity.set(ready.name, median(await ratesOf(ready, plan.tasks, plan.rounds)));
    say("at half load");
    const half = await interleave(lineUp.all, plan.rounds, (ready) => {
      const perSecond = Math.max(1, Math.floor((capacity.get(ready.name) ?? 0) / 2));
      return runRound(ready, { tasks: plan.tasks, perSecond, connections: mostConnections });
    });
    return {
      title: "Submit to handler start",
      how: "Open loop, traced: a task is submitted every so often, whatever became of those before, and its wait counts from when it was to be submitted. Half load is half of what the same contestant did in a closed loop just before.",
      tables: [
        {
          columns: ["contestant", "load", "p50 ms", "to the other's", "p99 ms", "to the other's"],
          rows: [...toRows(`idle, ${idlePerSecond}/s`, idle), ...toRows("half", half)],
        },
      ],
      targets: [judge("pickupP50", toOther(idle, p50)), judge("pickupP99", toOther(idle, p99))],
    };
  },
};

/** Tasks a second in a closed loop, of each round. */
export async function ratesOf(ready: Ready, tasks: number, rounds: number): Promise<number[]> {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    rates.push((await runRound(ready, { tasks, connections: usualConnections })).tasksPerSecond);
  }
  return rates;
}
