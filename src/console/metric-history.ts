/**
 * The last hour of what the roles measure, in memory: rates, durations and depths for the charts, and the newest of
 * everything else for the picture of the system. Of metrics that are not Throughline's own nothing is kept. Bounded in
 * its instances, its series and its time; a restart begins anew.
 */

import type { Clock } from "../limits/clock.ts";
import type { Distribution, MetricPoint, ReceivedMetric } from "../otlp/metric.ts";
import type { Attributes } from "../otlp/values.ts";
import { instruments } from "../telemetry/metrics/instruments.ts";
import { key } from "../telemetry/names.ts";
import { type CountedPoint, createMetricChanges, createTimeSlots, historyMs, type TimeSlots } from "./metric-slots.ts";

/** Tasks, but for `failed` and `retried`: attempts. */
const counted = ["submitted", "succeeded", "failed", "retried", "dead", "canceled"] as const;
export type Counted = (typeof counted)[number];

const measured = ["queueWait", "processingDuration", "endToEnd"] as const;
export type Measured = (typeof measured)[number];

/** What happened in five seconds. A count may have a fraction: part of what came in a longer time. */
export interface Slot {
  /** Whether an export covers this time: no data is not zero. */
  isCovered: boolean;
  counts: Partial<Record<Counted, number>>;
  durations: Partial<Record<Measured, number[]>>;
  /** By `gaugeKeyOf`, and by instance. */
  gauges: Map<string, Map<string, number>>;
}

/** A role of a process, by its `service.instance.id`. */
export interface Instance {
  id: string;
  service: string;
  resource: Attributes;
  /** By the console's clock. */
  seenMs: number;
  /** Between its two newest exports; undefined after the first. */
  intervalMs: number | undefined;
  /** The newest points of its sums and gauges, by metric. */
  newest: Map<string, MetricPoint<number>[]>;
}

export interface MetricHistory {
  take(metrics: readonly ReceivedMetric[]): void;
  slotAt(ms: number): Slot | undefined;
  /** Bounds of each duration's buckets, in seconds. */
  boundsOf(measured: Measured): readonly number[];
  /** In the order of their names; those that fell silent within the hour among them. */
  instances(): Instance[];
  isSilent(instance: Instance): boolean;
  /** Up to when all live instances have exported: what comes later is incomplete. */
  completeUntilMs(): number;
}

const maxInstances = 200;
/** Of one metric of one instance. */
const maxNewestPoints = 500;
/** Of one slot, and of one instance in it. */
const maxGauges = 200;
/** Of attributes as JSON: longer ones are no labels of ours. */
const maxLabelsLength = 1000;
const maxTextLength = 200;
/** A gauge holds until the next export, but not for longer than this. */
const holdMs = 120_000;
const usualIntervalMs = 60_000;
/** So many exports are missing before an instance counts as silent. */
const missedExports = 2.5;

const charted: ReadonlyMap<string, readonly string[]> = new Map(
  [
    instruments.queueDepth,
    instruments.oldestAge,
    instruments.workerThreads,
    instruments.tasksInFlight,
    instruments.tasksActive,
  ].map(({ name, labels }) => [name, labels]),
);

/** Of these the newest points are kept, for the picture of the system. */
const kept: ReadonlySet<string> = new Set([
  instruments.queueDepth.name,
  instruments.oldestAge.name,
  instruments.workerThreads.name,
  instruments.tasksInFlight.name,
  instruments.breakerState.name,
  "otel.sdk.processor.span.processed",
  "otel.sdk.processor.span.queue.size",
  "otel.sdk.processor.log.processed",
  "otel.sdk.processor.log.queue.size",
]);

/** The resource attributes that are kept of a role. */
const keptAttributes = [
  key.serviceVersion,
  key.hostName,
  key.processPid,
  key.processRuntimeName,
  key.processRuntimeVersion,
  key.deploymentEnvironmentName,
] as const;

/** `sqs_queue_depth task-events visible` */
export function gaugeKeyOf(name: string, ...labels: string[]): string {
  return [name, ...labels].join(" ");
}

