/** More and fewer handler threads. */

import { throughlineWith } from "../contestants.ts";
import { interleave, startLineUp, usualConnections } from "../line-up.ts";
import { runRound } from "../round.ts";
import type { Part } from "../section.ts";
import { summary } from "../statistics.ts";

export const threads: Part = {
  name: "threads",
  run: async (context) => {
    const { plan, say } = context;
    const contestants = plan.threads.map((count) => throughlineWith(String(count), [`--threads=${count}`]));
    await using lineUp = await startLineUp(contestants, true, context);
    say(`${plan.tasks} tasks with ${plan.threads.join(", ")} threads`);
    const results = await interleave(lineUp.all, plan.rounds, (ready) =>
      runRound(ready, { tasks: plan.tasks, connections: usualConnections }),
    );
    const rows = [...results].map(([name, rounds]) => [
      name,
      summary(rounds.map(({ tasksPerSecond }) => tasksPerSecond)),
      summary(rounds.map(({ cpuMicros }) => cpuMicros)),
      summary(rounds.map(({ peakRssMb }) => peakRssMb)),
    ]);
    return {
      title: "Handler threads",
      how: `Traced, ${usualConnections} connections. The handler does nothing: what is seen is the cost of having more threads than cores.`,
      tables: [{ columns: ["threads", "tasks/s", "CPU µs a task", "peak MB"], rows }],
      targets: [],
    };
  },
};
