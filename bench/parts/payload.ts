/** Small and large payloads. */

import { throughline } from "../contestants.ts";
import { startLineUp, usualConnections } from "../line-up.ts";
import { bullMq } from "../peers.ts";
import { type Ready, type Round, runRound } from "../round.ts";
import type { Part } from "../section.ts";
import { figure, median, ratios, summary } from "../statistics.ts";
import { judge } from "../targets.ts";

/** Of a round, together, for each of its tasks: larger payloads come in fewer tasks. */
const meanKib = 10;

/** That of the target. */
const largestKib = 255;

export const payload: Part = {
  name: "payload",
  run: async (context) => {
    const { plan, say } = context;
    const other = bullMq("everysec");
    await using lineUp = await startLineUp([throughline, other], true, context);
    const results = new Map(
      plan.payloadKib.map((kib) => [kib, new Map(lineUp.all.map(({ name }): [string, Round[]] => [name, []]))]),
    );
    for (let round = 0; round < plan.rounds; round++) {
      for (const [kib, of] of results) {
        say(`payloads of ${kib} KiB`);
        for (const ready of lineUp.all) of.get(ready.name)?.push(await runWith(ready, plan.tasks, kib));
      }
    }
    const cpu = (kib: number, name: string): number[] =>
      results
        .get(kib)
        ?.get(name)
        ?.map(({ cpuMicros }) => cpuMicros / 1000) ?? [];
    const rows = [...results].flatMap(([kib, of]) =>
      [...of].map(([name, rounds]) => {
        const rates = rounds.map(({ tasksPerSecond }) => tasksPerSecond);
        const toOther = ratios(cpu(kib, throughline.name), cpu(kib, other.name));
        return [
          name,
          String(kib),
          summary(rates),
          figure((median(rates) * kib) / 1024),
          summary(cpu(kib, name)),
          name === throughline.name ? summary(toOther) : "",
        ];
      }),
    );
    return {
      title: "Payloads",
      how: `Traced, ${usualConnections} connections. The largest body that the API takes has 256 KiB, its type and braces included.`,
      tables: [{ columns: ["contestant", "KiB", "tasks/s", "MiB/s", "CPU ms a task", "to the other's"], rows }],
      targets: [judge("largePayload", cpu(largestKib, throughline.name))],
    };
  },
};

function runWith(ready: Ready, most: number, kib: number): Promise<Round> {
  const tasks = Math.max(1, Math.min(most, Math.floor((most * meanKib) / kib)));
  return runRound(ready, { tasks, connections: usualConnections, payloadBytes: Math.round(kib * 1024) });
}