export function createMetricHistory(clock: Clock): MetricHistory {
  const nowMs = (): number => clock.nowMs();
  const slots: TimeSlots<Slot> = createTimeSlots(
    () => ({ isCovered: false, counts: {}, durations: {}, gauges: new Map() }),
    nowMs,
  );
  const changes = createMetricChanges(nowMs(), nowMs);
  const instances = createInstances(nowMs);

  const take = (metrics: readonly ReceivedMetric[]): void => {
    const own = metrics.filter(({ resource }) => resource[key.serviceNamespace] === "throughline");
    for (const [id, all] of Map.groupBy(own, ({ resource }) => cut(String(resource[key.serviceInstanceId] ?? "")))) {
      const [first] = all;
      if (first) takeOf(instances.meet(id, first), all);
    }
  };

  const takeOf = (instance: Instance, metrics: readonly ReceivedMetric[]): void => {
    const sinceMs = instance.seenMs;
    for (const { slot } of slots.over(Math.max(sinceMs, nowMs() - holdMs), nowMs())) slot.isCovered = true;
    for (const metric of metrics) takeMetric(instance, metric, sinceMs);
    if (nowMs() > sinceMs) instance.intervalMs = nowMs() - sinceMs;
    instance.seenMs = nowMs();
  };

  const takeMetric = (instance: Instance, metric: ReceivedMetric, sinceMs: number): void => {
    if (metric.type === "gauge" || metric.type === "sum") {
      const points = metric.points.filter(({ attributes }) => isShort(attributes));
      if (kept.has(metric.name)) instance.newest.set(metric.name, points.slice(0, maxNewestPoints));
      if (metric.name === instruments.tasksProcessed.name && metric.type === "sum") countTasks(instance, metric);
      const labels = charted.get(metric.name);
      if (labels) for (const point of points) takeGauge(instance, { ...metric, labels }, point, sinceMs);
      return;
    }
    const name = measured.find((each) => instruments[each].name === metric.name);
    if (name) for (const point of metric.points) takeDurations(instance, metric, name, point);
  };

  const countTasks = (instance: Instance, metric: Extract<ReceivedMetric, { type: "sum" }>): void => {
    for (const point of metric.points) {
      const status = counted.find((each) => each === point.attributes.status);
      if (!status || !isShort(point.attributes)) continue;
      const counts: CountedPoint = { ...point, counts: [point.value] };
      const change = changes.since(seriesOf(instance, metric.name, point.attributes), counts, metric.temporality);
      if (!change) continue;
      for (const { slot, part } of slots.over(nowMs() - change.durationMs, nowMs())) {
        slot.counts[status] = (slot.counts[status] ?? 0) + part * (change.counts[0] ?? 0);
      }
    }
  };

  const takeDurations = (
    instance: Instance,
    { name, temporality }: Extract<ReceivedMetric, { points: MetricPoint<Distribution>[] }>,
    figure: Measured,
    { value, ...point }: MetricPoint<Distribution>,
  ): void => {
    // Of another version, whose buckets cannot be added to ours.
    if (value.bounds.length !== instruments[figure].buckets.length || !isShort(point.attributes)) return;
    const counts: CountedPoint = { ...point, counts: value.bucketCounts };
    const change = changes.since(seriesOf(instance, name, point.attributes), counts, temporality);
    if (!change) return;
    for (const { slot, part } of slots.over(nowMs() - change.durationMs, nowMs())) {
      const sums = slot.durations[figure];
      slot.durations[figure] = change.counts.map((count, index) => (sums?.[index] ?? 0) + part * count);
    }
  };

  const takeGauge = (
    instance: Instance,
    { name, labels }: { name: string; labels: readonly string[] },
    { value, attributes }: MetricPoint<number>,
    sinceMs: number,
  ): void => {
    const gauge = gaugeKeyOf(name, ...labels.map((label) => String(attributes[label] ?? "")));
    const before = slots.find(sinceMs)?.gauges.get(gauge)?.get(instance.id);
    for (const { slot } of slots.over(Math.max(sinceMs, nowMs() - holdMs), nowMs())) {
      // In between it was as it was before.
      const isNew = slot === slots.find(nowMs());
      const seen = isNew ? value : before;
      if (seen !== undefined) setGauge(slot, gauge, instance.id, seen);
    }
  };

  const setGauge = (slot: Slot, gauge: string, instanceId: string, value: number): void => {
    const known = slot.gauges.get(gauge);
    if (known) known.set(instanceId, value);
    else if (slot.gauges.size < maxGauges) slot.gauges.set(gauge, new Map([[instanceId, value]]));
  };

  return {
    take,
    slotAt: slots.find,
    boundsOf: (figure) => instruments[figure].buckets,
    instances: instances.all,
    isSilent: instances.isSilent,
    completeUntilMs: instances.completeUntilMs,
  };
}

interface Instances extends Pick<MetricHistory, "isSilent" | "completeUntilMs"> {
  meet(id: string, first: ReceivedMetric): Instance;
  all: MetricHistory["instances"];
}

/** The senders of metrics: those that were heard within the history, so many at most. */
function createInstances(nowMs: () => number): Instances {
  const instances = new Map<string, Instance>();

  /** The sender, known or new, as it was before this export. */
  const meet = (id: string, { service, resource }: ReceivedMetric): Instance => {
    const known = instances.get(id);
    if (known) return known;
    forgetSome();
    const own = keptAttributes.map((name) => {
      const value = resource[name];
      return [name, typeof value === "string" ? cut(value) : typeof value === "number" ? value : null];
    });
    const instance = {
      id,
      service: cut(service),
      resource: Object.fromEntries(own),
      seenMs: nowMs(),
      intervalMs: undefined,
      newest: new Map(),
    };
    instances.set(id, instance);
    return instance;
  };

  const forgetSome = (): void => {
    for (const [id, { seenMs }] of instances) if (nowMs() - seenMs > historyMs) instances.delete(id);
    if (instances.size < maxInstances) return;
    const [oldest] = [...instances.values()].sort((a, b) => a.seenMs - b.seenMs);
    if (oldest) instances.delete(oldest.id);
  };

  const isSilent = ({ seenMs, intervalMs }: Instance): boolean =>
    nowMs() - seenMs > missedExports * (intervalMs ?? usualIntervalMs);

  return {
    meet,
    all: () =>
      [...instances.values()]
        .filter(({ seenMs }) => nowMs() - seenMs <= historyMs)
        .sort((a, b) => (a.service === b.service ? b.seenMs - a.seenMs : a.service < b.service ? -1 : 1)),
    isSilent,
    completeUntilMs: () => {
      const there = [...instances.values()].filter((instance) => !isSilent(instance));
      return there.length === 0 ? nowMs() : Math.min(...there.map(({ seenMs }) => seenMs));
    },
  };
}

function cut(text: string): string {
  return text.slice(0, maxTextLength);
}

function isShort(attributes: Attributes): boolean {
  return JSON.stringify(attributes).length <= maxLabelsLength;
}

function seriesOf({ id }: Instance, name: string, attributes: Attributes): string {
  return `${id} ${name} ${JSON.stringify(attributes)}`;
}
