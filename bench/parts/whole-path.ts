/** HTTP accept to handler, against what people use today, traced and untraced. */

import { throughline } from "../contestants.ts";
import { interleave, startLineUp, usualConnections } from "../line-up.ts";
import { bullMq, bunqueue, graphileWorker, pgBoss, sqsConsumer } from "../peers.ts";
import type { Plan } from "../plan.ts";
import { type Round, runRound } from "../round.ts";
import type { Context, Part, Table } from "../section.ts";
import { ratios, summary } from "../statistics.ts";
import { judge, type Target } from "../targets.ts";

const everysec = bullMq("everysec");
const always = bullMq("always");
const onEmbedded = sqsConsumer("embedded");
const onElasticMq = sqsConsumer("elasticmq");
const longRunners = new Set([throughline.name, everysec.name]);
const contestants = [throughline, everysec, always, bunqueue, graphileWorker, pgBoss, onEmbedded, onElasticMq];

/** At these the targets hold. */
const judgedConnections: ReadonlySet<number> = new Set([32, 128]);

/** One caller alone cannot fill a system: as many tasks by it would tell the same in many times the time. */
const shareOfOne = 0.2;

export const wholePath: Part = {
  name: "whole-path",
  run: async (context) => {
    const measured: Measured[] = [];
    for (const isTraced of context.plan.traced) measured.push(await measure(context, isTraced));
    return {
      title: "The whole path",
      how: `From the first submit over HTTP until a handler has begun the last task. Closed loop: each connection submits its next task once the last is accepted. CPU and memory are of all processes of a contestant together. "${throughline.name}'s to it": its figure to that of the row, in the same round. Traced are those that have spans of their own.`,
      tables: measured.map(({ table }) => table),
      targets: measured.flatMap(({ targets }) => targets),
    };
  },
};

interface Measured {
  table: Table;
  targets: Target[];
}

type Results = Map<string, Round[]>;

const rate = (round: Round): number => round.tasksPerSecond;
const cpu = (round: Round): number => round.cpuMicros;
const memory = (round: Round): number => round.peakRssMb;

const toIt = `${throughline.name}'s to it`;
const columns = [
  ...["contestant", "connections", "tasks", "tasks/s", toIt, "CPU µs a task", toIt],
  ...["peak MB", "answer p50 ms", "p99 ms"],
];

async function measure(context: Context, isTraced: boolean): Promise<Measured> {
  const { plan, say } = context;
  await using lineUp = await startLineUp(contestants, isTraced, context);
  const rows: string[][] = [];
  const targets: Target[] = [];
  const how = isTraced ? "traced" : "untraced";
  for (const { tasks, connections, rounds } of shapesOf(plan, isTraced)) {
    say(`${tasks} tasks by ${connections} connections, ${how}`);
    // Whoever needs many minutes for the long round would tell nothing more in them.
    const isLong = tasks > plan.wholeTasks;
    const all = isLong ? lineUp.all.filter(({ name }) => longRunners.has(name)) : lineUp.all;
    const results = await interleave(all, rounds, (ready) => runRound(ready, { tasks, connections }));
    for (const name of results.keys()) rows.push([name, String(connections), String(tasks), ...toCells(results, name)]);
    if (!isLong && judgedConnections.has(connections)) {
      targets.push(...targetsOf(results, `${how}, ${connections} connections`));
    }
  }
  return { table: { title: isTraced ? "Traced" : "Untraced", columns, rows }, targets };
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

/** Rate, CPU, memory and answers of a contestant's rounds, the first two with ours to its. */
function toCells(results: Results, name: string): string[] {
  const of = (pick: (round: Round) => number): string => summary((results.get(name) ?? []).map(pick));
  const compared = (pick: (round: Round) => number): string =>
    name === throughline.name ? "" : summary(oursTo(name, results, pick));
  return [
    ...[of(rate), compared(rate), of(cpu), compared(cpu), of(memory)],
    ...[of((round) => round.answerP50Ms), of((round) => round.answerP99Ms)],
  ];
}

function oursTo(name: string, results: Results, pick: (round: Round) => number): number[] {
  return ratios(results.get(throughline.name)?.map(pick), results.get(name)?.map(pick));
}

function targetsOf(results: Results, how: string): Target[] {
  return [
    judge("rateToEverysec", oursTo(everysec.name, results, rate), how),
    judge("rateToAlways", oursTo(always.name, results, rate), how),
    judge("rateToEmbedded", oursTo(onEmbedded.name, results, rate), how),
    judge("rateToElasticMq", oursTo(onElasticMq.name, results, rate), how),
    judge("cpuToEverysec", oursTo(everysec.name, results, cpu), how),
    judge("memoryToEverysec", oursTo(everysec.name, results, memory), how),
  ];
}
