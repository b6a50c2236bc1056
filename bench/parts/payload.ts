/** Small and large payloads. */

import { throughline } from "../contestants.ts";
import { usualConnections } from "../line-up.ts";
import { type Round, runRound, startContestant } from "../round.ts";
import type { Part } from "../section.ts";
import { figure, median, summary } from "../statistics.ts";

/** Of a round, together, for each of its tasks: larger payloads come in fewer tasks. */
const meanKib = 10;

export const payload: Part = {
  name: "payload",
  run: async ({ plan, say }) => {
    const warmUp = { tasks: plan.warmUpTasks, connections: usualConnections };
    await using ready = await startContestant(throughline, true, warmUp);
    const results = new Map<number, Round[]>(plan.payloadKib.map((kib) => [kib, []]));
    for (let round = 0; round < plan.rounds; round++) {
      for (const kib of plan.payloadKib) {
        say(`payloads of ${kib} KiB`);
        const tasks = Math.max(1, Math.min(plan.tasks, Math.floor((plan.tasks * meanKib) / kib)));
        const payloadBytes = Math.round(kib * 1024);
        results.get(kib)?.push(await runRound(ready, { tasks, connections: usualConnections, payloadBytes }));
      }
    }
    const rows = [...results].map(([kib, rounds]) => [
      String(kib),
      summary(rounds.map(({ tasksPerSecond }) => tasksPerSecond)),
      figure((median(rounds.map(({ tasksPerSecond }) => tasksPerSecond)) * kib) / 1024),
      summary(rounds.map(({ cpuMicros }) => cpuMicros)),
    ]);
    return {
      title: "Payloads",
      how: `Traced, ${usualConnections} connections. The largest body that the API takes has 256 KiB, its type and braces included.`,
      tables: [{ columns: ["KiB", "tasks/s", "MiB/s", "CPU µs a task"], rows }],
      targets: [],
    };
  },
};
