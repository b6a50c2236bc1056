/** Where a task's microseconds go: the CPU time of each thread. */

import { throughline } from "../contestants.ts";
import { usualConnections } from "../line-up.ts";
import { grown, threadSeconds } from "../process-cost.ts";
import { runRound, startContestant } from "../round.ts";
import type { Context, Part, Table } from "../section.ts";
import { figure, median, summary } from "../statistics.ts";

/** A thread's time is told in hundredths of a second: less than this is not told apart. */
const leastShare = 0.01;

export const microseconds: Part = {
  name: "microseconds",
  run: async (context) => {
    const { tasks, rounds, warmUpTasks } = context.plan;
    return {
      title: "Where a task's microseconds go",
      how: `${throughline.name} alone, ${usualConnections} connections, ${tasks} tasks in each of ${rounds} rounds. Microseconds of CPU for a task, by thread; threads of one name together. What is cold are the first ${tasks} tasks of a process, what is warm has run ${warmUpTasks} before.`,
      tables: [
        toTable("Traced", await measure(context, true, warmUpTasks)),
        toTable("Untraced", await measure(context, false, warmUpTasks)),
        toTable("Traced, cold", await measure(context, true, 0)),
      ],
      targets: [],
    };
  },
};

/** By thread, microseconds a task of each round; cold, there is one. */
async function measure({ plan, say }: Context, isTraced: boolean, warmUpTasks: number): Promise<Map<string, number[]>> {
  say(`${plan.tasks} tasks, ${isTraced ? "traced" : "untraced"}, after ${warmUpTasks}, by thread`);
  const warmUp = { tasks: warmUpTasks, connections: usualConnections };
  await using ready = await startContestant(throughline, isTraced, warmUp);
  const [pid = 0] = ready.running.pids;
  const spent: Map<string, number>[] = [];
  while (spent.length < (warmUpTasks === 0 ? 1 : plan.rounds)) {
    const before = threadSeconds(pid);
    await runRound(ready, { tasks: plan.tasks, connections: usualConnections });
    spent.push(grown(before, threadSeconds(pid)));
  }
  const names = new Set(spent.flatMap((round) => [...round.keys()]));
  const micros = (name: string): number[] => spent.map((round) => ((round.get(name) ?? 0) * 1e6) / plan.tasks);
  return new Map([...names].map((name) => [name, micros(name)]));
}

function toTable(title: string, micros: Map<string, number[]>): Table {
  const all = sumOf([...micros.values()]);
  const total = median(all);
  const [told, rest]: [[string, number[]][], number[][]] = [[], []];
  for (const [name, values] of micros) {
    if (median(values) >= total * leastShare) told.push([name, values]);
    else rest.push(values);
  }
  told.sort(([, a], [, b]) => median(b) - median(a));
  const rows = [...told, ["others", sumOf(rest)] as const, ["all", all] as const];
  const share = (values: readonly number[]): string => `${figure((median(values) / total) * 100)} %`;
  return {
    title,
    columns: ["thread", "µs a task", "share"],
    rows: rows.map(([name, values]) => [name, summary(values), share(values)]),
  };
}

/** Round by round. */
function sumOf(all: readonly (readonly number[])[]): number[] {
  const rounds = Math.max(1, ...all.map((values) => values.length));
  return Array.from({ length: rounds }, (_, n) => all.reduce((sum, values) => sum + (values[n] ?? 0), 0));
}
