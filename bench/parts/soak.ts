/** For long: whether memory grows, and whether tasks wait longer at the end than in the beginning. */

import { throughline } from "../contestants.ts";
import { usualConnections } from "../line-up.ts";
import { runRound, type Sample, startContestant } from "../round.ts";
import type { Part } from "../section.ts";
import { figure, median, quantile, slope, summary } from "../statistics.ts";
import { judge } from "../targets.ts";
import { ratesOf } from "./pickup.ts";

/** The first quarter is warm-up. */
const warmShare = 0.25;
/** Of what comes after it: the slope of each tells whether the growth ends. */
const stretches = 3;
const mostConnections = 256;
const secondsOfHour = 3600;

export const soak: Part = {
  name: "soak",
  run: async ({ plan, say }) => {
    const warmUp = { tasks: plan.warmUpTasks, connections: usualConnections };
    await using ready = await startContestant(throughline, true, warmUp);
    const perSecond = Math.max(1, Math.floor(median(await ratesOf(ready, plan.tasks, plan.rounds)) / 2));
    say(`${plan.soakSeconds} s with ${perSecond} tasks/s`);
    const tasks = perSecond * plan.soakSeconds;
    const { samples, waitsMs, peakRssMb } = await runRound(ready, { tasks, perSecond, connections: mostConnections });
    const warm = samples.filter(({ seconds }) => seconds > plan.soakSeconds * warmShare);
    const meanMb = warm.reduce((sum, { rssMb }) => sum + rssMb, 0) / warm.length;
    const perHour = slopeOf(warm) * secondsOfHour;
    const each = Array.from({ length: stretches }, (_, n) => {
      const at = (stretch: number): number => Math.floor((warm.length * stretch) / stretches);
      return slopeOf(warm.slice(at(n), at(n + 1))) * secondsOfHour;
    });
    const p99 = (from: number, to: number): number =>
      quantile(waitsMs.slice(Math.floor(tasks * from), Math.floor(tasks * to)).sort(), 0.99);
    return {
      title: "Soak",
      how: `Traced, open loop at half of what a closed loop reached, for ${plan.soakSeconds} s; the first quarter is warm-up. A slope an hour says more the longer the soak is: \`--soak 3600\`.`,
      tables: [
        {
          columns: ["", "measured"],
          rows: [
            ["tasks/s", String(perSecond)],
            ["peak MB", figure(peakRssMb)],
            ["mean MB after the warm-up", figure(meanMb)],
            ["growth after the warm-up, MB an hour", figure(perHour)],
            [`the same, of each third of it: median, least and most`, summary(each)],
            ["submit to handler start, p99 ms, second quarter", figure(p99(warmShare, 2 * warmShare))],
            ["the same, last quarter", figure(p99(1 - warmShare, 1))],
          ],
        },
      ],
      targets: [judge("growth", [(perHour / meanMb) * 100], `over ${plan.soakSeconds} s`)],
    };
  },
};

/** MB a second. */
function slopeOf(samples: readonly Sample[]): number {
  return slope(samples.map(({ seconds, rssMb }) => ({ x: seconds, y: rssMb })));
}
