/** Where a task's microseconds go: the CPU time of each thread. */

import { throughline } from "../contestants.ts";
import { usualConnections } from "../line-up.ts";
import { runRound, startContestant } from "../round.ts";
import type { Part, Table } from "../section.ts";
import { figure } from "../statistics.ts";
import { grown, threadSeconds } from "../thread-cost.ts";

/** A thread's time is told in hundredths of a second: less than this is not told apart. */
const leastShare = 0.01;

export const microseconds: Part = {
  name: "microseconds",
  run: async (context) => {
    const traced = await measure(true);
    const untraced = await measure(false);
    return {
      title: "Where a task's microseconds go",
      how: `${throughline.name} alone, ${usualConnections} connections, ${context.plan.tasks} tasks in each of ${context.plan.rounds} rounds. Microseconds of CPU for a task, by thread; threads of one name together.`,
      tables: [toTable("Traced", traced), toTable("Untraced", untraced)],
      targets: [],
    };

    async function measure(isTraced: boolean): Promise<Map<string, number>> {
      const { plan, say } = context;
      say(`${plan.tasks} tasks, ${isTraced ? "traced" : "untraced"}, by thread`);
      const warmUp = { tasks: plan.warmUpTasks, connections: usualConnections };
      await using ready = await startContestant(throughline, isTraced, warmUp);
      const [pid = 0] = ready.running.pids;
      const before = threadSeconds(pid);
      for (let round = 0; round < plan.rounds; round++) {
        await runRound(ready, { tasks: plan.tasks, connections: usualConnections });
      }
      const spent = grown(before, threadSeconds(pid));
      return new Map([...spent].map(([name, seconds]) => [name, (seconds * 1e6) / (plan.tasks * plan.rounds)]));
    }
  },
};

function toTable(title: string, micros: Map<string, number>): Table {
  const total = [...micros.values()].reduce((sum, each) => sum + each, 0);
  const told = [...micros].filter(([, each]) => each >= total * leastShare).sort(([, a], [, b]) => b - a);
  const rest = [...micros.values()].reduce((sum, each) => sum + (each < total * leastShare ? each : 0), 0);
  const row = (name: string, each: number): string[] => [name, figure(each), `${figure((each / total) * 100)} %`];
  const rows = [...told.map(([name, each]) => row(name, each)), row("others", rest), row("all", total)];
  return { title, columns: ["thread", "µs a task", "share"], rows };
}
