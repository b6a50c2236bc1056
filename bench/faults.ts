/**
 * `bun bench/faults.ts`, or with the faults that are wanted, `bun bench/faults.ts none down down`: how fast tasks finish
 * before and after each fault between the roles and their broker. Takes some six minutes, and needs ElasticMQ and
 * Toxiproxy (`bun run parts`). It measures; what must hold on every machine stands in tests/integration/faults.test.ts.
 *
 * Two systems of the same kind run side by side under the same load, and only one of them meets the fault. So its rate
 * is told as a share of the other's: what else the machine does meanwhile slows both. In each, 16 clients submit a task,
 * wait for its end, and submit the next. A task that has not ended in five seconds is left alone (the sweeper will send
 * it), so that rates tell of tasks on their normal way. The columns:
 *
 * - before, during, after, settled: ended tasks a second, over ten seconds each but `during`. `after` begins when every
 *   client has left what the fault held up, `settled` when all of that has ended.
 * - ratio: of the rate left of it to `before`, each as a share of the other system's. At least 0.95 is wanted; how far
 *   `none` is from 1 tells how much of a ratio is chance.
 * - back: how long after the fault's end the first task had ended that was submitted after it.
 * - left: tasks that clients left alone; until: how long after the fault the last of them ended.
 * - refused: submits that were not answered 202. slowest: the longest wait for a 202.
 * - extra: attempts beyond one for each task that ended.
 */

import type { Fault } from "../tests/parts/toxiproxy.ts";
import { type FaultySystem, startFaultySystem } from "../tests/support/faulty-system.ts";
import { httpApi } from "../tests/support/http-api.ts";
import { type Load, rateOf, startLoad } from "./load.ts";

interface Step {
  fault: Fault | { kind: "none" };
  forMs: number;
}

const steps: readonly Step[] = [
  { fault: { kind: "none" }, forMs: 5000 },
  { fault: { kind: "latency", latencyMs: 200, jitterMs: 100 }, forMs: 5000 },
  { fault: { kind: "reset" }, forMs: 5000 },
  { fault: { kind: "half_open" }, forMs: 12_000 },
  { fault: { kind: "down" }, forMs: 20_000 },
];
const clients = 16;
/** The first thousands of tasks run at half speed, in our threads as in the broker's. */
const warmUpMs = 30_000;
const windowMs = 10_000;
const patienceMs = 5000;

/** Ended tasks a second in the system with the fault and in the other one, at the same time. */
interface Rates {
  own: number;
  others: number;
}

async function ratesOver(ms: number, own: Load, other: Load): Promise<Rates> {
  const [ownRate, othersRate] = await Promise.all([rateOf(own, ms), rateOf(other, ms)]);
  return { own: ownRate, others: othersRate };
}

function ratio(later: Rates, before: Rates): string {
  return (later.own / later.others / (before.own / before.others)).toFixed(2);
}

type Row = Record<string, string>;

async function measure({ fault, forMs }: Step, own: Load<FaultySystem>, other: Load): Promise<Row> {
  own.forget();
  const before = await ratesOver(windowMs, own, other);
  if (fault.kind !== "none") await own.system.network.add(fault);
  const during = await ratesOver(forMs, own, other);
  if (fault.kind !== "none") await own.system.network.remove(fault.kind);
  const endMs = performance.now();
  const back = firstEnd(own).then(() => performance.now() - endMs);
  await Bun.sleep(patienceMs);
  const after = await ratesOver(windowMs, own, other);
  await own.allEnded();
  const untilMs = performance.now() - endMs;
  const settled = await ratesOver(windowMs, own, other);
  return {
    fault: `${fault.kind} ${seconds(forMs)}`,
    before: perSecond(before),
    during: perSecond(during),
    after: perSecond(after),
    ratio: ratio(after, before),
    settled: perSecond(settled),
    "ratio ": ratio(settled, before),
    back: seconds(await back),
    left: String(own.seen.left),
    until: own.seen.left > 0 ? seconds(untilMs) : "-",
    refused: String(own.seen.refused),
    slowest: seconds(own.seen.slowestAcceptMs),
    extra: String(own.seen.extraAttempts),
  };
}

async function firstEnd({ system }: Load): Promise<void> {
  const api = httpApi(system.gatewayUrl);
  await api.ended((await api.submit({ type: "echo", payload: "back?" })).id);
}

function perSecond({ own }: Rates): string {
  return own.toFixed(0);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function printLine(cells: readonly string[]): void {
  process.stdout.write(`${cells.map((cell, n) => (n === 0 ? cell.padEnd(17) : cell.padStart(8))).join("")}\n`);
}

/** In the order of the names; all, when there are none. */
function stepsNamed(names: readonly string[]): readonly Step[] {
  if (names.length === 0) return steps;
  return names.map((name) => {
    const step = steps.find(({ fault }) => fault.kind === name);
    if (!step) throw new Error(`there is no fault "${name}": ${steps.map(({ fault }) => fault.kind).join(", ")}`);
    return step;
  });
}

async function run(wanted: readonly Step[]): Promise<void> {
  const flags = ["--log-level=warn,throughline=info", "--threads=1"];
  await using system = await startFaultySystem(flags);
  await using otherSystem = await startFaultySystem(flags);
  await using own = startLoad(system, { clients, patienceMs });
  await using other = startLoad(otherSystem, { clients, patienceMs });
  await Bun.sleep(warmUpMs);
  for (const [n, step] of wanted.entries()) {
    const row = await measure(step, own, other);
    if (n === 0) printLine(Object.keys(row));
    printLine(Object.values(row));
  }
}

await run(stepsNamed(Bun.argv.slice(2)));
