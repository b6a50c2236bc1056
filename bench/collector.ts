/**
 * `bun bench/collector.ts`: how fast tasks finish while the collector does not do its work. Takes some two minutes. It
 * measures; what must hold on every machine stands in tests/integration/collector-faults.test.ts.
 *
 * Two processes with all roles run side by side under the same load, each with a collector of its own, and only one of
 * the collectors fails. So its rate is told as a share of the other's: what else the machine does slows both. In each,
 * 16 clients submit a task, wait for its end, and submit the next. The columns:
 *
 * - rate: ended tasks a second, over ten seconds.
 * - ratio: of that rate to the one before the collector failed, each as a share of the other system's; how far `well` is
 *   from 1 tells how much of a ratio is chance.
 * - memory: resident memory of the process at the end of the row.
 */

import { type CollectorState, type FaultyCollector, startFaultyCollector } from "../tests/support/faulty-collector.ts";
import { parsePrometheus } from "../tests/support/metric-series.ts";
import { freePorts, startThroughline } from "../tests/support/process.ts";
import { type Load, rateOf, startLoad } from "./load.ts";

interface System extends AsyncDisposable {
  gatewayUrl: string;
  adminUrl: string;
  collector: FaultyCollector;
}

const states: readonly CollectorState[] = ["well", "away", "slow", "hanging", "busy", "well"];
/** The first thousands of tasks run at half speed. */
const warmUpMs = 20_000;
const windowMs = 10_000;
const clients = 16;
const patienceMs = 5000;

async function startSystem(): Promise<System> {
  await using stack = new AsyncDisposableStack();
  const collector = stack.use(await startFaultyCollector({}));
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const flags = [...freePorts, "--threads=1", "--log-level=warn,throughline=info"];
  const { addresses } = stack.use(await startThroughline(flags, { env }));
  const owned = stack.move();
  const { gateway_url: gatewayUrl = "", admin_url: adminUrl = "" } = addresses;
  return { gatewayUrl, adminUrl, collector, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Ended tasks a second, and as a share of the other system's at the same time. */
async function measure(own: Load, other: Load): Promise<{ rate: number; share: number }> {
  const [rate, others] = await Promise.all([rateOf(own, windowMs), rateOf(other, windowMs)]);
  return { rate, share: rate / others };
}

async function memoryOf({ adminUrl }: System): Promise<string> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  const bytes = series.find(({ name }) => name === "process_memory_usage_bytes")?.value ?? Number.NaN;
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function printLine(cells: readonly string[]): void {
  process.stdout.write(`${cells.map((cell, n) => (n === 0 ? cell.padEnd(10) : cell.padStart(9))).join("")}\n`);
}

await using system = await startSystem();
await using otherSystem = await startSystem();
await using own = startLoad(system, { clients, patienceMs });
await using other = startLoad(otherSystem, { clients, patienceMs });
await Bun.sleep(warmUpMs);
const before = await measure(own, other);
printLine(["collector", "rate", "ratio", "memory"]);
for (const state of states) {
  await system.collector.become(state);
  const { rate, share } = await measure(own, other);
  printLine([state, rate.toFixed(0), (share / before.share).toFixed(2), await memoryOf(system)]);
}
