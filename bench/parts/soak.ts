/** For long: whether memory grows, and whether tasks wait longer at the end than in the beginning. */

import { throughline } from "../contestants.ts";
import { usualConnections } from "../line-up.ts";
import { runRound, startContestant } from "../round.ts";
import { atMost, type Part } from "../section.ts";
import { figure, quantile, slope } from "../statistics.ts";
import { capacityOf } from "./pickup.ts";

/** The first quarter is warm-up. */
const warmShare = 0.25;
const mostConnections = 256;
const secondsOfHour = 3600;

export const soak: Part = {
  name: "soak",
  run: async ({ plan, say }) => {
    const warmUp = { tasks: plan.warmUpTasks, connections: usualConnections };
    await using ready = await startContestant(throughline, true, warmUp);
    const perSecond = Math.max(1, Math.floor((await capacityOf(ready, plan.tasks, plan.rounds)) / 2));
    say(`${plan.soakSeconds} s with ${perSecond} tasks/s`);
    const tasks = perSecond * plan.soakSeconds;
    const { samples, waitsMs, peakRssMb } = await runRound(ready, { tasks, perSecond, connections: mostConnections });
    const warm = samples.filter(({ seconds }) => seconds > plan.soakSeconds * warmShare);
    const meanMb = warm.reduce((sum, { rssMb }) => sum + rssMb, 0) / warm.length;
    const growth = (slope(warm.map(({ seconds, rssMb }) => ({ x: seconds, y: rssMb }))) * secondsOfHour) / meanMb;
    const p99 = (from: number, to: number): number =>
      quantile(waitsMs.slice(Math.floor(tasks * from), Math.floor(tasks * to)).sort(), 0.99);
    return {
      title: "Soak",
      how: `Traced, open loop at half of what a closed loop reached, for ${plan.soakSeconds} s; the first quarter is warm-up. A slope an hour says something only when the soak is long: \`--soak 3600\`.`,
      tables: [
        {
          columns: ["", "measured"],
          rows: [
            ["tasks/s", String(perSecond)],
            ["peak MB", figure(peakRssMb)],
            ["memory an hour, %", figure(growth * 100)],
            ["submit to handler start, p99 ms, second quarter", figure(p99(warmShare, 2 * warmShare))],
            ["the same, last quarter", figure(p99(1 - warmShare, 1))],
          ],
        },
      ],
      targets: [atMost("memory grows ≤ 1 % an hour", growth, 0.01, (value) => `${figure(value * 100)} %`)],
    };
  },
};
