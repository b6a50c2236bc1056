/** The charts of the last minutes as the query API gives them: columns of one length, a value for each step of time. Pure. */

import { instruments } from "../telemetry/metrics/instruments.ts";
import { type Counted, gaugeKeyOf, type Measured, type MetricHistory, type Slot } from "./metric-history.ts";
import { slotMs } from "./metric-slots.ts";

/** One value for each step; null: no data. */
type Column = (number | null)[];

export interface DurationColumns {
  /** Seconds. */
  p50: Column;
  p95: Column;
  p99: Column;
  /** The lowest bound of its buckets, in seconds: values below it are not distinguished. */
  floor: number;
}

export interface OverviewView {
  step_ms: number;
  /** Milliseconds since the epoch at which each step ends. */
  at_ms: number[];
  /** Tasks a second; of `failed` and `retried`, attempts. */
  rates: Record<Counted, Column>;
  durations: { queue_wait: DurationColumns; run_time: DurationColumns; end_to_end: DurationColumns };
  /** Messages, and the age of what waits longest in seconds, by queue. */
  queues: { name: string; visible: Column; in_flight: Column; delayed: Column; oldest_age: Column }[];
  /** Handler threads of all workers together; `tasks`: what they run. */
  threads: { idle: Column; busy: Column; stuck: Column; tasks: Column };
  /** Tasks that have not ended, by status. */
  active: Record<string, Column>;
  /** The services that export all this; empty: none does. */
  services: string[];
}

/** More points than that no chart has room for. */
const maxSteps = 120;

/** `rangeMs` back from the newest time that is complete. */
export function toOverview(history: MetricHistory, rangeMs: number): OverviewView {
  const perStep = Math.ceil(rangeMs / slotMs / maxSteps);
  const stepMs = perStep * slotMs;
  const endMs = Math.floor(history.completeUntilMs() / stepMs) * stepMs;
  const steps = Math.floor(rangeMs / stepMs);
  const starts = Array.from({ length: steps }, (_, index) => endMs - (steps - index) * stepMs);
  const slots = starts.map((startMs) => slotsOf(history, startMs, perStep));
  const seen = new Set(slots.flat().flatMap((slot) => [...slot.gauges.keys()]));
  const gauge = (combine: Combine, name: string, ...labels: string[]): Column =>
    slots.map((own) => gaugeOf(own, gaugeKeyOf(name, ...labels), combine));
  const durations = (measured: Measured) => toDurations(slots, measured, history.boundsOf(measured));
  const { queueDepth, oldestAge, workerThreads, tasksInFlight, tasksActive } = instruments;
  return {
    step_ms: stepMs,
    at_ms: starts.map((startMs) => startMs + stepMs),
    rates: {
      submitted: toRates(slots, "submitted", stepMs),
      succeeded: toRates(slots, "succeeded", stepMs),
      failed: toRates(slots, "failed", stepMs),
      retried: toRates(slots, "retried", stepMs),
      dead: toRates(slots, "dead", stepMs),
      canceled: toRates(slots, "canceled", stepMs),
    },
    durations: {
      queue_wait: durations("queueWait"),
      run_time: durations("processingDuration"),
      end_to_end: durations("endToEnd"),
    },
    queues: firstLabels(seen, queueDepth.name).map((name) => ({
      name,
      visible: gauge(largest, queueDepth.name, name, "visible"),
      in_flight: gauge(largest, queueDepth.name, name, "in_flight"),
      delayed: gauge(largest, queueDepth.name, name, "delayed"),
      oldest_age: gauge(largest, oldestAge.name, name),
    })),
    threads: {
      idle: gauge(sum, workerThreads.name, "idle"),
      busy: gauge(sum, workerThreads.name, "busy"),
      stuck: gauge(sum, workerThreads.name, "stuck"),
      tasks: gauge(sum, tasksInFlight.name),
    },
    active: Object.fromEntries(
      firstLabels(seen, tasksActive.name).map((status) => [status, gauge(largest, tasksActive.name, status)]),
    ),
    services: [...new Set(history.instances().map(({ service }) => service))],
  };
}

/** Of the same figure from several processes the largest counts; what each has for itself adds up. */
type Combine = (values: number[]) => number;
const largest: Combine = (values) => Math.max(...values);
const sum: Combine = (values) => values.reduce((total, value) => total + value, 0);

function slotsOf(history: MetricHistory, startMs: number, count: number): Slot[] {
  return Array.from({ length: count }, (_, index) => history.slotAt(startMs + index * slotMs) ?? []).flat();
}

function toRates(slots: readonly Slot[][], status: Counted, stepMs: number): Column {
  return slots.map((own) => {
    const covered = own.filter((slot) => slot.isCovered || Object.keys(slot.counts).length > 0);
    if (covered.length === 0) return null;
    return rounded(sum(covered.map((slot) => slot.counts[status] ?? 0)) / (stepMs / 1000));
  });
}

function toDurations(slots: readonly Slot[][], measured: Measured, bounds: readonly number[]): DurationColumns {
  const counts = slots.map((own) =>
    own.reduce<number[]>((sums, { durations }) => added(sums, durations[measured] ?? []), []),
  );
  const column = (share: number): Column =>
    counts.map((each) => {
      const value = percentileOf(share, bounds, each);
      return value === null ? null : rounded(value);
    });
  return { p50: column(0.5), p95: column(0.95), p99: column(0.99), floor: bounds[0] ?? 0 };
}

function added(sums: readonly number[], more: readonly number[]): number[] {
  return Array.from(
    { length: Math.max(sums.length, more.length) },
    (_, index) => (sums[index] ?? 0) + (more[index] ?? 0),
  );
}

/** The newest of the step. */
function gaugeOf(slots: readonly Slot[], gauge: string, combine: Combine): number | null {
  const values = slots.findLast((slot) => slot.gauges.has(gauge))?.gauges.get(gauge);
  return values ? rounded(combine([...values.values()])) : null;
}

/** `task-events` of `sqs_queue_depth task-events visible`: labels have no spaces. */
function firstLabels(gauges: ReadonlySet<string>, name: string): string[] {
  const own = [...gauges].map((gauge) => gauge.split(" ")).filter(([metric]) => metric === name);
  return [...new Set(own.map(([, label = ""]) => label))].sort();
}

/** To a thousandth, or to three digits of what is smaller. */
function rounded(value: number): number {
  return Math.abs(value) >= 1 ? Math.round(value * 1000) / 1000 : Number(value.toPrecision(3));
}

/**
 * The value below which this share (0 to 1) of what was counted lies: within its bucket as if all there were spread
 * evenly, as Prometheus has it (`histogram_quantile`); above the last bound, that bound. Null of an empty histogram.
 */
export function percentileOf(share: number, bounds: readonly number[], counts: readonly number[]): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!(total > 0)) return null;
  const rank = share * total;
  let below = 0;
  for (const [index, bound] of bounds.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0 && below + count >= rank) {
      const lower = bounds[index - 1] ?? 0;
      return lower + (bound - lower) * Math.min(1, (rank - below) / count);
    }
    below += count;
  }
  return bounds.at(-1) ?? null;
}
