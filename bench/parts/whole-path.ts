/** HTTP accept to handler, against what people use today, traced and untraced. */

import { throughline } from "../contestants.ts";
import { interleave } from "../interleave.ts";
import { startLineUp, usualConnections } from "../line-up.ts";
import { bullMq, bunqueue, graphileWorker, pgBoss, sqsConsumer } from "../peers.ts";
import type { Plan } from "../plan.ts";
import { type Round, runRound } from "../round.ts";
import { atLeast, atMost, type Context, type Part, type Table, type Target } from "../section.ts";
import { figure, median, summary } from "../statistics.ts";

const everysec = bullMq("everysec");
const always = bullMq("always");
const onEmbedded = sqsConsumer("embedded");
const onElasticMq = sqsConsumer("elasticmq");
const longRunners = new Set([throughline.name, everysec.name]);
const contestants = [throughline, everysec, always, bunqueue, graphileWorker, pgBoss, onEmbedded, onElasticMq];

/** One caller alone cannot fill a system: as many tasks by it would tell the same in many times the time. */
const shareOfOne = 0.2;

export const wholePath: Part = {
  name: "whole-path",
  run: async (context) => {
    const measured: Measured[] = [];
    for (const isTraced of context.plan.traced) measured.push(await measure(context, isTraced));
    return {
      title: "The whole path",
      how: "From the first submit over HTTP until a handler has begun the last task. Closed loop: each connection submits its next task once the last is accepted. CPU and memory are of all processes of a contestant together.",
      tables: measured.map(({ table }) => table),
      targets: measured.flatMap(targetsOf),
    };
  },
};

interface Measured {
  isTraced: boolean;
  table: Table;
  /** The short rounds at the usual connections. */
  usual: Map<string, Round[]>;
}

async function measure(context: Context, isTraced: boolean): Promise<Measured> {
  const { plan, say } = context;
  await using lineUp = await startLineUp(contestants, isTraced, context);
  const rows: string[][] = [];
  let usual = new Map<string, Round[]>();
  for (const { tasks, connections, rounds } of shapesOf(plan, isTraced)) {
    say(`${tasks} tasks by ${connections} connections, ${isTraced ? "traced" : "untraced"}`);
    // Whoever needs many minutes for the long round would tell nothing more in them.
    const all = tasks > plan.wholeTasks ? lineUp.all.filter(({ name }) => longRunners.has(name)) : lineUp.all;
    const results = await interleave(all, rounds, (ready) => runRound(ready, { tasks, connections }));
    if (tasks === plan.wholeTasks && connections === usualConnections) usual = results;
    for (const [name, of] of results) rows.push([name, String(connections), String(tasks), ...toCells(of)]);
  }
  const columns = [
    "contestant",
    "connections",
    "tasks",
    "tasks/s",
    "CPU µs a task",
    "peak MB",
    "answer p50 ms",
    "p99 ms",
  ];
  return { table: { title: isTraced ? "Traced" : "Untraced", columns, rows }, usual, isTraced };
}

/** The long round is traced: what it may show beyond the short ones is what telemetry heaps up. */
function shapesOf({ wholeTasks, manyTasks, connections, rounds }: Plan, isTraced: boolean) {
  const short = connections.map((each) => ({
    tasks: each === 1 ? Math.ceil(wholeTasks * shareOfOne) : wholeTasks,
    connections: each,
    rounds,
  }));
  if (!isTraced || manyTasks === 0) return short;
  return [...short, { tasks: manyTasks, connections: usualConnections, rounds: 1 }];
}

/** Rate, CPU, memory and answers of a contestant's rounds. */
function toCells(rounds: readonly Round[]): string[] {
  const of = (pick: (round: Round) => number): string => summary(rounds.map(pick));
  return [
    of((round) => round.tasksPerSecond),
    of((round) => round.cpuMicros),
    of((round) => round.peakRssMb),
    of((round) => round.answerP50Ms),
    of((round) => round.answerP99Ms),
  ];
}

function targetsOf({ usual, isTraced }: Measured): Target[] {
  const how = isTraced ? "traced" : "untraced";
  const middle = (name: string, pick: (round: Round) => number): number => median((usual.get(name) ?? []).map(pick));
  const rate = (name: string): number => middle(name, (round) => round.tasksPerSecond);
  const shareOf = (pick: (round: Round) => number): number =>
    middle(throughline.name, pick) / middle(everysec.name, pick);
  const times = (value: number): string => `${figure(value)} ×`;
  const faster = (name: string, wanted: number): Target =>
    atLeast(`≥ ${wanted} × ${name}, ${how}`, rate(throughline.name) / rate(name), wanted, times);
  const spent = (what: string, share: number): Target =>
    atMost(`${what} ≤ 0.8 of ${everysec.name}, ${how}`, share, 0.8, times);
  return [
    faster(everysec.name, 1.25),
    faster(always.name, 2),
    faster(onEmbedded.name, 4),
    faster(onElasticMq.name, 5),
    spent(
      "CPU of a task",
      shareOf((round) => round.cpuMicros),
    ),
    spent(
      "memory under load",
      shareOf((round) => round.peakRssMb),
    ),
  ];
}
